"""The reports of a capacity search and of a comparison, in the language of the report of a run.

Both are given what was found as plain data; the docstrings are its description.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmload.report import html, raster, svg
from mmload.report.charts import capacity, comparison
from mmload.report.files import write_bytes, write_text
from mmload.report.folder import clean
from mmload.report.table import Chart, Table
from mmload.report.verdicts import WORDS, Headline
from mmload.report.wording import (
    DASH,
    count,
    gate_title,
    gate_writer,
    interval,
    is_gate,
    known,
    ms,
    percent,
    rpm,
    usd,
)


def write_capacity(folder: Path, found: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> list[Path]:
    """Write ``capacity.html`` and ``plots/capacity-*``.

    ``found``: ``profile, target, started_at``; ``rpm_at_quality {value, low, high, limited_by}``;
    ``latency_only_rpm, expected_peak_rpm, headroom_ratio, knee_rpm``; ``limits {gate name: limit}``;
    ``levels`` as ``throughput.levels`` of ``summary.json``, each may have ``per_good_query_usd`` and for
    any figure its ``_low`` and ``_high``, and ``step`` (climb, bisect, confirm); ``spent`` and ``budget``
    ``{requests, minutes, usd}``; ``fleet [{replicas, rpm, usd_per_hour}]``; ``notes [str]``. All optional.
    """
    found = clean(found, secrets)
    charts = capacity.draw_all(found)
    return _write(folder, "capacity.html", capacity_page(found, charts), charts)


def capacity_page(found: Mapping[str, Any], charts: list[Chart] | None = None) -> str:
    at_quality = found.get("rpm_at_quality") or {}
    return html.render(
        "capacity.html.j2",
        title=f"{found.get('profile') or 'capacity'}: {rpm(at_quality.get('value'))} rpm at quality",
        found=found,
        value=rpm(at_quality.get("value")),
        sentence=capacity_sentence(found),
        headlines=capacity_headlines(found),
        charts=capacity.draw_all(found) if charts is None else charts,
        levels=_levels(found),
        fleet=_fleet(found),
        notes=[str(note) for note in found.get("notes") or []],
    )


def capacity_sentence(found: Mapping[str, Any]) -> str:
    """What was found, after the number itself."""
    at_quality = found.get("rpm_at_quality") or {}
    if not known(at_quality.get("value")):
        return "No load was found at which every gate holds."
    between = interval(at_quality.get("low"), at_quality.get("high"), rpm)
    said = f"requests per minute at quality{f', {between} with 95% confidence' if between else ''}"
    limited = at_quality.get("limited_by")
    if limited and not is_gate(limited):
        return f"{said}; {limited}."
    if limited:
        return f"{said}. Beyond it {gate_title(str(limited))} gives way first."
    return f"{said}. Nothing gave way: the limit lies beyond what was tried."


def capacity_headlines(found: Mapping[str, Any]) -> list[Headline]:
    """The figures that stand beside it."""
    alone, value = found.get("latency_only_rpm"), (found.get("rpm_at_quality") or {}).get("value")
    over = (
        f"{alone / value:.1f} times what holds at quality" if known(alone) and known(value) and value else ""
    )
    spent, budget = found.get("spent") or {}, found.get("budget") or {}
    peak = found.get("expected_peak_rpm")
    return [
        Headline("By latency alone it would be", rpm(alone), "rpm", over or "not measured"),
        Headline(
            "Headroom over the expected peak",
            _times(found.get("headroom_ratio")),
            "",
            f"expected {rpm(peak)} rpm" if known(peak) else "the profile names no expected peak",
        ),
        Headline(
            "The knee of quality",
            rpm(found.get("knee_rpm")),
            "rpm",
            "where quality first leaves its unloaded level",
        ),
        Headline(
            "Spent on the search",
            count(spent.get("requests")),
            "requests",
            f"{count(spent.get('minutes'))} minutes, {usd(spent.get('usd'))}"
            + (f"; budget {count(budget['requests'])} requests" if budget.get("requests") else ""),
        ),
    ]


def _times(value: Any) -> str:
    return f"{value:.2f}×" if known(value) else DASH


def _levels(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            str(level.get("step") or level.get("name") or DASH),
            rpm(level.get("rpm")),
            rpm(level.get("achieved_rpm")),
            percent(level.get("quality")),
            interval(level.get("quality_low"), level.get("quality_high"), percent) or DASH,
            ms(level.get("e2e_p95_ms")),
            percent(level.get("error_ratio")),
            usd(level.get("per_good_query_usd")),
            f"{level.get('verdict') or DASH}"
            + (f": {gate_title(str(level['limited_by']))}" if level.get("limited_by") else ""),
        ]
        for level in found.get("levels") or []
    ]
    head = [
        "Step",
        "Offered",
        "Answered",
        "Quality",
        "95% interval",
        "p95",
        "Failed or shed",
        "Per good query",
        "Gates",
    ]
    return Table("The path of the search, in its order", head, rows)


def _fleet(found: Mapping[str, Any]) -> Table:
    rows = [
        [count(f.get("replicas")), rpm(f.get("rpm")), usd(f.get("usd_per_hour"))]
        for f in found.get("fleet") or []
    ]
    return Table(
        "Fleet for a peak (a projection, not a measurement)", ["Replicas", "rpm", "USD per hour"], rows
    )


METRICS = {
    "quality": "Quality",
    "e2e_p95_ms": "p95, end to end",
    "error_ratio": "Failed or shed",
    "per_good_query_usd": "Cost per good query",
    "rpm_at_quality": "Requests per minute at quality",
}


def write_comparison(folder: Path, found: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> list[Path]:
    """Write ``compare.html`` and its plots.

    ``found``: ``baseline`` (a candidate's name), ``refused`` (why runs may not be compared, or empty),
    ``matrix_version, workload_fingerprint``; ``candidates [{name, run, target, verdict, rank, rank_stability,
    quality, quality_low, quality_high, e2e_p95_ms, rpm_at_quality, per_good_query_usd, error_ratio,
    failed_gates [name]}]`` with ``rank`` null for whoever fails a gate; ``gates [{name, limit,
    by_candidate {name: {value, verdict}}}]``; ``differences [{candidate, metric, value, low, high, verdict:
    better|worse|no difference|inconclusive}]``, metrics as ``METRICS``; ``notes [str]``.
    """
    found = clean(found, secrets)
    charts = _comparison_charts(found)
    return _write(folder, "compare.html", comparison_page(found, charts), charts)


def comparison_page(found: Mapping[str, Any], charts: list[Chart] | None = None) -> str:
    ranked = sorted(found.get("candidates") or [], key=lambda c: (c.get("rank") is None, c.get("rank") or 0))
    return html.render(
        "compare.html.j2",
        title="Comparison",
        found=found,
        sentence=_comparison_sentence(found, ranked),
        ranking=_ranking(ranked),
        gates=_gate_matrix(found, ranked),
        charts=_comparison_charts(found) if charts is None else charts,
        notes=[str(note) for note in found.get("notes") or []],
    )


def _comparison_charts(found: Mapping[str, Any]) -> list[Chart]:
    present = {d.get("metric") for d in found.get("differences") or []}
    drawn = [comparison.differences(found, key, title) for key, title in METRICS.items() if key in present]
    return [comparison.pareto(found), *drawn]


def _comparison_sentence(found: Mapping[str, Any], ranked: list[Mapping[str, Any]]) -> str:
    if found.get("refused"):
        return f"These runs may not be compared: {found['refused']}."
    first = [c for c in ranked if c.get("rank") == 1]
    if not first:
        return "No candidate passes every gate, so none is ranked."
    stable = first[0].get("rank_stability")
    kept = f" It stays first under {percent(stable)} of other weights." if known(stable) else ""
    out = sum(c.get("rank") is None for c in ranked)
    return f"{first[0]['name']} ranks first of {len(ranked) - out}.{kept}" + (
        f" {out} failed a gate and {'is' if out == 1 else 'are'} not ranked." if out else ""
    )


def _ranking(ranked: list[Mapping[str, Any]]) -> Table:
    rows = [
        [
            str(c.get("name")),
            count(c.get("rank")),
            WORDS.get(str(c.get("verdict")), DASH),
            rpm(c.get("rpm_at_quality")),
            percent(c.get("quality")),
            ms(c.get("e2e_p95_ms")),
            percent(c.get("error_ratio")),
            usd(c.get("per_good_query_usd")),
            ", ".join(gate_title(g) for g in c.get("failed_gates") or []) or DASH,
        ]
        for c in ranked
    ]
    head = [
        "Candidate",
        "Rank",
        "Verdict",
        "rpm at quality",
        "Quality",
        "p95",
        "Failed or shed",
        "Per good query",
        "Gates failed",
    ]
    return Table(
        "Ranking",
        head,
        rows,
        ["Gate, then rank: whoever fails a gate has no rank, whatever else it does well."],
    )


def _gate_matrix(found: Mapping[str, Any], ranked: list[Mapping[str, Any]]) -> Table:
    names = [str(c.get("name")) for c in ranked]
    rows = []
    for gate in found.get("gates") or []:
        write, by = gate_writer(gate["name"]), gate.get("by_candidate") or {}
        cells = [
            f"{write((by.get(n) or {}).get('value'))} {(by.get(n) or {}).get('verdict') or ''}".strip()
            for n in names
        ]
        rows.append([gate_title(gate["name"]), write(gate.get("limit")), *cells])
    return Table("Gates", ["Gate", "Limit", *names], rows)


def _write(folder: Path, name: str, text: str, charts: list[Chart]) -> list[Path]:
    write_text(folder / name, text)
    written = [folder / name]
    for chart in charts:
        if chart.draw is None:
            continue
        scene = chart.draw(html.WIDE)
        base = folder / "plots" / chart.key
        write_text(base.with_suffix(".svg"), svg.standalone(scene, title=chart.title, desc=chart.desc))
        write_bytes(base.with_suffix(".png"), raster.png(scene))
        written += [base.with_suffix(".svg"), base.with_suffix(".png")]
    return written
