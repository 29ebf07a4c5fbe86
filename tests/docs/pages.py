"""The commands of the README and of docs/, and what each page takes to be there before they are run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = (
    *("mmload", "make", "python", "pip", "prometheus", "locust", "export", "eval"),
    *("docker", "kubectl"),
)
NOT_HERE = {
    "make test": "this test is a part of it",
    "make bench": "half an hour on two cores that do nothing else; its pieces are held against their options",
    "python benchmarks/bench.py": "a measurement of minutes; held against the options that it has",
    "python benchmarks/report_size.py": "100,000 requests are planted for a minute; run below with 300",
    "docker": "there is no Docker here; the Dockerfile is held against the repository",
    "kubectl": "there is no cluster here; the manifests are held against mmload and against each other",
}
"""What is not run as it stands, and why. Nothing else is left out."""


class Shown(NamedTuple):
    """A command as a page shows it."""

    page: str
    line: str
    exports: str = ""
    """Lines of the same block that set its environment."""

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"

    @property
    def bare(self) -> str:
        """Wherever the program is."""
        return self.line.removeprefix(".venv/bin/")

    @property
    def words(self) -> list[str]:
        return shlex.split(re.sub(r"\s[12]?>\s*\S+", "", self.bare))

    @property
    def verb(self) -> str:
        return self.words[1] if self.words[0] == "mmload" else ""

    @property
    def why_not(self) -> str:
        return next((why for start, why in NOT_HERE.items() if self.bare.startswith(start)), "")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, content) of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def of_page(page: Path) -> list[Shown]:
    """Its commands, in order. A line of a shell block that begins with no known program is an error."""
    found = []
    for language, body in blocks(page.read_text()):
        exports = ""
        for line in body.replace("\\\n", " ").splitlines():
            plain = re.sub(r"\s+#.*$", "", line).strip()
            words = plain.removeprefix(".venv/bin/").split()
            if words and words[0] in PROGRAMS and language in ("", "sh", "console", "bash"):
                if words[0] == "export":
                    exports += f"{plain}\n"
                elif not re.match(r"mmload \w+ ──", plain):
                    found.append(Shown(name_of(page), plain, exports))
            elif language in ("sh", "bash") and words and not line.startswith("#"):
                raise AssertionError(f"{page.name}: a command of no known program: {line}")
    return found


EVERY = [shown for page in PAGES for shown in dict.fromkeys(of_page(page))]
