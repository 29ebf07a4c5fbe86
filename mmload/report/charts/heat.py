"""The heat map of latency: two humps where a percentile shows one line."""

from __future__ import annotations

import math
from typing import Any

from mmload.report.axes import decades
from mmload.report.charts.backdrop import MOST_POINTS, burst_keys, over_time_plot
from mmload.report.measured import Measured
from mmload.report.plot import NARROW, Key, Plot
from mmload.report.scene import Boxes, Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import clock, ms, ms_tick

LEVELS = (0.10, 0.22, 0.36, 0.52, 0.70, 1.0)
"""Opacities of a heat map's steps: one hue, so that it reads without colour vision and in the dark."""


def over_time(measured: Measured) -> Chart:
    """How many requests took how long, over time: shows two humps where a percentile shows one line."""
    found = measured.series.get("heat") or {}
    times, edges, counts = found.get("t_s") or [], found.get("edges_ms") or [], found.get("counts") or []
    title = "Latency heat map"
    if not counts or len(edges) < 2:
        table = Table(title, ["Latency"], [])
        return Chart("latency-heat", title, "", table, absent="No requests to count")
    times, counts = _coarser(list(times), [list(row) for row in counts], MOST_POINTS // 2)
    low, high = _occupied(edges, counts)
    step = times[1] - times[0] if len(times) > 1 else 1.0
    scale = decades(max(low, 0.1), high)
    levels = _levels(counts)

    def draw(width: float) -> Scene:
        keys = [Key(label, "blue", fill=opacity, width=0) for label, opacity in levels]
        keys = keys[:: max(1, len(keys) // 2)] if width < NARROW else keys
        plot = over_time_plot(
            measured,
            width,
            300,
            scale,
            ms_tick,
            "end to end; requests by how long they took",
            [*keys, *burst_keys(measured)],
            y_ticks=8,
        )
        plot.scene.add(*_cells(plot, times, step, edges, counts))
        plot.limit(measured.slo_ms, f"objective {ms(measured.slo_ms)}")
        plot.zones(
            [
                (t, t + step, _say(t, step, edges, row))
                for t, row in zip(times, counts, strict=True)
                if any(row)
            ]
        )
        return plot.scene

    desc = f"Requests counted by time and latency, from {ms(low)} to {ms(high)}."
    note = f"Each cell covers {step:g} s. Stronger colour is more requests."
    return Chart("latency-heat", title, desc, _heat_table(times, edges, counts), draw, note=note)


def _say(start: float, step: float, edges: list[float], row: list[int]) -> str:
    """One column in words: how many, from where to where, and the cell that holds most."""
    used = [i for i, n in enumerate(row) if n]
    most = max(used, key=lambda i: row[i])
    return (
        f"{clock(start)} to {clock(start + step)}\n{sum(row):,} requests\n"
        f"{ms(edges[used[0]])} to {ms(edges[used[-1] + 1])}\n"
        f"most ({row[most]:,}): {ms(edges[most])} to {ms(edges[most + 1])}"
    )


def _coarser(times: list[float], counts: list[list[int]], most: int) -> tuple[list[float], list[list[int]]]:
    """Add neighbouring columns until at most ``most`` are left. Counts add up exactly."""
    size = math.ceil(len(times) / most)
    if size <= 1:
        return times, counts
    groups = range(0, len(times), size)
    return [times[g] for g in groups], [
        [sum(cell) for cell in zip(*counts[g : g + size], strict=True)] for g in groups
    ]


def _occupied(edges: list[float], counts: list[list[int]]) -> tuple[float, float]:
    used = [i for i in range(len(edges) - 1) if any(row[i] for row in counts)]
    return (edges[used[0]], edges[used[-1] + 1]) if used else (edges[0], edges[-1])


def _level(value: int, peak: int) -> int:
    """Step on a square-root ladder: counts of 1 stay visible beside counts of hundreds."""
    return min(len(LEVELS) - 1, int(math.sqrt(value / peak) * len(LEVELS)))


def _levels(counts: list[list[int]]) -> list[tuple[str, float]]:
    """Legend: the counts that fall on each step, for the steps that occur."""
    peak = max(max(row) for row in counts) or 1
    bounds: dict[int, list[int]] = {}
    for value in {cell for row in counts for cell in row if cell}:
        bounds.setdefault(_level(value, peak), []).append(value)
    return [
        (f"{min(v)}" if min(v) == max(v) else f"{min(v)} to {max(v)}", LEVELS[k])
        for k, v in sorted(bounds.items())
    ]


def _cells(
    plot: Plot, times: list[float], step: float, edges: list[float], counts: list[list[int]]
) -> list[Boxes]:
    peak = max(max(row) for row in counts) or 1
    boxes: list[list[tuple[float, float, float, float]]] = [[] for _ in LEVELS]
    for time, row in zip(times, counts, strict=True):
        x, wide = plot.px(time), plot.px(time + step) - plot.px(time)
        for index, value in enumerate(row):
            if value:
                top, bottom = plot.py(edges[index + 1]), plot.py(edges[index])
                boxes[_level(value, peak)].append((x, top, max(wide, 0.6), max(bottom - top, 0.6)))
    return [Boxes(found, "blue", LEVELS[level]) for level, found in enumerate(boxes) if found]


def _heat_table(times: list[float], edges: list[float], counts: list[list[int]]) -> Table:
    """The map folded to at most 12 stretches of time and the latency bands that occur, a factor of 2 each."""
    times, counts = _coarser(times, counts, 12)
    bands: dict[int, list[int]] = {}
    for index in range(len(edges) - 1):
        if any(row[index] for row in counts):
            bands.setdefault(math.floor(math.log2(max(edges[index], 0.1))), []).append(index)
    rows: list[list[Any]] = [
        [f"{ms(edges[cells[0]])} to {ms(edges[cells[-1] + 1])}"]
        + [f"{sum(row[i] for i in cells):,}" for row in counts]
        for _, cells in sorted(bands.items())
    ]
    return Table("Requests by latency and time", ["Latency", *[clock(t) for t in times]], rows)
