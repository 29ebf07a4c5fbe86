"""Plots of a capacity search: what happens to quality, tail, errors and price as the offered rate rises.

Not aware of how the search chose its levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmload.report.axes import Linear, Scale, decades, up_to
from mmload.report.plot import Key, Plot
from mmload.report.scene import Line, Marker, Scene, Text
from mmload.report.table import Chart, Table
from mmload.report.wording import (
    DASH,
    gate_title,
    interval,
    known,
    ms,
    ms_tick,
    percent,
    percent_tick,
    rpm,
    usd,
    usd_tick,
)

STRIP = 34.0
"""Room above a plot for the labels of its two landmarks, one under the other."""

VERDICTS = {
    "pass": Key("every gate holds", "green", shape="circle", width=0),
    "inconclusive": Key("undecided", "orange", shape="diamond", width=0),
    "fail": Key("a gate fails", "red", shape="cross", width=0),
}


@dataclass(frozen=True)
class Measure:
    """One figure of a level, and how it is drawn."""

    key: str
    title: str
    write: Callable[[Any], str]
    tick: Callable[[float], str]
    gate: str = ""
    """Name of the limit drawn, in ``limits``."""
    ratio: bool = False
    log: bool = False


MEASURES = (
    Measure("quality", "Quality", percent, percent_tick, "quality_min", ratio=True),
    Measure("e2e_p95_ms", "p95, end to end", ms, ms_tick, "e2e_p95_ms", log=True),
    Measure("error_ratio", "Failed or shed", percent, percent_tick, "error_max"),
    Measure("per_good_query_usd", "Cost per good query", usd, usd_tick, "per_good_query_usd_max"),
)


def draw_all(found: Mapping[str, Any]) -> list[Chart]:
    """A chart for every measure that any level has, by offered rate."""
    levels = sorted(
        (lv for lv in found.get("levels") or [] if known(lv.get("rpm")) and lv.get("step") != "down"),
        key=lambda lv: lv["rpm"],
    )
    return [_over_rate(found, levels, measure) for measure in MEASURES]


def scalability(found: Mapping[str, Any]) -> Chart:
    """Rate answered over requests in flight: what was measured, and a fitted law beside it."""
    points = sorted(
        (lv["in_flight"], lv["achieved_rpm"], lv["rpm"])
        for lv in found.get("levels") or []
        if lv.get("step") != "down" and known(lv.get("in_flight")) and known(lv.get("achieved_rpm"))
    )
    law = found.get("scalability") or {}
    key, title = "capacity-scalability", "Rate answered, by requests in flight"
    table = Table(
        title,
        ["In flight", "Answered rpm", "Offered rpm"],
        [[f"{n:.1f}", rpm(x), rpm(o)] for n, x, o in points],
    )
    if len(points) < 2:
        return Chart(key, title, "", table, absent="Fewer than two levels were measured")
    curve = [(n, x) for n, x in law.get("curve") or []]
    measured = Key("measured", "blue", shape="circle", width=0)
    fitted = Key("universal scalability law, fitted", "soft", dash="5 4")

    def draw(width: float) -> Scene:
        plot = Plot(
            width,
            240,
            up_to(points[-1][0] * 1.05),
            up_to(max(x for _, x, _ in points) * 1.1),
            x_label=lambda n: f"{n:g}",
            y_label=rpm,
            x_title="requests in flight, on average",
            y_title="answered, requests per minute",
            keys=[measured, fitted] if curve else [measured],
        )
        if curve:
            plot.line(curve, fitted)
        for n, x, offered in points:
            plot.scene.add(Marker(plot.px(n), plot.py(x), "blue", "circle", 5))
            said = f"{rpm(offered)} rpm offered\n{rpm(x)} rpm answered\n{n:.1f} in flight"
            at = plot.px(n) - 10
            plot.scene.hover.append((at, plot.top, 20, plot.bottom - plot.top, said))
        return plot.scene

    ends = f"{rpm(points[0][1])} rpm with {points[0][0]:.1f} in flight"
    desc = f"From {ends} to {rpm(points[-1][1])} rpm with {points[-1][0]:.1f} in flight."
    return Chart(key, title, desc, table, draw)


def _over_rate(found: Mapping[str, Any], levels: Sequence[Mapping[str, Any]], measure: Measure) -> Chart:
    seen = [level for level in levels if known(level.get(measure.key))]
    table = Table(
        f"{measure.title} by offered rate",
        ["Offered rpm", measure.title, "95% bounds"],
        [[rpm(lv["rpm"]), measure.write(lv[measure.key]), _between(lv, measure) or DASH] for lv in seen],
    )
    key = f"capacity-{measure.key.replace('_', '-')}"
    if not seen:
        return Chart(key, measure.title, "", table, absent="No level has this figure")
    limit = (found.get("limits") or {}).get(measure.gate)
    scale = _scale(seen, measure, limit)
    across = up_to(max(level["rpm"] for level in levels) * 1.05)

    def draw(width: float) -> Scene:
        keys = [VERDICTS[v] for v in VERDICTS if any(level.get("verdict") == v for level in seen)]
        plot = Plot(
            width,
            240,
            across,
            scale,
            x_label=rpm,
            y_label=measure.tick,
            x_title="offered, requests per minute",
            y_title=measure.title.lower(),
            keys=keys,
            strip=STRIP,
        )
        _landmarks(plot, found, across.high)
        if known(limit):
            plot.limit(limit, f"gate {measure.write(limit)}")
        _levels(plot, seen, measure)
        return plot.scene

    ends = f"{measure.write(seen[0][measure.key])} at {rpm(seen[0]['rpm'])} rpm"
    desc = f"From {ends} to {measure.write(seen[-1][measure.key])} at {rpm(seen[-1]['rpm'])} rpm."
    return Chart(key, measure.title, desc, table, draw)


def _between(level: Mapping[str, Any], measure: Measure) -> str:
    return interval(level.get(f"{measure.key}_low"), level.get(f"{measure.key}_high"), measure.write)


def _scale(levels: Sequence[Mapping[str, Any]], measure: Measure, limit: Any) -> Scale:
    names = (measure.key, f"{measure.key}_low", f"{measure.key}_high")
    values = [float(level[name]) for level in levels for name in names if known(level.get(name))]
    values += [float(limit)] if known(limit) else []
    if measure.log:
        return decades(max(min(values) * 0.9, 0.1), max(values) * 1.1)
    if measure.ratio:
        return Linear(max(0.0, int(min(values) * 20 - 0.5) / 20), 1.0)
    return up_to(max(max(values) * 1.1, 0.01 if measure.key == "error_ratio" else 0))


def _landmarks(plot: Plot, found: Mapping[str, Any], across: float) -> None:
    """Upright lines at the answer, and at what latency alone would have answered; the answer's interval."""
    answer = found.get("rpm_at_quality") or {}
    at_quality, low, high = answer.get("value"), answer.get("low"), answer.get("high")
    if known(low) and known(high) and plot.x(low) < 1:
        plot.span(low, min(high, across), "")
    alone = found.get("latency_only_rpm")
    for value, label, role, dash in (
        (at_quality, "at quality", "green", ""),
        (alone if alone != at_quality else None, "by latency alone", "axis", "5 4"),
    ):
        if not known(value) or plot.x(value) > 1:
            continue
        x, row = plot.px(value), plot.top - (STRIP / 2 + 4 if dash else 6)
        plot.scene.add(Line([(x, row - 4), (x, plot.bottom)], role, 2 if not dash else 1.5, dash))
        left = plot.x(value) > 0.5
        text = f"{label} {rpm(value)}"
        plot.scene.add(
            Text(x - 6 if left else x + 6, row, text, anchor="end" if left else "start", size=plot.font - 1)
        )


def _levels(plot: Plot, levels: Sequence[Mapping[str, Any]], measure: Measure) -> None:
    joined = [(plot.px(level["rpm"]), plot.py(level[measure.key])) for level in levels]
    plot.scene.add(Line(joined, "soft", 1, opacity=0.6))
    for level, (x, y) in zip(levels, joined, strict=True):
        key = VERDICTS.get(str(level.get("verdict")), VERDICTS["inconclusive"])
        low, high = level.get(f"{measure.key}_low"), level.get(f"{measure.key}_high")
        if known(low) and known(high):
            plot.scene.add(Line([(x, plot.py(low)), (x, plot.py(high))], key.role, 2))
        plot.scene.add(Marker(x, y, key.role, key.shape, 5))
        said = f"{rpm(level['rpm'])} rpm\n{measure.write(level[measure.key])}"
        if level.get("limited_by"):
            said += f"\n{gate_title(str(level['limited_by']))} gives way"
        plot.scene.hover.append((x - 14, plot.top, 28, plot.bottom - plot.top, said))
