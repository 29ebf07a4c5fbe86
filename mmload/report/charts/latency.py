"""Plots of latency: the whole percentile range, and how it moved over time."""

from __future__ import annotations

import itertools
import math

from mmload.report.axes import Tail, decades, up_to
from mmload.report.charts.backdrop import (
    MOST_ROWS,
    burst_keys,
    covered,
    middles,
    over_time_plot,
    phase_of,
    stretch,
)
from mmload.report.measured import Measured, highest, median
from mmload.report.plot import Key, Plot
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


Curves = list[tuple[Key, list[tuple[float, float, int]]]]
"""Of each curve how it is drawn, and its points: percentile, milliseconds, requests at or below."""


def spectrum(measured: Measured) -> Chart:
    """Latency by percentile on the axis of the HdrHistogram plotter, ``e2e`` and ``service`` side by side."""
    curves = [(key, _curve(measured, name)) for key, name in ((DUE, "e2e"), (SERVICE, "service"))]
    curves = [(key, points) for key, points in curves if points]
    table = _percentile_table(measured)
    title = "Latency by percentile"
    if not curves:
        return Chart("spectrum", title, "", table, absent="No request was answered")
    samples = max(int(points[-1][2]) for _, points in curves)
    peak = max(points[-1][1] for _, points in curves)
    slo = measured.slo_ms
    top = max(peak, slo if slo < 3 * peak else 0)
    certified = _certified(samples)

    def draw(width: float) -> Scene:
        return _spectrum_scene(width, 360, "latency", curves, top, slo, certified)

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


PHASE_KEYS = (
    ("blue", "circle", ""),
    ("orange", "triangle", "7 3"),
    ("green", "square", "2 3"),
    ("purple", "diamond", "9 3 2 3"),
    ("red", "cross", "4 2"),
    ("soft", "circle", "1 3"),
)


def spectrum_by_phase(measured: Measured) -> Chart:
    """End-to-end latency by percentile, a curve for each of the first six measured phases."""
    warm = {span.name for span in measured.phases() if span.warmup}
    found = {
        name: [(float(p), float(v), int(n)) for p, v, n in curves.get("e2e") or []]
        for name, curves in (measured.series.get("spectrum_by_phase") or {}).items()
        if name not in warm
    }
    curves = [
        (Key(name, role, dash, shape, width=2), points)
        for (name, points), (role, shape, dash) in zip(
            [pair for pair in found.items() if pair[1]], PHASE_KEYS, strict=False
        )
    ]
    title = "Latency by percentile and phase"
    table = _phase_percentiles(measured, [key.label for key, _ in curves])
    if len(curves) < 2:
        return Chart("spectrum-phase", title, "", table, absent="The run has a single phase to draw")
    top = max(points[-1][1] for _, points in curves)

    def draw(width: float) -> Scene:
        return _spectrum_scene(width, 320, "end to end, from the due time", curves, top, measured.slo_ms)

    ends = "; ".join(f"{key.label} up to {ms(points[-1][1])}" for key, points in curves)
    return Chart("spectrum-phase", title, f"{ends}.", table, draw)


def _phase_percentiles(measured: Measured, names: list[str]) -> Table:
    columns = ["p50", "p90", "p95", "p99", "p999"]
    by_name = {
        str(p.get("name")): (p.get("latency_ms") or {}).get("e2e") or {} for p in measured.entries("phases")
    }
    rows = [
        [
            name,
            f"{by_name[name].get('n') or 0:,}",
            *[ms(by_name[name].get(c)) for c in columns],
            ms(by_name[name].get("max")),
        ]
        for name in names
        if name in by_name
    ]
    head = ["Phase", "n", *[PERCENTILE_NAMES[c] for c in columns], "Max"]
    return Table(
        "End-to-end percentiles by phase", head, rows, ["A dash: too few samples in the phase to certify it."]
    )


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


def _spectrum_scene(
    width: float,
    height: float,
    y_title: str,
    curves: Curves,
    top: float,
    slo: float,
    certified: float | None = None,
) -> Scene:
    """Latency up to ``top`` by percentile; what lies right of ``certified`` is shaded."""
    samples = max(points[-1][2] for _, points in curves)
    axis = Tail(max(1.0, math.ceil(2 * math.log10(max(samples, 2))) / 2))
    plot = Plot(
        width,
        height,
        axis,
        up_to(top * 1.05),
        x_label=_percent_tick,
        y_label=ms_tick,
        y_title=y_title,
        x_title="percentile; every nine is equally wide",
        keys=[key for key, _ in curves],
    )
    if certified is not None and axis(certified) < 1:
        _mark_uncertified(plot, certified)
    plot.limit(slo, f"objective {ms(slo)}")
    for key, points in curves:
        plot.line(_steps(points), key)
    plot.zones(_spectrum_zones(curves))
    return plot.scene


def _spectrum_zones(curves: Curves) -> list[tuple[float, float, str]]:
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
    middle = middles(measured, parts)
    keys = {"p50": P50, "p95": P95, "p99": P99, "max": MAX}
    shown = {name: key for name, key in keys.items() if any(v is not None for v in columns[name])}

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured,
            width,
            320,
            scale,
            ms_tick,
            "end to end, from the due time (logarithmic)",
            [*shown.values(), *burst_keys(measured)],
            y_ticks=8,
        )
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


LONGEST_JOIN = 3
"""Points further apart than this are not joined: nothing is known between them."""


def _draw_percentile(plot: Plot, points: list[tuple[float, float | None]], key: Key) -> None:
    """A line; where too few requests leave gaps, its points, joined faintly to be followed by eye."""
    seen = [(x, y) for x, y in points if y is not None]
    if len(seen) > 0.8 * len(points):
        plot.line(points, key)
        return
    step = points[1][0] - points[0][0] if len(points) > 1 else 1.0
    joined: list[tuple[float, float] | None] = []
    for (x, y), (before, _) in zip(seen, [seen[0], *seen], strict=False):
        if x - before > LONGEST_JOIN * step:
            joined.append(None)
        joined.append((plot.px(x), plot.py(y)))
    plot.scene.add(Line(joined, key.role, 1.25, "2 3", opacity=0.7))
    if key.shape:
        plot.scene.add(*[Marker(*at, key.role, key.shape, 3) for at in joined if at is not None])


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
