"""A drawing as a list of marks, and its two renderings' common ground: roles instead of colours.

A mark names a role (``ink``, ``grid``, ``blue``...); the page gives roles their colours for light,
dark and print, a file gives them the light ones. Not aware of what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1a1d21",
    "soft": "#4f5862",
    "axis": "#9aa3ac",
    "grid": "#e4e7ea",
    "wash": "#f1f3f5",
    "blue": "#0072b2",
    "orange": "#d98200",
    "green": "#00805f",
    "red": "#c94f00",
    "purple": "#a8487e",
    "sky": "#3f9bd1",
}
"""Okabe-Ito, darkened where it must stand against white paper."""

DARK = {
    "paper": "#14171a",
    "ink": "#e8ebee",
    "soft": "#a9b2bb",
    "axis": "#68727c",
    "grid": "#2a2f35",
    "wash": "#1d2125",
    "blue": "#56b4e9",
    "orange": "#e69f00",
    "green": "#2bbd94",
    "red": "#f0803c",
    "purple": "#d78fb6",
    "sky": "#8fd0f5",
}

SHAPES = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True, slots=True)
class Line:
    points: Sequence[Point | None]
    """``None`` lifts the pen: an absent value is a gap, never a zero."""
    role: str
    width: float = 1.75
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Area:
    points: Sequence[Point]
    role: str
    opacity: float = 0.2


@dataclass(frozen=True, slots=True)
class Boxes:
    """Rectangles (x, y, width, height) of one colour: a heat map has one of these a level."""

    boxes: Sequence[tuple[float, float, float, float]]
    role: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Marker:
    x: float
    y: float
    role: str
    shape: str = "circle"
    size: float = 4.0


@dataclass(frozen=True, slots=True)
class Text:
    x: float
    y: float
    text: str
    role: str = "soft"
    anchor: str = "start"
    """``start``, ``middle`` or ``end``."""
    size: float = 12.0
    bold: bool = False
    halo: bool = False
    """Outlined in the colour of the paper, to stay readable across other marks."""


Mark = Line | Area | Boxes | Marker | Text


@dataclass(slots=True)
class TimeFrame:
    """Which part of a plot over time can be stretched: marks from ``first`` on, but those in ``still``."""

    left: float
    right: float
    start_s: float
    end_s: float
    ticks: tuple[int, int]
    """Marks of the time axis: from, to (not included)."""
    first: int
    still: set[int] = field(default_factory=set)


@dataclass(slots=True)
class PlacedRow:
    """A row of a plot, in the place that it was drawn for."""

    group: str
    order: int
    """Its place among the rows of its group."""
    at: int
    """Rows of the plot above it."""
    marks: set[int] | list[Mark]
    """Which marks of the scene are its own; or those that stand nowhere unless its group is chosen."""


@dataclass(slots=True)
class RowFrame:
    """A plot whose rows a reader may choose by group. All marks are drawn where no one chose."""

    top: float
    bottom: float
    pitch: float
    guides: set[int]
    """Marks that go from top to bottom."""
    foot: set[int]
    """Marks that stand below the bottom."""
    rows: list[PlacedRow] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    width: float
    height: float
    marks: list[Mark] = field(default_factory=list)
    hover: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    """Zones (x, y, width, height) and what is said when a pointer rests there."""
    time: TimeFrame | None = None
    choice: RowFrame | None = None

    def add(self, *marks: Mark) -> None:
        self.marks.extend(marks)


def text_width(text: str, size: float) -> float:
    """A safe guess of how wide ``text`` is: layout must not depend on the reader's fonts."""
    narrow = sum(character in "iljtf.,:;'|!() " for character in text)
    return size * (0.61 * (len(text) - narrow) + 0.34 * narrow)


def polygon(marker: Marker) -> list[Point]:
    """Corners of a marker's shape (a circle is drawn as one, its corners are empty)."""
    x, y, r = marker.x, marker.y, marker.size
    if marker.shape == "square":
        s = r * 0.88
        return [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)]
    if marker.shape == "triangle":
        return [(x, y - r * 1.15), (x + r * 1.1, y + r * 0.8), (x - r * 1.1, y + r * 0.8)]
    if marker.shape == "diamond":
        return [(x, y - r * 1.25), (x + r * 1.25, y), (x, y + r * 1.25), (x - r * 1.25, y)]
    if marker.shape == "cross":
        a, b = r * 0.35, r * 1.15
        return [
            (x - b, y - a),
            (x - a, y - a),
            (x - a, y - b),
            (x + a, y - b),
            (x + a, y - a),
            (x + b, y - a),
            (x + b, y + a),
            (x + a, y + a),
            (x + a, y + b),
            (x - a, y + b),
            (x - a, y + a),
            (x - b, y + a),
        ]
    return []
