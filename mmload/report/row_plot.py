"""Rows under one another: bars from 0, or points with their intervals; a reader may choose a group of them.

Not aware of latency, load or quality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmload.report.axes import Scale
from mmload.report.plot import NARROW, Key, Plot
from mmload.report.scene import Boxes, Line, Marker, PlacedRow, RowFrame, Scene, Text, text_width


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a row plot: a label, a value with its interval or bar parts, and how to write it."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    """Written at the right end."""
    role: str = "blue"
    shape: str = "circle"
    parts: Sequence[tuple[float, str]] = ()
    """Stacked parts of a bar: (length, role)."""
    group: str = ""
    order: int = 0
    """Its place among the rows of its group, if a reader chooses that."""


def rows(
    width: float,
    data: Sequence[Row],
    scale: Scale,
    *,
    label: Callable[[float], str],
    bars: bool = False,
    limit: tuple[float, str] | None = None,
    limit_role: str = "red",
    keys: Sequence[Key] = (),
    more: Sequence[Row] = (),
) -> Scene:
    """Rows under one another: bars from 0, or a point with its interval (dot and whisker).

    ``more`` are seen only by a reader who chooses their group.
    """
    narrow = width < NARROW
    font = 13.0 if narrow else 12.0
    pitch = 46.0 if narrow else 30.0
    left, right = _row_frame(width, [*data, *more], font, narrow)
    probe = Plot(width, 400, scale, scale, x_label=str, y_label=lambda _: "", keys=keys, left=0)
    head = (probe.top if keys else 6) + (font + 8 if limit else 0)
    bottom = head + pitch * len(data)
    scene = Scene(width, bottom + font + 16)
    if keys:
        scene.add(*[m for m in probe.scene.marks if _above(m, probe.top - 6)])

    def px(value: float) -> float:
        return left + scale(value) * (right - left)

    guides, foot = _row_axis(scene, scale, px, label, (head, bottom), font, 4 if narrow else 7)

    def draw(into: Scene, row: Row, at: int) -> None:
        _row(into, row, px, head + pitch * (at + 1) - 13 if narrow else head + pitch * (at + 0.5), bars=bars)

    def write(into: Scene, row: Row, at: int) -> None:
        _row_words(into, row, px(0) if bars else 0, head + pitch * at, pitch, font, narrow=narrow)

    marks = _each(scene, data, draw)
    if limit:
        guides.add(len(scene.marks))
        _row_limit(scene, px(limit[0]), limit[1], limit_role, (head, bottom), font)
    words = _each(scene, data, write)
    if any(row.group for row in data):
        placed = [PlacedRow(r.group, r.order, at, marks[at] | words[at]) for at, r in enumerate(data)]
        for row in more:
            aside = Scene(width, pitch)
            draw(aside, row, 0)
            write(aside, row, 0)
            placed.append(PlacedRow(row.group, row.order, 0, aside.marks))
        scene.choice = RowFrame(head, bottom, pitch, guides, foot, placed)
    return scene


def _each(scene: Scene, data: Sequence[Row], draw: Callable[[Scene, Row, int], None]) -> list[set[int]]:
    """Draw every row; gives which marks are whose."""
    own = []
    for at, row in enumerate(data):
        first = len(scene.marks)
        draw(scene, row, at)
        own.append(set(range(first, len(scene.marks))))
    return own


def _row_limit(
    scene: Scene, at: float, label: str, role: str, span: tuple[float, float], font: float
) -> None:
    scene.add(Line([(at, span[0] - 2), (at, span[1])], role, 1.5, "7 4"))
    half = text_width(label, font) / 2
    scene.add(
        Text(
            min(max(at, half), scene.width - half), span[0] - 7, label, role=role, anchor="middle", size=font
        )
    )


def _above(mark: object, y: float) -> bool:
    match mark:
        case Text():
            return mark.y < y
        case Line():
            return all(p is not None and p[1] < y for p in mark.points)
        case Marker():
            return mark.y < y
        case Boxes():
            return all(box[1] + box[3] < y for box in mark.boxes)
    return False


def _row_frame(width: float, data: Sequence[Row], font: float, narrow: bool) -> tuple[float, float]:
    notes = max((text_width(row.note, font) for row in data), default=0)
    if narrow:
        return 4, width - 8
    labels = max((text_width(row.label, font) for row in data), default=0)
    return min(labels + 14, width * 0.34), width - notes - 18


def _row_axis(
    scene: Scene,
    scale: Scale,
    px: Callable[[float], float],
    label: Callable[[float], str],
    span: tuple[float, float],
    font: float,
    ticks: int,
) -> tuple[set[int], set[int]]:
    """Draw it; gives which marks are its lines, and which its words."""
    head, bottom = span
    values, first = scale.ticks(ticks), len(scene.marks)
    for value in values:
        scene.add(Line([(px(value), head), (px(value), bottom)], "grid", 1))
    lines, free_from = len(scene.marks), 0.0
    for value in values:
        half = text_width(label(value), font) / 2
        centre = min(max(px(value), half), scene.width - half)
        if centre - half >= free_from:
            scene.add(Text(centre, bottom + font + 6, label(value), anchor="middle", size=font))
            free_from = centre + half + 8
    return set(range(first, lines)), set(range(lines, len(scene.marks)))


def _row_words(
    scene: Scene, row: Row, zero: float, top: float, pitch: float, font: float, *, narrow: bool
) -> None:
    at = top + 17 if narrow else top + pitch / 2 + font * 0.36
    beside = zero > 0 and not narrow
    scene.add(
        Text(
            zero - 10 if beside else 0,
            at,
            row.label,
            role="ink",
            size=font,
            halo=True,
            anchor="end" if beside else "start",
        )
    )
    scene.add(Text(scene.width, at, row.note, role="soft", anchor="end", size=font, halo=True))


def _row(scene: Scene, row: Row, px: Callable[[float], float], middle: float, *, bars: bool) -> None:
    if row.value is None:
        return
    if bars:
        start = px(0)
        for length, role in row.parts or [(row.value, row.role)]:
            end = start + px(length) - px(0)
            scene.add(Boxes([(start, middle - 7, max(end - start, 0.75), 14)], role))
            start = end
    if row.low is not None and row.high is not None:
        a, b = px(row.low), px(row.high)
        scene.add(Line([(a, middle), (b, middle)], row.role if not bars else "ink", 2))
        scene.add(Line([(a, middle - 4), (a, middle + 4)], row.role if not bars else "ink", 2))
        scene.add(Line([(b, middle - 4), (b, middle + 4)], row.role if not bars else "ink", 2))
    if not bars:
        scene.add(Marker(px(row.value), middle, row.role, row.shape, 5))
