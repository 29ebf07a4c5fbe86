"""Painters of charts on a dashboard card: bars, grouped bars, lines, pie.

A chart is described by its data first; the painter says where each label and mark stands, and how many
pixels one unit has. Not aware of questions, answers or scores.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Final

from mmload.tasks.canvas import Box, Canvas, LayoutError, Text, blend

KINDS: Final = ("bar", "grouped", "line", "pie")


@dataclass(slots=True)
class Data:
    kind: str
    title: str
    unit: str
    categories: list[str]
    series: list[str]
    values: list[list[float]]
    """By series, then by category."""
    labelled: bool
    """Values are printed beside their marks."""
    nonce: str = ""
    hide_labels: bool = False
    """Categories are not named."""
    hide_legend: bool = False


@dataclass(slots=True)
class Chart:
    canvas: Canvas
    labels: dict[str, Text] = field(default_factory=dict)
    """``nonce``, ``title``, ``cat:NAME``, ``series:NAME``, ``value:S/C``, ``axis``."""
    marks: dict[str, Box] = field(default_factory=dict)
    """``S/C`` -> the bar, point or slice."""
    per_unit: float = 0.0
    """Pixels of one unit of value; 0 where values are printed or angles."""


def number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def ceiling(top: float) -> tuple[float, float]:
    """A round axis maximum and its step: 4 to 6 ticks."""
    raw = top / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(m for m in (1, 2, 2.5, 5, 10) if m * power >= raw) * power
    return step * math.ceil(top / step * 1.0001), step


def paint(rng: random.Random, data: Data, canvas: Canvas) -> Chart:
    """The chart on a card that fills the canvas, with headline figures where there is room."""
    c, t, em = canvas, canvas.theme, canvas.em
    chart = Chart(c)
    tiny = c.width < 20 * em
    pad = 0.25 * em if tiny else 0.9 * em
    card = Box(pad, pad, c.width - pad, c.height - pad)
    if c.width > 40 * em and c.height > 26 * em:
        card = _headline(rng, c, card)
    c.rect(card, t.panel, t.line, radius=0.4 * em)
    left, right, y = card.x0 + 0.7 * em, card.x1 - 0.7 * em, card.y0 + 1.1 * em
    if tiny:
        right, left = card.x1 - 0.35 * em, card.x0 + 0.35 * em
    ref = c.measure("Ref ", 1.2) + c.measure(data.nonce or "", 1.2, "bold")
    narrow = c.measure(data.title, 1.1, "bold") + ref + 1.5 * em > right - left
    chart.labels["title"] = c.text(
        left, y, c.fit(data.title, right - left, 1.1, "bold"), scale=1.1, face="bold", anchor="lm"
    )
    if narrow:
        y += 1.45 * em
    if data.nonce:
        x = left if narrow else right - ref
        c.text(x, y, "Ref", fill=t.muted, anchor="lm", scale=1.2)
        chart.labels["nonce"] = c.text(
            x + c.measure("Ref ", 1.2), y, data.nonce, face="bold", scale=1.2, anchor="lm"
        )
    y += 1.15 * em
    if data.kind == "pie":
        _pie(data, chart, Box(left, y, right, card.y1 - 0.5 * em))
        return chart
    if len(data.series) > 1:
        y = _legend(data, chart, left, right, y + 0.5 * em)
    _axes(data, chart, Box(left, y + 0.6 * em, right, card.y1 - 0.4 * em))
    return chart


def _headline(rng: random.Random, c: Canvas, card: Box) -> Box:
    """A row of small figure cards above; gives what is left of the space."""
    t, em = c.theme, c.em
    count = min(4, int(card.width / (11 * em)))
    gap = 0.8 * em
    width = (card.width - gap * (count - 1)) / count
    names = rng.sample(("Visits", "Sign-ups", "Tickets", "Refunds", "Uptime", "Latency"), count)
    for k, name in enumerate(names):
        x = card.x0 + k * (width + gap)
        c.rect((x, card.y0, x + width, card.y0 + 4.6 * em), t.panel, t.line, radius=0.4 * em)
        c.text(x + 0.9 * em, card.y0 + 1.3 * em, name, fill=t.muted, anchor="lm")
        figure = (
            f"{rng.randint(11, 99)}.{rng.randint(0, 9)}%"
            if name == "Uptime"
            else f"{rng.randint(100, 9900):,}"
        )
        c.text(x + 0.9 * em, card.y0 + 3.1 * em, figure, scale=1.4, face="bold", anchor="lm")
        c.text(
            x + width - 0.9 * em,
            card.y0 + 3.1 * em,
            f"{rng.choice('+-')}{rng.randint(1, 19)}%",
            anchor="rm",
            fill=t.accent,
        )
    return Box(card.x0, card.y0 + 4.6 * em + gap, card.x1, card.y1)


def _legend(data: Data, chart: Chart, left: float, right: float, y: float) -> float:
    if data.hide_legend:
        return y + 0.5 * chart.canvas.em
    c, em, x = chart.canvas, chart.canvas.em, left
    for k, name in enumerate(data.series):
        if x + 1.1 * em + c.measure(name) > right:
            x, y = left, y + 1.4 * em
        c.rect((x, y - 0.4 * em, x + 0.8 * em, y + 0.4 * em), c.theme.series[k], radius=0.15 * em)
        label = c.text(x + 1.1 * em, y, name, anchor="lm")
        chart.labels[f"series:{name}"] = label
        x = label.box.x1 + 1.1 * em
    return y + 0.5 * em


def _axes(data: Data, chart: Chart, area: Box) -> None:
    c, t, em = chart.canvas, chart.canvas.theme, chart.canvas.em
    top, step = ceiling(max(max(row) for row in data.values) * (1.12 if data.labelled else 1.0))
    ticks = [k * step for k in range(round(top / step) + 1)]
    gutter = max(c.measure(number(v)) for v in ticks) + 0.6 * em
    unit = c.text(area.x0, area.y0 + 0.5 * em, data.unit, fill=t.muted, anchor="lm")
    plot = Box(area.x0 + gutter, area.y0 + 1.9 * em, area.x1, area.y1 - 1.5 * em)
    if plot.height < 3 * em:
        raise LayoutError("no room for the plot")
    chart.labels["unit"] = unit
    chart.per_unit = 0.0 if data.labelled else plot.height / top
    every = max(1, math.ceil(1.35 * em * (len(ticks) - 1) / plot.height))
    for k, value in enumerate(ticks):
        y = plot.y1 - value / top * plot.height
        c.rule(plot.x0, y, plot.x1, y, blend(t.panel, t.line, 0.8))
        if k % every == 0:
            chart.labels["axis"] = c.text(plot.x0 - 0.4 * em, y, number(value), fill=t.muted, anchor="rm")
    slot = plot.width / len(data.categories)
    for k, name in enumerate(data.categories):
        if not data.hide_labels:
            if c.measure(name) > slot - 0.2 * em:
                raise LayoutError(f"no room for the label {name!r}")
            chart.labels[f"cat:{name}"] = c.text(
                plot.x0 + (k + 0.5) * slot, plot.y1 + 0.85 * em, name, anchor="mm"
            )
    draw = _lines if data.kind == "line" else _bars
    draw(data, chart, plot, top)
    c.rule(plot.x0, plot.y1, plot.x1, plot.y1, t.muted)


def _bars(data: Data, chart: Chart, plot: Box, top: float) -> None:
    c, em = chart.canvas, chart.canvas.em
    slot = plot.width / len(data.categories)
    wide = slot * 0.72 / len(data.series)
    for s, row in enumerate(data.values):
        for k, value in enumerate(row):
            x = plot.x0 + (k + 0.14) * slot + s * wide
            box = Box(x, plot.y1 - value / top * plot.height, x + wide * 0.94, plot.y1)
            c.rect(box, c.theme.series[s])
            key = f"{data.series[s]}/{data.categories[k]}"
            chart.marks[key] = box
            if data.labelled:
                if c.measure(number(value)) > max(wide, slot / len(data.series)) - 0.15 * em:
                    raise LayoutError("no room for the value labels")
                chart.labels[f"value:{key}"] = c.text(
                    box.centre[0], box.y0 - 0.75 * em, number(value), anchor="mm"
                )


def _lines(data: Data, chart: Chart, plot: Box, top: float) -> None:
    c, em = chart.canvas, chart.canvas.em
    slot = plot.width / len(data.categories)
    for s, row in enumerate(data.values):
        points = [(plot.x0 + (k + 0.5) * slot, plot.y1 - v / top * plot.height) for k, v in enumerate(row)]
        c.draw.line(
            [(round(x), round(y)) for x, y in points], fill=c.theme.series[s], width=max(2, round(em / 7))
        )
        for k, (x, y) in enumerate(points):
            r = 0.28 * em
            c.draw.ellipse((round(x - r), round(y - r), round(x + r), round(y + r)), fill=c.theme.series[s])
            key = f"{data.series[s]}/{data.categories[k]}"
            chart.marks[key] = Box(x - r, y - r, x + r, y + r)
            if data.labelled:
                if c.measure(number(row[k])) > slot - 0.15 * em:
                    raise LayoutError("no room for the value labels")
                chart.labels[f"value:{key}"] = c.text(x, y - 0.95 * em, number(row[k]), anchor="mm")


def _pie(data: Data, chart: Chart, area: Box) -> None:
    """Slices with a legend at the side that prints each share."""
    c, t, em = chart.canvas, chart.canvas.theme, chart.canvas.em
    row = data.values[0]
    lines = [f"{name}  {number(v)}" for name, v in zip(data.categories, row, strict=True)]
    need = max(c.measure(line) for line in lines) + 2.2 * em
    beside = area.width - need > 7 * em
    size = (
        min(area.height - 1.6 * em, area.width - need - em)
        if beside
        else min(area.height - 1.4 * em * (len(row) + 1), area.width)
    )
    if size < 2.6 * em:
        raise LayoutError("no room for the pie")
    cx = area.x0 + (area.width - need) / 2 if beside else area.centre[0]
    cy = (
        area.y0
        + (area.height - (0 if beside else 1.4 * em * len(row) + 1.3 * em)) / 2
        + (0.6 * em if beside else 0.7 * em)
    )
    box = (round(cx - size / 2), round(cy - size / 2), round(cx + size / 2), round(cy + size / 2))
    start = -90.0
    for k, value in enumerate(row):
        end = start + 360 * value / sum(row)
        c.draw.pieslice(box, start, end, fill=t.series[k], outline=t.panel, width=max(1, round(em / 10)))
        middle = math.radians((start + end) / 2)
        x, y = cx + math.cos(middle) * size * 0.34, cy + math.sin(middle) * size * 0.34
        chart.marks[f"{data.series[0]}/{data.categories[k]}"] = Box(x - 2, y - 2, x + 2, y + 2)
        start = end
    x = area.x1 - need + 0.4 * em if beside else area.x0
    y = cy - 0.75 * em * (len(row) - 1) if beside else box[3] + 1.9 * em
    chart.labels["unit"] = c.text(area.x0, area.y0 + 0.3 * em, data.unit, fill=t.muted, anchor="lm")
    for k, name in enumerate(data.categories):
        c.rect((x, y - 0.4 * em, x + 0.8 * em, y + 0.4 * em), t.series[k], radius=0.15 * em)
        if not data.hide_labels:
            label = c.text(x + 1.1 * em, y, name, anchor="lm")
            chart.labels[f"cat:{name}"] = label
            key = f"value:{data.series[0]}/{name}"
            chart.labels[key] = c.text(label.box.x1 + 0.8 * em, y, number(row[k]), anchor="lm", face="bold")
        y += (1.5 if beside else 1.4) * em
