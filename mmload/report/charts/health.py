"""Plots of the generator itself: was it, rather than the target, what was measured?"""

from __future__ import annotations

from mmload.report.axes import decades, up_to
from mmload.report.charts.backdrop import (
    MOST_POINTS,
    MOST_ROWS,
    middles,
    over_time_plot,
    phase_of,
    stretch,
    zones_of,
)
from mmload.report.measured import Measured, highest
from mmload.report.plot import Key
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import clock, ms, ms_tick, percent, percent_tick

LAG = Key("latest send of each second", "blue", shape="circle", width=1.5)
CPU = Key("busiest worker, share of one core", "green", shape="square", width=1.75)


def send_lag(measured: Measured) -> Chart:
    """How late requests left, over time."""
    parts = measured.bins(MOST_POINTS)
    values = [highest(measured.second("send_lag_max_ms")[p]) for p in parts]
    title = "Send lag"
    table = _table(measured, title)
    seen = [v for v in values if v is not None]
    if not seen:
        return Chart("send-lag", title, "", table, absent="No request was sent")
    scale = decades(max(min(seen), 0.01), max(max(seen), 1.0))
    middle = middles(measured, parts)

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured, width, 200, scale, ms_tick, "actual send minus due time (logarithmic)", [LAG]
        )
        placed = [None if v is None else max(v, scale.low) for v in values]
        plot.line(list(zip(middle, placed, strict=True)), LAG)
        plot.zones(zones_of(measured, parts, [f"{ms(v)} late" for v in values]))
        return plot.scene

    return Chart("send-lag", title, f"The latest send was {ms(max(seen))} late.", table, draw)


def generator_cpu(measured: Measured) -> Chart:
    """Share of one core that the busiest worker used, over time."""
    parts = measured.bins(MOST_POINTS)
    values = [highest(measured.second("generator_cpu_ratio")[p]) for p in parts]
    title = "Generator CPU"
    table = _table(measured, title)
    peak = highest(values)
    if peak is None:
        return Chart("generator-cpu", title, "", table, absent="No telemetry was recorded")
    middle = middles(measured, parts)

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured,
            width,
            180,
            up_to(max(1.0, peak), 4),
            percent_tick,
            "share of one core",
            [CPU],
            y_ticks=4,
        )
        plot.line(list(zip(middle, values, strict=True)), CPU)
        plot.zones(zones_of(measured, parts, [f"{percent(v)} of a core" for v in values]))
        return plot.scene

    return Chart("generator-cpu", title, f"At most {percent(peak)} of one core.", table, draw)


def _table(measured: Measured, title: str) -> Table:
    data = [
        [
            clock(stretch(measured, p)[0]),
            phase_of(measured, p),
            ms(highest(measured.second("send_lag_max_ms")[p])),
            percent(highest(measured.second("generator_cpu_ratio")[p])),
        ]
        for p in measured.bins(MOST_ROWS)
    ]
    return Table(
        f"{title} over time", ["From", "Phase", "Latest send", "CPU of a core"], data, text_columns=2
    )
