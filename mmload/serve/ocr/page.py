"""Lines of text where they were read on a page, and how they lie to each other. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_NONCE = re.compile(r"\bRef\b[\s.:#]*([A-Z0-9]{6})\b")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; coordinates in pixels of the picture as it was received."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def x(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def y(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    def point(self) -> list[int]:
        return [round(self.x), round(self.y)]


def plain(text: str) -> str:
    """For comparing: one space between words, no case, no colon at the end."""
    return " ".join(text.split()).casefold().rstrip(":. ")


@dataclass(frozen=True, slots=True)
class Page:
    """What was read of one picture."""

    lines: tuple[Line, ...]
    complete: bool = True
    """False: time was up before all of it was read."""
    darkness: Callable[[float, float, float, float], float] = field(default=lambda x0, y0, x1, y1: 0.0)
    """How far the pixels of a box (x0, y0, x1, y1) lie from the page's own colour, 0 to 1."""

    def find(self, *names: str) -> Line | None:
        """The first line that says one of ``names`` and nothing else."""
        wanted = {plain(name) for name in names}
        return next((line for line in self.lines if plain(line.text) in wanted), None)

    def matching(self, pattern: str) -> list[tuple[Line, re.Match[str]]]:
        found = ((line, re.search(pattern, line.text)) for line in self.lines)
        return [(line, match) for line, match in found if match]

    def row(self, line: Line) -> list[Line]:
        """What stands at the height of ``line``, from left to right, itself included."""
        level = (
            other for other in self.lines if abs(other.y - line.y) < 0.6 * max(line.height, other.height)
        )
        return sorted(level, key=lambda other: other.x0)

    def right_of(self, line: Line) -> list[Line]:
        return [
            other for other in self.row(line) if other.x0 >= line.x1 - 0.3 * line.height and other is not line
        ]

    def value_of(self, *labels: str) -> str | None:
        """The text beside a label, or after it in one line."""
        label = self.find(*labels)
        if label is not None:
            beside = self.right_of(label)
            return beside[0].text.strip() if beside else None
        for name in labels:
            for line in self.lines:
                head, rest = line.text[: len(name)], line.text[len(name) :]
                if plain(head) == plain(name) and rest[:1] in (" ", ":") and rest.strip(" :"):
                    return rest.strip(" :")
        return None


def nonce(pages: Iterable[Page]) -> str:
    """The code printed after "Ref", empty if it was not read."""
    for page in pages:
        for line in page.lines:
            found = _NONCE.search(line.text)
            if found:
                return found[1]
        label = page.find("Ref")
        beside = page.right_of(label) if label else []
        if beside and re.fullmatch(r"[A-Z0-9]{6}", beside[0].text.strip()):
            return beside[0].text.strip()
    return ""
