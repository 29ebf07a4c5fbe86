"""Plots of what the server says of itself, under the latency that was measured; where the two disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmload.report.axes import Linear, up_to
from mmload.report.charts.backdrop import burst_keys, over_time_plot
from mmload.report.measured import Measured, highest
from mmload.report.plot import Key
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import DASH, clock, count, known, ms, percent, percent_tick

WAITING = Key("waiting in the server's queue", "orange", fill=0.35, width=1.75)
RUNNING = Key("running in the server", "blue", shape="circle", width=2)
HERE = Key("in flight, seen from here", "ink", "6 4", width=1.25)
CACHE = Key("cache in use", "sky", shape="square", width=1.75)
HITS = Key("cache hits, of look-ups", "green", "7 3", shape="triangle", width=1.75)
GPU = Key("GPU in use", "purple", "2 3", shape="diamond", width=1.75)
_ABSENT = "No metrics page of the target was found (target.metrics_url)"
_ROWS = 40
_ZONES = 180


def queue(measured: Measured) -> Chart:
    """Requests running and waiting in the server as it says, and in flight as seen from here."""
    title = "The server's queue, as it says itself"
    columns = {name: _column(measured, name) for name in ("running", "waiting")}
    table = _over_time(measured)
    peak = highest([v for column in columns.values() for _, v in column])
    if peak is None:
        return Chart("server-queue", title, "", table, absent=_ABSENT)
    seconds = measured.second("t_s")
    here = list(zip([float(t) for t in seconds], measured.second("in_flight"), strict=True))
    top = up_to(max(peak, highest([v for _, v in here]) or 0, 1), 4)

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured,
            width,
            230,
            top,
            count,
            "requests",
            [WAITING, RUNNING, HERE, *burst_keys(measured)],
            y_ticks=4,
        )
        plot.area([(t, 0.0, v) for t, v in columns["waiting"] if v is not None], WAITING)
        plot.line(columns["waiting"], Key("", WAITING.role))
        plot.line(columns["running"], RUNNING)
        plot.line(here, HERE)
        plot.zones(_zones(columns, lambda name, v: f"{count(v)} {name}"))
        return plot.scene

    waiting = measured.part("server", "waiting")
    desc = f"Waiting in the server: at most {count(waiting.get('max'), 'request')}."
    note = (
        "What is in flight here and neither running nor waiting there is on its way, or where the server "
        "does not count: in a proxy, in a backlog of connections, in a stage before its queue."
    )
    return Chart("server-queue", title, desc, table, draw, note=note)


def use(measured: Measured) -> Chart:
    """Shares that the server tells: cache in use, cache hits, GPU in use."""
    title = "Cache and GPU, as the server says itself"
    keys = {"cache_use_ratio": CACHE, "cache_hit_ratio": HITS, "gpu_use_ratio": GPU}
    columns = {key: _column(measured, name) for name, key in keys.items()}
    told = {key: column for key, column in columns.items() if any(v is not None for _, v in column)}
    table = _shares(measured)
    if not told:
        return Chart("server-use", title, "", table, absent=_ABSENT)

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured,
            width,
            200,
            Linear(0, 1),
            percent_tick,
            "share",
            [*told, *burst_keys(measured)],
            y_ticks=4,
        )
        for key, column in told.items():
            plot.line(column, key)
        by_label = {key.label: column for key, column in told.items()}
        plot.zones(_zones(by_label, lambda name, v: f"{name} {percent(v)}"))
        return plot.scene

    missing = [key.label for key in keys.values() if key not in told]
    note = f"Not told by this server: {', '.join(missing)}." if missing else ""
    desc = f"Shares over time: {', '.join(key.label for key in told)}."
    return Chart("server-use", title, desc, table, draw, note=note)


def _column(measured: Measured, name: str) -> list[tuple[float, float | None]]:
    found: Mapping[str, Any] = measured.series.get("server") or {}
    return [(float(t), v) for t, v in zip(found.get("t_s") or (), found.get(name) or (), strict=False)]


def _zones(
    columns: Mapping[str, list[tuple[float, float | None]]], said: Callable[[str, float | None], str]
) -> list[tuple[float, float, str]]:
    """What a pointer is told in each stretch: every column's highest value there."""
    times = [t for t, _ in next(iter(columns.values()))]
    step = max(1, -(-len(times) // _ZONES))
    found = []
    for k in range(0, len(times) - 1, step):
        end = times[min(k + step, len(times) - 1)]
        words = [
            said(name, highest([v for _, v in column[k : k + step]])) for name, column in columns.items()
        ]
        found.append((times[k], end, "\n".join([clock(times[k]), *words])))
    return found


def _over_time(measured: Measured) -> Table:
    running, waiting = _column(measured, "running"), _column(measured, "waiting")
    step = max(1, -(-len(running) // _ROWS))
    rows = [
        [clock(t), count(highest([v for _, v in running[k : k + step]])),
         count(highest([v for _, v in waiting[k : k + step]]))]
        for k, (t, _) in list(enumerate(running))[::step]
    ]  # fmt: skip
    return Table(
        "Requests in the server over time, highest of each stretch", ["From", "Running", "Waiting"], rows
    )


def _shares(measured: Measured) -> Table:
    names = {
        "cache_use_ratio": "Cache in use",
        "cache_hit_ratio": "Cache hits, of look-ups",
        "gpu_use_ratio": "GPU in use",
    }
    found = {name: measured.part("server", name) for name in names}
    rows = [
        [label, percent(found[name].get("mean")), percent(found[name].get("max"))]
        for name, label in names.items()
    ]
    return Table("Shares over the measured phases", ["Share", "Mean", "Highest"], rows)


def compared(measured: Measured) -> Table:
    """Where client and server agree and where not; no rows if the server tells nothing to compare."""
    rows = [
        [
            str(row.get("figure")),
            "agree" if row.get("agrees") else "disagree",
            _said(row.get("figure"), row.get("client")),
            _said(row.get("figure"), row.get("server")),
            str(row.get("reading")),
        ]
        for row in measured.part("server").get("compared") or []
    ]
    notes = (
        "Ours: from the send to the last byte (e2e), from the due time to the first token (ttft, of streamed "
        "answers). The server's percentiles are known to the bucket of its histogram, its mean exactly.",
    )
    return Table(
        "Client and server",
        ["Figure", "Agreement", "Measured here", "Server says", "Reading"],
        rows,
        notes,
        text_columns=5,
    )


def statement(measured: Measured) -> str:
    """One sentence: whether client and server agree; empty if there is nothing to compare."""
    rows = measured.part("server").get("compared") or []
    apart = [row for row in rows if not row.get("agrees")]
    if not rows:
        return ""
    if not apart:
        return "Client and server agree in every figure that both have."
    first = apart[0]
    figures = ", ".join(str(row.get("figure")) for row in apart)
    why = f"{str(first.get('figure')).capitalize()}: {first.get('reading')}."
    return f"Client and server disagree in {figures}. {why}"


def _said(figure: object, value: Any) -> str:
    if isinstance(value, Mapping):
        low, high = value.get("low"), value.get("high")
        return f"{ms(low)} to {ms(high)}" if known(high) else f"above {ms(low)}"
    if not known(value):
        return DASH
    return count(value) if figure == "answers" else ms(value)
