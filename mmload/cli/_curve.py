"""Planned traffic drawn with characters, for a terminal or a log.

Not aware of profiles: it is given numbers over time and the phases' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = "    ....#"
_SHADE: Final = "░"
_LABEL_WIDTH: Final = 8


class Stretch(NamedTuple):
    """A named part of the time axis, in seconds."""

    name: str
    start_s: float
    end_s: float


def chart(
    values: Sequence[float],
    stretches: Sequence[Stretch],
    unit: str,
    *,
    height: int,
    unicode: bool,
    above: Sequence[float] = (),
) -> list[str]:
    """Bars of one value a column over the whole time, the scale at the left, phases below.

    ``height``: rows of the bars. ``above``: second values, shaded where they rise above the bars.
    """
    above = above or values
    top = _round_up(max([*values, *above], default=0.0))
    rows = [_row(values, above, top, row, height, unicode) for row in reversed(range(height))]
    labels = {0: f"{top:,.0f}", height // 2: f"{top * (height - height // 2) / height:,.0f}"}
    lines = [f"{labels.get(n, ''):>{_LABEL_WIDTH}} {_bar(unicode)}{row}" for n, row in enumerate(rows)]
    end_s = max((s.end_s for s in stretches), default=0.0)
    return [f"{unit:>{_LABEL_WIDTH}}", *lines, *_axis(stretches, end_s, len(values), unicode)]


def columns(width: int) -> int:
    """Values that a chart of this width shows."""
    return max(20, width - _LABEL_WIDTH - 3)


def _bar(unicode: bool) -> str:
    return "┤" if unicode else "|"


def _row(
    values: Sequence[float], above: Sequence[float], top: float, row: int, height: int, unicode: bool
) -> str:
    scale = height / top
    return "".join(
        _cell(v * scale - row, a * scale - row, unicode) for v, a in zip(values, above, strict=True)
    )


def _cell(value: float, above: float, unicode: bool) -> str:
    """One character of a bar that fills it by ``value`` (1 is full) and is shaded up to ``above``."""
    eighths = min(8, max(0, round(8 * value)))
    if eighths == 0 and above >= 0.5:
        return _SHADE if unicode else ":"
    return (_EIGHTHS if unicode else _ASCII)[eighths]


def _round_up(value: float) -> float:
    """The next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** len(str(int(value))) / 10.0
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if value <= step * power * (1 + 1e-9))


def _axis(stretches: Sequence[Stretch], end_s: float, width: int, unicode: bool) -> list[str]:
    """The line of phase borders, their names, and their times."""
    line = ["─" if unicode else "-"] * width
    names, times = [" "] * (width + 12), [" "] * (width + 12)
    name_end = time_end = 0
    for number, stretch in enumerate(stretches):
        place = round(width * stretch.start_s / end_s) if end_s else 0
        place = min(place, width - 1)
        line[place] = "┬" if unicode else "+"
        room = round(width * (stretch.end_s - stretch.start_s) / end_s) if end_s else width
        name_end = _write(names, stretch.name[: max(room - 1, 0)], place, name_end)
        time_end = _write(times, f"{stretch.start_s:g}", place, time_end)
        if number == len(stretches) - 1:
            _write(times, f"{end_s:g} s", max(width - 2, time_end), time_end)
    corner = "└" if unicode else "+"
    margin = " " * (_LABEL_WIDTH + 1)
    return [margin + corner + "".join(line), *(f"{margin} {''.join(t).rstrip()}" for t in (names, times))]


def _write(cells: list[str], text: str, place: int, free_from: int) -> int:
    """Put a text into a line unless it would touch the one before; gives where the next may begin."""
    if not text or place < free_from:
        return free_from
    for offset, character in enumerate(text):
        if place + offset < len(cells):
            cells[place + offset] = character
    return place + len(text) + 1
