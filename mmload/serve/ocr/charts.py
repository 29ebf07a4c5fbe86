"""Rules for charts whose values are printed; what must be measured on an axis is left unanswered. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mmload.serve.ocr.page import Line, Page, plain

_NUMBER = re.compile(r"^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$|^-?\d+(?:\.\d+)?$")
_SLICE = re.compile(r"^(.*\D)\s+(-?[\d,]+(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True)
class _Bar:
    category: str
    value: float
    text: str


def number(text: str) -> float | None:
    return float(text.strip().replace(",", "")) if _NUMBER.match(text.strip()) else None


def value(page: Page, category: str) -> dict[str, Any] | None:
    """The printed value of one category."""
    bars = _slices(page) or _bars(page)
    bar = next((bar for bar in bars if plain(bar.category) == plain(category)), None)
    if bar is None:
        return None
    amount: float | int = int(bar.value) if bar.value == int(bar.value) else bar.value
    return {"value": amount, "unit": _unit(page, bars), "series": None, "category": bar.category}


def extreme(page: Page, largest: bool) -> dict[str, Any] | None:
    """The category with the largest or smallest printed value, of at least three."""
    bars = _slices(page) or _bars(page)
    if len(bars) < 3:
        return None
    chosen = (max if largest else min)(bars, key=lambda bar: bar.value)
    return {"value": chosen.category, "unit": None, "series": None, "category": chosen.category}


def _slices(page: Page) -> list[_Bar]:
    """A pie's legend: name and value in one line."""
    found = [(line, _SLICE.match(line.text.strip())) for line in page.lines]
    bars = []
    for line, match in found:
        if match and not re.search(r"\bRef\b|\bby\b", line.text):
            amount = number(match[2])
            if amount is not None:
                bars.append(_Bar(match[1].strip(), amount, match[2]))
    return bars if len(bars) >= 3 else []


def _bars(page: Page) -> list[_Bar]:
    """Names along the bottom, each with one number above it.

    Numbers left of the first name are the axis; what stands above the code is not of this chart.
    """
    names = _names(page)
    if len(names) < 2:
        return []
    left = min(name.x0 for name in names) - names[0].height / 2
    spread = min(b.x - a.x for a, b in pairwise(names))
    code = next((line for line in page.lines if re.search(r"\bRef\b", line.text)), None)
    top = code.y if code and code.y < names[0].y0 else 0.0
    figures = [(line, number(line.text)) for line in page.lines if line.y > top]
    above = [(line, n) for line, n in figures if n is not None and line.x > left and line.y < names[0].y0]
    bars = []
    for name in names:
        near = [(line, n) for line, n in above if abs(line.x - name.x) < spread / 2]
        if len(near) != 1:
            return []
        bars.append(_Bar(name.text.strip(), near[0][1], near[0][0].text))
    return bars


def _names(page: Page) -> list[Line]:
    """The lowest row with at least two lines that are no numbers."""
    for line in sorted(page.lines, key=lambda line: -line.y):
        row = [other for other in page.row(line) if number(other.text) is None]
        if len(row) >= 2:
            return row
    return []


def _unit(page: Page, bars: list[_Bar]) -> str | None:
    """What is printed small at the top left of the plot: the last line of words above all values."""
    spoken = {plain(bar.category) for bar in bars} | {plain(bar.text) for bar in bars}
    words = [
        line
        for line in page.lines
        if number(line.text) is None
        and plain(line.text) not in spoken
        and not re.search(r"\bRef\b|\bby\b|\d", line.text)
    ]
    top = [line for line in words if line.text[:1].islower() or "%" in line.text]
    return top[0].text.strip() if top else None
