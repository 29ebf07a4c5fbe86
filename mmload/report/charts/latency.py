"""Plots of latency: the whole percentile range, and how it moved over time."""

from __future__ import annotations

import itertools
import math
from typing import Any

from mmload.report.axes import Tail, decades, up_to
from mmload.report.charts.backdrop import (
    MOST_POINTS,
    MOST_ROWS,
    STRIP,
    burst_keys,
    covered,
    draw_phases,
    phase_of,
    stretch,
    time_axis,
    x_label,
)
from mmload.report.measured import Measured, highest, median
from mmload.report.plot import NARROW, Key, Plot
from mmload.report.scene import Boxes, Line, Marker, Scene, Text, text_width
from mmload.report.table import Chart, Table
from mmload.report.wording import (
    LATENCY_NAMES,
    MIN_SAMPLES,
    PERCENTILE_NAMES,
    clock,
    ms,
    ms_tick,
    why_uncertified,
)

DUE = Key("end to end, from the due time", "blue", shape="circle", width=2.25)
SERVICE = Key("service, from the actual send", "orange", "7 3", shape="triangle", width=2)


def spectrum(measured: Measured) -> Chart:
    """Latency by percentile on the axis of the HdrHistogram plotter, ``e2e`` and ``service`` side by side."""
    curves = [(key, _curve(measured, name)) for key, name in ((DUE, "e2e"), (SERVICE, "service"))]
    curves = [(key, points) for key, points in curves if points]
    table = _percentile_table(measured)
    title = "Latency by percentile"
    if not curves:
        return Chart("spectrum", title, "", table, absent="No request was answered")
    samples = max(int(points[-1][2]) for _, points in curves)
    axis = Tail(max(1.0, math.ceil(2 * math.log10(max(samples, 2))) / 2))
    peak = max(points[-1][1] for _, points in curves)
    slo = measured.slo_ms
    scale = up_to(max(peak, slo if slo < 3 * peak else 0) * 1.05)
    certified = _certified(samples)

    def draw(width: float) -> Scene:
        plot = Plot(
            width,
            360,
            axis,
            scale,
            x_label=_percent_tick,
            y_label=ms_tick,
            y_title="latency",
            x_title="percentile; every nine is equally wide",
            keys=[k for k, _ in curves],
        )
        if axis(certified) < 1:
            _mark_uncertified(plot, certified)
        plot.limit(slo, f"objective {ms(slo)}")
        for key, points in curves:
            plot.line(_steps(points), key)
        plot.zones(_spectrum_zones(curves))
        return plot.scene

    e2e = measured.part("latency_ms", "e2e")
    desc = (
        f"End to end: median {ms(e2e.get('p50'))}, p95 {ms(e2e.get('p95'))}, p99 {ms(e2e.get('p99'))}, "
        f"highest {ms(e2e.get('max'))}."
    )
    note = (
        "Where the two curves part, requests waited before they could be sent: for a lane, a connection or a "
        f"stalled target. Right of {_percent_tick(certified)} the sample of {samples:,} certifies nothing."
    )
    return Chart("spectrum", title, desc, table, draw, note=note)


def _curve(measured: Measured, name: str) -> list[tuple[float, float, int]]:
    found = (measured.series.get("spectrum") or {}).get(name) or []
    return [(float(p), float(v), int(n)) for p, v, n in found]


def _steps(points: list[tuple[float, float, int]]) -> list[tuple[float, float | None]]:
    thinned = points if len(points) <= 400 else points[:: math.ceil(len(points) / 400)] + points[-1:]
    return [(p, v) for p, v, _ in thinned]


def _certified(samples: int) -> float:
    """The highest usual percentile that so many samples certify (rule in ``wording.MIN_SAMPLES``)."""
    levels = {"p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
    held = [p for name, p in levels.items() if samples >= MIN_SAMPLES[name]]
    return max(held, default=50.0)


def _mark_uncertified(plot: Plot, certified: float) -> None:
    a = plot.px(certified)
    plot.scene.add(Boxes([(a, plot.top, plot.right - a, plot.bottom - plot.top)], "wash"))
    for label in ("too few samples to certify", "too few samples", "uncertified"):
        if text_width(label, plot.font - 1) + 10 < plot.right - a:
            plot.scene.add(Text(a + 6, plot.bottom - 8, label, size=plot.font - 1))
            return


def _percent_tick(value: float) -> str:
    return f"{value:.6g}%"


def _spectrum_zones(
    curves: list[tuple[Key, list[tuple[float, float, int]]]],
) -> list[tuple[float, float, str]]:
    stops = [
        0.0,
        25,
        50,
        75,
        80,
        85,
        90,
        92.5,
        95,
        96,
        97,
        98,
        98.5,
        99,
        99.3,
        99.6,
        99.9,
        99.95,
        99.99,
        99.999,
        100,
    ]
    zones = []
    for start, end in itertools.pairwise(stops):
        said = [f"p{end:g}" if end < 100 else "highest"]
        said += [f"{key.label.split(',')[0]} {ms(_at(points, end))}" for key, points in curves]
        zones.append((start, end, "\n".join(said)))
    return zones


def _at(points: list[tuple[float, float, int]], percentile: float) -> float:
    return next((v for p, v, _ in points if p >= percentile - 1e-9), points[-1][1])


def _percentile_table(measured: Measured) -> Table:
    columns = ["p50", "p90", "p95", "p99", "p999"]
    rows, notes = [], []
    for name, label in LATENCY_NAMES.items():
        found = measured.part("latency_ms", name)
        if not found:
            notes.append(f"{label}: not measured.")
            continue
        rows.append(
            [
                label,
                f"{found.get('n') or 0:,}",
                ms(found.get("mean")),
                *[ms(found.get(c)) for c in columns],
                ms(found.get("max")),
            ]
        )
        notes += [
            f"{label} {PERCENTILE_NAMES[c]}: {why_uncertified(found, c)}."
            for c in columns
            if found.get(c) is None and found.get("n")
        ]
        if not found.get("n"):
            notes.append(f"{label}: not measured.")
    head = ["Latency", "n", "Mean", *[PERCENTILE_NAMES[c] for c in columns], "Max"]
    return Table("Latency percentiles", head, rows, notes)


P50 = Key("p50", "sky", shape="circle", width=1.75)
P95 = Key("p95", "blue", shape="square", width=2)
P99 = Key("p99", "orange", shape="triangle", width=1.75)
MAX = Key("highest", "axis", "2 3", width=1.25)


def over_time(measured: Measured) -> Chart:
    """p50, p95, p99 and the highest latency by due second, with phases, burst bands and objective."""
    parts = measured.bins(120)
    columns: dict[str, list[float | None]] = {
        name: [(highest if name == "max" else median)(measured.second(f"e2e_{name}_ms")[p]) for p in parts]
        for name in ("p50", "p95", "p99", "max")
    }
    table = _time_table(measured)
    title = "Latency over time"
    everything = [v for column in columns.values() for v in column if v]
    if not everything:
        return Chart("latency-time", title, "", table, absent="No per-second latency was recorded")
    slo = measured.slo_ms
    scale = decades(min(everything) * 0.9, max([*everything, slo if slo < 10 * max(everything) else 0]))
    middle = [sum(stretch(measured, p)) / 2 for p in parts]
    keys = {"p50": P50, "p95": P95, "p99": P99, "max": MAX}
    shown = {name: key for name, key in keys.items() if any(v is not None for v in columns[name])}

    def draw(width: float) -> Scene:
        plot = Plot(
            width,
            320,
            time_axis(measured),
            scale,
            x_label=x_label,
            strip=STRIP,
            y_label=ms_tick,
            y_ticks=8,
            y_title="end to end, from the due time (logarithmic)",
            keys=[*shown.values(), *burst_keys(measured)],
        )
        draw_phases(plot, measured)
        plot.limit(slo, f"objective {ms(slo)}")
        for name in reversed(shown):
            _draw_percentile(plot, list(zip(middle, columns[name], strict=True)), shown[name])
        plot.zones([(*stretch(measured, p), _say(measured, columns, p, i)) for i, p in enumerate(parts)])
        return plot.scene

    note = (
        f"Each point covers {covered(measured, parts)}: its middle second, and for the highest its worst. "
        "No point where a second held too few requests."
    )
    return Chart(
        "latency-time", title, f"p95 moved between {_range(columns['p95'])}.", table, draw, note=note
    )


def _draw_percentile(plot: Plot, points: list[tuple[float, float | None]], key: Key) -> None:
    """A line; where too few requests leave gaps, its points, joined faintly to be followed by eye."""
    seen = [(x, y) for x, y in points if y is not None]
    if len(seen) > 0.8 * len(points):
        plot.line(points, key)
        return
    joined = [(plot.px(x), plot.py(y)) for x, y in seen]
    plot.scene.add(Line(joined, key.role, 1.25, "2 3", opacity=0.7))
    plot.scene.add(*[Marker(x, y, key.role, key.shape or "circle", 3) for x, y in joined])


def _range(values: list[float | None]) -> str:
    seen = [v for v in values if v is not None]
    return f"{ms(min(seen))} and {ms(max(seen))}" if seen else "unknown bounds"


def _say(measured: Measured, columns: dict[str, list[float | None]], part: slice, index: int) -> str:
    head = f"{clock(stretch(measured, part)[0])} {phase_of(measured, part)}"
    return head + "".join(f"\n{name} {ms(column[index])}" for name, column in columns.items())


def _time_table(measured: Measured) -> Table:
    rows = [
        [clock(stretch(measured, p)[0]), phase_of(measured, p)]
        + [ms(median(measured.second(f"e2e_{name}_ms")[p])) for name in ("p50", "p95", "p99")]
        + [ms(highest(measured.second("e2e_max_ms")[p]))]
        for p in measured.bins(MOST_ROWS)
    ]
    return Table(
        "End-to-end latency over time", ["From", "Phase", "p50", "p95", "p99", "Max"], rows, text_columns=2
    )


LEVELS = (0.10, 0.22, 0.36, 0.52, 0.70, 1.0)
"""Opacities of a heat map's steps: one hue, so that it reads without colour vision and in the dark."""


def heat(measured: Measured) -> Chart:
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
        plot = Plot(
            width,
            300,
            time_axis(measured),
            scale,
            x_label=x_label,
            strip=STRIP,
            y_label=ms_tick,
            y_ticks=8,
            keys=keys,
            y_title="end to end; requests by how long they took",
        )
        draw_phases(plot, measured)
        plot.scene.add(*_cells(plot, times, step, edges, counts))
        plot.limit(measured.slo_ms, f"objective {ms(measured.slo_ms)}")
        return plot.scene

    desc = f"Requests counted by time and latency, from {ms(low)} to {ms(high)}."
    note = f"Each cell covers {step:g} s. Stronger colour is more requests."
    return Chart("latency-heat", title, desc, _heat_table(times, edges, counts), draw, note=note)


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
