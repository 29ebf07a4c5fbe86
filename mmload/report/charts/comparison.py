"""Plots of a comparison: paired differences, and quality against price.

Not aware of how candidates were ranked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmload.report.axes import Linear, up_to
from mmload.report.plot import Key, Plot
from mmload.report.row_plot import Row, rows
from mmload.report.scene import SHAPES, Line, Marker, Scene, Text
from mmload.report.table import Chart, Table
from mmload.report.wording import (
    DASH,
    gate_writer,
    interval,
    known,
    percent,
    percent_tick,
    points,
    signed,
    usd,
    usd_tick,
)

RATIOS = ("quality", "good_ratio", "error_ratio")
ROLES = ("blue", "orange", "green", "purple", "red", "sky")


def differences(found: Mapping[str, Any], metric: str, title: str) -> Chart:
    """Candidate minus baseline of one metric, on identical items, with intervals."""
    entries = [d for d in found.get("differences") or [] if d.get("metric") == metric]
    write = points if metric in RATIOS else gate_writer(metric)
    tick = usd_tick if metric.endswith("usd") else write
    data = [
        Row(
            str(d["candidate"]),
            d["value"],
            d.get("low"),
            d.get("high"),
            signed(d["value"], write),
            *_look(d),
        )
        for d in entries
        if known(d.get("value"))
    ]
    table = Table(
        f"{title}: difference from {found.get('baseline')}",
        ["Candidate", "Difference", "95% interval", "Verdict"],
        [
            [
                str(d["candidate"]),
                signed(d.get("value"), write),
                interval(d.get("low"), d.get("high"), lambda v: signed(v, write)) or DASH,
                str(d.get("verdict") or DASH),
            ]
            for d in entries
        ],
    )
    key = f"difference-{metric.replace('_', '-')}"
    if not data:
        return Chart(key, title, "", table, absent="No pair of runs has this figure")
    reach = max(abs(v) for row in data for v in (row.value, row.low, row.high) if v is not None) or 1.0
    scale = Linear(-1.1 * reach, 1.1 * reach)

    def draw(width: float) -> Scene:
        line = (0.0, f"as {found.get('baseline')}")
        return rows(width, data, scale, label=lambda v: signed(v, tick), limit=line, limit_role="ink")

    desc = "; ".join(f"{row.label} {row.note}" for row in data) + "."
    return Chart(key, title, desc, table, draw)


def _look(difference: Mapping[str, Any]) -> tuple[str, str]:
    looks = {"better": ("green", "circle"), "worse": ("red", "cross")}
    return looks.get(str(difference.get("verdict")), ("orange", "diamond"))


def pareto(found: Mapping[str, Any]) -> Chart:
    """Quality against cost per good query: up and to the left is better."""
    entries = [
        c
        for c in found.get("candidates") or []
        if known(c.get("quality")) and known(c.get("per_good_query_usd"))
    ]
    table = Table(
        "Quality and price",
        ["Candidate", "Quality", "95% interval", "Cost per good query"],
        [
            [
                str(c["name"]),
                percent(c["quality"]),
                interval(c.get("quality_low"), c.get("quality_high"), percent) or DASH,
                usd(c["per_good_query_usd"]),
            ]
            for c in entries
        ],
    )
    title = "Quality against price"
    if not entries:
        return Chart("pareto", title, "", table, absent="No candidate has both a quality and a price")
    across = up_to(max(c["per_good_query_usd"] for c in entries) * 1.15)
    bounds = [
        float(c[k]) for c in entries for k in ("quality", "quality_low", "quality_high") if known(c.get(k))
    ]
    scale = Linear(max(0.0, int(min(bounds) * 20 - 0.5) / 20), 1.0)

    def draw(width: float) -> Scene:
        keys = [Key(_label(c), ROLES[i % 6], shape=SHAPES[i % 5], width=0) for i, c in enumerate(entries)]
        plot = Plot(
            width,
            300,
            across,
            scale,
            x_label=usd_tick,
            y_label=percent_tick,
            y_title="quality",
            keys=keys,
            x_title="cost per good query",
        )
        for key, candidate in zip(keys, entries, strict=True):
            _candidate(plot, key, candidate)
        return plot.scene

    desc = (
        "; ".join(f"{c['name']} {percent(c['quality'])} at {usd(c['per_good_query_usd'])}" for c in entries)
        + "."
    )
    return Chart("pareto", title, desc, table, draw, note="Up and to the left is better.")


def _label(candidate: Mapping[str, Any]) -> str:
    return f"{candidate['name']}{' (fails a gate)' if candidate.get('failed_gates') else ''}"


def _candidate(plot: Plot, key: Key, candidate: Mapping[str, Any]) -> None:
    x, y = plot.px(candidate["per_good_query_usd"]), plot.py(candidate["quality"])
    low, high = candidate.get("quality_low"), candidate.get("quality_high")
    if known(low) and known(high):
        plot.scene.add(Line([(x, plot.py(low)), (x, plot.py(high))], key.role, 1.5))
    plot.scene.add(Marker(x, y, key.role, key.shape, 6))
    if plot.narrow:
        return  # The legend names it; beside the marks there is no room.
    left = plot.x(candidate["per_good_query_usd"]) > 0.75
    plot.scene.add(
        Text(
            x - 11 if left else x + 11,
            y - 7,
            key.label,
            role="ink",
            size=plot.font,
            halo=True,
            anchor="end" if left else "start",
        )
    )
