"""Plots of load: what was offered, what was carried, and how much of it was any good."""

from __future__ import annotations

from mmload.report.axes import up_to
from mmload.report.charts.backdrop import (
    MOST_POINTS,
    MOST_ROWS,
    burst_keys,
    covered,
    middles,
    over_time_plot,
    phase_of,
    stretch,
    zones_of,
)
from mmload.report.measured import Measured, highest, mean
from mmload.report.plot import Key
from mmload.report.row_plot import Row, rows
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import DASH, clock, count, known, percent, rpm


def from_offered_to_good(measured: Measured) -> Chart:
    """The funnel: a fast wrong answer is not throughput."""
    throughput, validity = measured.part("throughput"), measured.part("validity")
    quality = measured.part("throughput", "rpm_at_quality")
    offered = validity.get("offered_rpm")
    steps = [
        ("Offered", offered, "what the plan asked for", "axis"),
        ("Answered", throughput.get("achieved_rpm"), "ended as ok", "sky"),
        ("In time", throughput.get("slo_rpm"), "and within the objective", "blue"),
        ("In time and right", throughput.get("good_rpm"), "and the answer passed", "green"),
    ]
    data = [
        Row(name, value, note=_share(value, offered), role=role)
        for name, value, _, role in steps
        if known(value)
    ]
    text = [[name, meaning, rpm(value), _share(value, offered) or DASH] for name, value, meaning, _ in steps]
    text.append(
        [
            "rpm at quality",
            "highest rate at which every gate holds",
            rpm(quality.get("value")),
            _share(quality.get("value"), offered) or DASH,
        ]
    )
    table = Table(
        "From offered to good, requests per minute",
        ["Step", "Meaning", "rpm", "Of offered"],
        text,
        text_columns=2,
    )
    desc = "; ".join(f"{row.label.lower()} {rpm(row.value)}" for row in data) + " requests per minute."
    if not data:
        return Chart(
            "offered-to-good", "From offered to good", "", table, absent="No throughput was measured"
        )
    top = up_to(max(row.value or 0 for row in data))
    limit = None
    if known(quality.get("value")) and quality["value"] <= top.high:
        limit = (float(quality["value"]), f"rpm at quality {rpm(quality['value'])}")

    def draw(width: float) -> Scene:
        return rows(width, data, top, label=rpm, bars=True, limit=limit, limit_role="ink")

    return Chart("offered-to-good", "From offered to good", desc, table, draw)


def _share(value: object, offered: object) -> str:
    if not known(value) or not known(offered) or not offered:
        return ""
    return f"{rpm(value)} rpm · {percent(float(str(value)) / float(str(offered)))}"


PLANNED = Key("planned", "ink", "6 4", width=1.5)
OK = Key("ok", "blue", fill=0.75, width=0)
SHED = Key("shed", "purple", fill=0.9, width=0)
FAILED = Key("failed", "red", fill=0.9, width=0)


def offered_and_carried(measured: Measured) -> Chart:
    """Planned rate against what ended ok, shed and failed, stacked over time by due time."""
    parts = measured.bins(MOST_POINTS)
    table = _load_table(measured)
    if not parts:
        return Chart(
            "load", "Load offered and carried", "", table, absent="No per-second series was recorded"
        )
    columns = {
        key: [mean(measured.second(f"{key}_rpm")[p]) for p in parts]
        for key in ("planned", "ok", "shed", "failed")
    }
    edges = [stretch(measured, p) for p in parts]
    stacked = _stack(columns["ok"], columns["shed"], columns["failed"])
    peak = max([highest(measured.second("planned_rpm")) or 0, *[s[2] for s in stacked]])

    def draw(width: float) -> Scene:
        keys = [PLANNED, OK, SHED, FAILED, *burst_keys(measured)]
        plot = over_time_plot(measured, width, 300, up_to(peak * 1.08), rpm, "requests per minute", keys)
        lower = [0.0] * len(parts)
        for index, key in enumerate((OK, SHED, FAILED)):
            upper = [s[index] for s in stacked]
            plot.area(_blocks(edges, lower, upper), key)
            lower = upper
        plot.line(_planned_steps(measured), PLANNED)
        plot.zones([(*stretch(measured, p), _say(measured, p)) for p in parts])
        return plot.scene

    said = "Planned by due time; the rest in the second in which it ended."
    note = f"Each point covers {covered(measured, parts)}. {said}"
    desc = f"Planned rate peaks at {rpm(highest(columns['planned']))} rpm; areas show how requests ended."
    return Chart("load", "Load offered and carried", desc, table, draw, note=note)


def _stack(*columns: list[float | None]) -> list[list[float]]:
    """Running totals at every point; an absent part adds nothing to the stack."""
    totals = []
    for values in zip(*columns, strict=True):
        running, level = [], 0.0
        for value in values:
            level += value or 0.0
            running.append(level)
        totals.append(running)
    return totals


def _blocks(
    edges: list[tuple[float, float]], lower: list[float], upper: list[float]
) -> list[tuple[float, float, float]]:
    """Each value over the whole stretch that it was counted in: a rate is no line between middles."""
    found = []
    for (start, end), low, high in zip(edges, lower, upper, strict=True):
        found += [(start, low, high), (end, low, high)]
    return found


def _planned_steps(measured: Measured) -> list[tuple[float, float | None]]:
    """The planned rate with a point only where it changes, so that a burst has upright sides."""
    found: list[tuple[float, float | None]] = []
    rates = measured.second("planned_rpm")
    for part in measured.bins(1500):
        rate, (start, end) = rates[part.start], stretch(measured, part)
        if found and found[-1][1] == rate:
            found[-1] = (end, rate)
        else:
            found += [(start, rate), (end, rate)]
    return found


def _say(measured: Measured, part: slice) -> str:
    values = {
        key: rpm(mean(measured.second(f"{key}_rpm")[part])) for key in ("planned", "ok", "shed", "failed")
    }
    return f"{clock(stretch(measured, part)[0])} {phase_of(measured, part)}\n" + "\n".join(
        f"{key} {value} rpm" for key, value in values.items()
    )


def _load_table(measured: Measured) -> Table:
    keys = ("planned", "sent", "ok", "failed", "shed")
    data = [
        [clock(stretch(measured, part)[0]), phase_of(measured, part)]
        + [rpm(mean(measured.second(f"{key}_rpm")[part])) for key in keys]
        for part in measured.bins(MOST_ROWS)
    ]
    head = ["From", "Phase", "Planned", "Sent", "Ok", "Failed", "Shed"]
    return Table("Load over time, requests per minute", head, data, text_columns=2)


FLIGHT = Key("in flight", "blue", fill=0.25, width=1.75)


def in_flight(measured: Measured) -> Chart:
    """Requests sent and not yet ended, over time."""
    parts = measured.bins(MOST_POINTS)
    values = [highest(measured.second("in_flight")[p]) for p in parts]
    data = [
        [
            clock(stretch(measured, p)[0]),
            phase_of(measured, p),
            count(highest(measured.second("in_flight")[p])),
        ]
        for p in measured.bins(MOST_ROWS)
    ]
    table = Table("Requests in flight over time", ["From", "Phase", "In flight"], data, text_columns=2)
    peak = highest(values)
    if peak is None:
        return Chart("in-flight", "Requests in flight", "", table, absent="No telemetry was recorded")
    middle = middles(measured, parts)

    def draw(width: float) -> Scene:
        plot = over_time_plot(measured, width, 180, up_to(peak, 3), count, "requests in flight", y_ticks=3)
        plot.area([(x, 0.0, y) for x, y in zip(middle, values, strict=True) if y is not None], FLIGHT)
        plot.line(list(zip(middle, values, strict=True)), FLIGHT)
        plot.zones(zones_of(measured, parts, [f"{count(v)} in flight" for v in values]))
        return plot.scene

    desc = f"In flight at once: at most {count(peak, 'request')}."
    return Chart("in-flight", "Requests in flight", desc, table, draw)
