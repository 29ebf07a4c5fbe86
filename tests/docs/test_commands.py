"""Every command of the README and of docs/ is run: on small profiles of the same names, in a folder apart.

Addresses and ports are replaced by ones that are free here. What starts a server, needs other hosts or builds
an environment is held against what it names, and ``ELSEWHERE`` says which test runs it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from PIL import Image
from report.otlp_receiver import receiver
from whole_runs import TINY, command

from mmload.cli import program, run_program
from mmload.cli._ci import chosen

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("mmload", "make", "python", "pip", "prometheus", "locust", "kubectl", "docker")
LIGHT = ("check", "init", "report", "doctor", "completion", "reprice", "rescore", "fixtures")
ELSEWHERE = {
    "mmload serve": "tests/cli/test_serve.py",
    "mmload worker": "tests/live/test_two_hosts.py",
    "mmload run --master": "tests/live/test_two_hosts.py",
    "locust": "tests/live/test_own_locust.py",
    "mmload capacity": "tests/search",
    "mmload compare": "tests/compare",
    "mmload fixtures": "tests/cli/test_fixtures.py",
    "mmload rescore": "tests/grade",
    "mmload reprice": "tests/price",
}


class Shown(NamedTuple):
    page: str
    line: str

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def blocks(text: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[Shown]:
    found = []
    for page in PAGES:
        for language, body in blocks(page.read_text()):
            for line in body.replace("\\\n", " ").splitlines():
                plain = re.sub(r"\s+#.*$", "", line).strip().removeprefix(".venv/bin/")
                words = [w for w in plain.split() if not re.match(r"[A-Z_]+=", w)]
                if words and words[0] in PROGRAMS and language in ("", "sh", "console", "bash"):
                    found.append(Shown(page.name, plain))
                elif language in ("sh", "bash") and words and not line.startswith("#"):
                    raise AssertionError(f"{page.name}: a command of no known program: {line}")
    return found


EVERY = [shown for shown in dict.fromkeys(commands()) if not re.match(r"mmload \w+ ──", shown.line)]


def verb(line: str) -> str:
    return line.split()[1] if line.startswith("mmload ") else ""


def elsewhere(line: str) -> str:
    """The test that runs it, if it isn't run here."""
    words = line.split()
    key = " ".join(words[:2]) if words[0] == "mmload" else words[0]
    return ELSEWHERE.get(f"{key} --master" if "--master" in words else key, "")


HERE = [s for s in EVERY if s.line.startswith("mmload ") and not elsewhere(s.line)]
LIGHTS = [s for s in HERE if verb(s.line) in LIGHT]
RUNS = list(
    {tuple(re.findall(r" (--[\w-]+)", s.line)): s for s in reversed(HERE) if verb(s.line) == "run"}.values()
)[::-1]
"""The first with each set of options, as a run takes seconds; the values of the others are parsed."""
SMALL = """
[[phase]]
name = "burst"
shape = "sustained"
duration_s = 1
rpm = 1200
[cost.models.sim-large]
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
[gates]
schema_valid_min = 0.1
error_max = 0.9
quality_min = 0.01
"""


def test_the_pages_show_commands_at_all() -> None:
    assert len(EVERY) > 40 and len(RUNS) > 8 and len(LIGHTS) > 10


@pytest.mark.parametrize("shown", [s for s in EVERY if s.line.startswith("mmload ")], ids=str)
def test_every_command_of_ours_has_the_verbs_and_options_that_it_names(shown: Shown) -> None:
    words = [w for w in shlex.split(re.sub(r"\s[12]?>\s*\S+", "", shown.line))[1:] if w not in ("VERB", "&")]
    context = click.Context(program)
    found = program.get_command(context, words[0]) if not words[0].startswith("-") else program
    assert found is not None, f"no verb {words[0]}"
    if isinstance(found, click.Group) or "--help" in words:
        return
    made = found.make_context(words[0], words[1:], parent=context)
    chosen(made.params.get("fail_on") or ())


def test_the_workflows_for_ci_use_verbs_and_options_that_there_are() -> None:
    for path in (ROOT / "deploy" / "ci").glob("*.yml"):
        lines = re.findall(r"^[^#\n]*?\b(mmload (?:run|check) .*)$", path.read_text(), re.MULTILINE)
        assert len(lines) == 2, path
        for line in lines:
            words = shlex.split(line)[1:]
            found = program.get_command(click.Context(program), words[0])
            assert found is not None
            found.make_context(words[0], words[1:])


@pytest.mark.parametrize("shown", [s for s in EVERY if elsewhere(s.line)], ids=str)
def test_what_is_run_elsewhere_has_its_test(shown: Shown) -> None:
    where = ROOT / elsewhere(shown.line)
    assert where.is_file() or any(where.glob("test_*.py")), where


@pytest.mark.parametrize(
    "shown", [s for s in EVERY if s.line.split()[0] in ("make", "pip", "python")], ids=str
)
def test_targets_extras_and_scripts_that_are_named_are_there(shown: Shown) -> None:
    name, *words = shlex.split(shown.line)
    if name == "make":
        subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
    elif name == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for extra in re.findall(r"mmload\[(\w+)\]", shown.line):
            assert extra in extras
    elif words[0] == "-m":
        subprocess.run(
            [sys.executable, "-c", f"import importlib.util as u; assert u.find_spec({words[1]!r})"],
            check=True,
        )
    else:
        script = (ROOT / words[0]).read_text()
        assert all(re.search(rf"[\"']{option}[\"']", script) for option in words if option.startswith("--"))


def test_prometheus_takes_the_configuration_that_is_named() -> None:
    for shown in EVERY:
        if shown.line.startswith("prometheus "):
            (config,) = re.findall(r"--config\.file=(\S+)", shown.line)
            subprocess.run(["promtool", "check", "config", config], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A practice pipeline for ``mmload init``."""
    process = subprocess.Popen(
        command("serve", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["url"]
    process.terminate()
    process.wait(20)


def own_items(made: Path) -> None:
    """The file of items that the page on own images shows, its pictures, and a profile with its table."""
    page = dict(blocks((ROOT / "docs" / "howto-own-images.md").read_text()))
    (made / "items.jsonl").write_text(page["json"])
    (made / "shots").mkdir()
    for name in re.findall(r"shots/(\w+)\.png", page["json"]):
        Image.new("RGB", (320, 200), "white").save(made / "shots" / f"{name}.png")
    head, _, rest = TINY.partition("[mix]")
    (made / "own.toml").write_text(head + page["toml"] + "[slo" + rest.partition("[slo")[2] + SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in small: profiles by their names, a file of items, and one finished run."""
    made = tmp_path_factory.mktemp("docs")
    (made / "traffic_profiles").mkdir()
    for path in (ROOT / "traffic_profiles").glob("*.toml"):
        (made / "traffic_profiles" / path.name).write_text(TINY + SMALL)
    (made / "mine.toml").write_text(TINY + SMALL)
    own_items(made)
    (made / "real").mkdir()
    (made / "real" / "mine.toml").write_text((ROOT / "traffic_profiles" / "burst.toml").read_text())
    first = command("run", "mine.toml", "--out", "reports/first", "--quiet")
    assert subprocess.run(first, cwd=made, capture_output=True, timeout=120).returncode in (0, 4)
    return made


@pytest.mark.live
@pytest.mark.parametrize("shown", [s for s in LIGHTS if "--plugin" not in s.line], ids=str)
def test_a_light_command_does_what_it_says(
    shown: Shown,
    folder: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # What is only looked at is the real thing; what is run is small.
    real = (
        ROOT
        if "traffic_profiles/" in shown.line
        else folder / "real"
        if "mine.toml" in shown.line
        else folder
    )
    monkeypatch.chdir(real if verb(shown.line) == "check" else folder)
    monkeypatch.setenv("STAGING_API_KEY", "k-123")
    line = shown.line.replace("http://127.0.0.1:8000/v1", server).replace(
        "--out mine.toml", "--out made.toml --force"
    )
    line = (
        line.replace(" RUN", " reports/first")
        .replace(" FILE", " kept.json")
        .replace("NAME", "STAGING_API_KEY")
    )
    code = run_program(shlex.split(line)[1:])
    assert code in (0, 3, 4), capsys.readouterr().err


@pytest.mark.live
@pytest.mark.parametrize("shown", RUNS, ids=str)
def test_a_run_command_runs(shown: Shown, folder: Path) -> None:
    with receiver() as (collector, _):
        line = shown.line.replace("http://127.0.0.1:4318", collector).replace(
            "reports/first", "reports/again"
        )
        line = re.sub(
            r"--(prometheus|web)-port \d+", r"--\1-port 0" if "prometheus" in line else "--web", line
        )
        line = re.sub(r"--metrics-linger \S+", "--metrics-linger 0.1", line)
        words = shlex.split(re.sub(r"\s[12]?>\s*\S+", "", line))[1:]
        done = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 3, 4), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.live
def test_the_notebook_page_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    scope: dict[str, object] = {}
    for language, body in blocks((ROOT / "docs" / "howto-notebook.md").read_text()):
        if language == "python":
            exec(body, scope)
    assert len(scope["rows"]) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", text):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor and path.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [p.name for p in PAGES[1:] if p.name != "README.md" and f"({p.name}" not in index] == []
