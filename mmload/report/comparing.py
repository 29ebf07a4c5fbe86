"""The report of a comparison: ``compare.json``, ``.html``, ``.md`` and a few lines for the terminal.

It is given what was found as plain data; the docstring of ``write_comparison`` is its description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from mmload.report import html
from mmload.report.charts import comparison
from mmload.report.escape import markdown_cell, terminal
from mmload.report.files import write_text
from mmload.report.folder import clean
from mmload.report.pages import scored_by, tables_in_markdown, write_page
from mmload.report.table import Chart, Table
from mmload.report.verdicts import WORDS
from mmload.report.wording import (
    DASH,
    count,
    gate_title,
    gate_writer,
    interval,
    known,
    ms,
    percent,
    points,
    rpm,
    seconds,
    signed,
    usd,
)

METRICS = {
    "quality": "Quality",
    "good_ratio": "Right and in time, of all requests",
    "e2e_p95_ms": "p95, end to end",
    "error_ratio": "Failed or shed",
    "per_query_usd": "Cost per query",
    "per_good_query_usd": "Cost per good query",
    "rpm_at_quality": "Requests per minute at quality",
}


def write_comparison(folder: Path, found: Mapping[str, Any]) -> list[Path]:
    """Write ``compare.json``, ``compare.html``, ``compare.md`` and the plots.

    ``found``: ``baseline`` (a candidate's name), ``refused`` (why runs may not be compared, or empty),
    ``matrix_version, workload_fingerprint``; ``candidates [{name, run, target, verdict, rank, rank_stability,
    quality, quality_low, quality_high, e2e_p95_ms, rpm_at_quality, per_good_query_usd, error_ratio,
    failed_gates [name]}]`` with ``rank`` null for whoever fails a gate; ``gates [{name, limit,
    by_candidate {name: {value, verdict}}}]``; ``differences [{candidate, metric, value, low, high, verdict:
    better|worse|no difference|inconclusive}]``, metrics as ``METRICS``; ``scorecards [{dimension, weight,
    by_candidate {name: verdict}}]``; ``fallbacks {rows [{candidate, fallback, ...}], notes}``; ``notes
    [str]``.
    """
    found = clean(found)
    charts = _comparison_charts(found)
    write_text(folder / "compare.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "compare.md", comparison_markdown(found, charts))
    written = write_page(folder, "compare.html", comparison_page(found, charts), charts)
    return [folder / "compare.json", folder / "compare.md", *written]


def comparison_page(found: Mapping[str, Any], charts: list[Chart] | None = None) -> str:
    ranked = _by_rank(found)
    return html.render(
        "compare.html.j2",
        title="Comparison",
        found=found,
        sentence=_comparison_sentence(found, ranked),
        ranking=_ranking(ranked),
        gates=_gate_matrix(found, ranked),
        scorecards=_scorecards(found, ranked),
        fallbacks=_fallbacks(found),
        charts=_comparison_charts(found) if charts is None else charts,
        notes=_all_notes(found),
        matrix=scored_by(found),
    )


def comparison_markdown(found: Mapping[str, Any], charts: Sequence[Chart]) -> str:
    """The same in short, for a pull request."""
    ranked = _by_rank(found)
    tables = [
        _ranking(ranked),
        _gate_matrix(found, ranked),
        _scorecards(found, ranked),
        *(chart.table for chart in charts),
        _fallbacks(found),
    ]
    notes = [f"- {markdown_cell(str(note))}" for note in _all_notes(found)]
    lines = [
        "# Comparison",
        "",
        markdown_cell(_comparison_sentence(found, ranked)),
        *tables_in_markdown(tables),
    ]
    lines += ["", "## To note", "", *notes] if notes else []
    return "\n".join([*lines, *(["", scored_by(found)] if found.get("matrix") else [])]) + "\n"


def _all_notes(found: Mapping[str, Any]) -> list[str]:
    return [
        *map(str, found.get("notes") or []),
        *map(str, (found.get("fallbacks") or {}).get("notes") or []),
    ]


def _by_rank(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(found.get("candidates") or [], key=lambda c: (c.get("rank") is None, c.get("rank") or 0))


def _comparison_charts(found: Mapping[str, Any]) -> list[Chart]:
    present = {d.get("metric") for d in found.get("differences") or []}
    drawn = [comparison.differences(found, key, title) for key, title in METRICS.items() if key in present]
    return [comparison.pareto(found), *drawn]


def _comparison_sentence(found: Mapping[str, Any], ranked: list[Mapping[str, Any]]) -> str:
    if found.get("refused"):
        return f"These runs may not be compared: {found['refused']}."
    first = [c for c in ranked if c.get("rank") == 1]
    if not first:
        open_ = [c for c in ranked if c.get("verdict") == "inconclusive"]
        more = f" More samples could decide on {', '.join(str(c['name']) for c in open_)}." if open_ else ""
        return f"No candidate passes every gate, so none is ranked.{more}"
    stable = first[0].get("rank_stability")
    alone = sum(c.get("rank") is not None for c in ranked) == 1
    kept = f" It stays first under {percent(stable)} of other weights." if known(stable) and not alone else ""
    survived = sum(c.get("rank") is not None for c in ranked)
    return f"{first[0]['name']} ranks first of {survived}.{kept}{_not_ranked(ranked)}"


def _not_ranked(ranked: list[Mapping[str, Any]]) -> str:
    """Who has no rank, by the reason why."""
    why = {
        "no-go": "fails a gate",
        "inconclusive": "has too few samples to say",
        "invalid": "is no valid run",
    }
    out = [c for c in ranked if c.get("rank") is None]
    found = {
        reason: [str(c["name"]) for c in out if str(c.get("verdict")) == verdict]
        for verdict, reason in why.items()
    }
    told = [f"{', '.join(names)} {reason}" for reason, names in found.items() if len(names) == 1]
    told += [f"{', '.join(names)}: each {reason}" for reason, names in found.items() if len(names) > 1]
    return f" Not ranked: {'; '.join(told)}." if told else ""


def _ranking(ranked: list[Mapping[str, Any]]) -> Table:
    rows = [
        [
            str(c.get("name")),
            count(c.get("rank")),
            WORDS.get(str(c.get("verdict")), DASH),
            percent(c.get("rank_stability")),
            rpm(c.get("rpm_at_quality")),
            percent(c.get("quality")),
            ms(c.get("e2e_p95_ms")),
            percent(c.get("error_ratio")),
            usd(c.get("per_good_query_usd")),
            "yes" if c.get("pareto") else DASH,
            ", ".join(gate_title(g) for g in [*(c.get("failed_gates") or []), *(c.get("open_gates") or [])])
            or DASH,
        ]
        for c in ranked
    ]
    head = [
        "Candidate",
        "Rank",
        "Verdict",
        "Stays first",
        "rpm at quality",
        "Quality",
        "p95",
        "Failed or shed",
        "Per good query",
        "Front",
        "Gates not passed",
    ]
    notes = [
        "Gate, then rank: whoever fails a gate has no rank, whatever else it does well. Stays first: under "
        "so many of the weights drawn about those of the matrix. On the Pareto front no other survivor is "
        "as good in quality, p95 and cost, and better in one."
    ]
    return Table("Ranking", head, rows, notes)


def _scorecards(found: Mapping[str, Any], ranked: list[Mapping[str, Any]]) -> Table:
    names = [str(c.get("name")) for c in ranked]
    rows = []
    for row in found.get("scorecards") or []:
        by = row.get("by_candidate") or {}
        cells = [str(by.get(n) or "no limit") for n in names]
        rows.append([str(row.get("dimension")), percent(row.get("weight")), *cells])
    matrix = found.get("matrix") or {}
    which = f"{matrix.get('version') or DASH} ({matrix.get('id') or DASH})"
    note = f"Limits of the profile, else of the matrix {which}. Weights count among those who pass."
    return Table("Scorecard", ["Dimension", "Weight", *names], rows, [note])


def _fallbacks(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            str(r.get("candidate")),
            str(r.get("fallback")),
            percent(r.get("fallback_quality")),
            signed(r.get("quality_gain"), points),
            _gain_between(r),
            signed(r.get("errors_avoided_per_1k"), count),
            seconds(r.get("time_saved_s")) if (r.get("time_saved_s") or 0) >= 0 else "none",
            signed(r.get("net_value_usd"), usd),
            str(r.get("verdict") or DASH),
        ]
        for r in (found.get("fallbacks") or {}).get("rows") or []
    ]
    head = [
        "Candidate",
        "Against",
        "Its quality",
        "Gain",
        "95% interval",
        "Fewer wrong",
        "Time saved",
        "Net value",
        "Quality is",
    ]
    how = {
        str(r.get("fallback")): str(r.get("how")) for r in (found.get("fallbacks") or {}).get("rows") or []
    }
    notes = ["; ".join(f"{name}: {said}" for name, said in how.items()) + "."] if how else []
    notes.append("Fewer wrong answers per 1,000 queries (silence is not wrong); time and net value a query.")
    if rows and all(r[7] == DASH for r in rows):
        notes.append("Net value needs what answers are worth: --right-usd and --wrong-usd.")
    return Table("Against doing without", head, rows, notes, text_columns=2)


def _gain_between(row: Mapping[str, Any]) -> str:
    low, high = row.get("quality_gain_low"), row.get("quality_gain_high")
    if not known(low) or not known(high):
        return DASH
    return f"{signed(low, lambda v: f'{100 * v:.3g}')} to {signed(high, lambda v: f'{100 * v:.3g}')}"


def comparison_text(found: Mapping[str, Any], folder: Path, width: int = 80) -> str:
    """The result in a few lines, none wider than ``width`` but the path of the page."""
    found = clean(found)
    ranked = _by_rank(found)
    lines = [*wrap(terminal(_comparison_sentence(found, ranked)), width), ""]
    table = [
        ["", "rank", "verdict", "quality", "p95", "failed", "per good query"],
        *(
            [
                str(c["name"]),
                count(c.get("rank")),
                WORDS.get(str(c.get("verdict")), DASH),
                percent(c.get("quality")),
                ms(c.get("e2e_p95_ms")),
                percent(c.get("error_ratio")),
                usd(c.get("per_good_query_usd")),
            ]
            for c in ranked
        ),
    ]
    lines += [*_aligned(table, width), ""]
    for c in ranked:
        if c.get("failed_gates"):
            lines += _wrapped(f"{c['name']} fails {', '.join(map(gate_title, c['failed_gates']))}", width)
        if c.get("open_gates"):
            open_ = ", ".join(map(gate_title, c["open_gates"]))
            lines += _wrapped(f"{c['name']}: too few samples for {open_}", width)
    lines += [
        line
        for d in found.get("differences") or []
        if d.get("verdict") in ("better", "worse")
        for line in _wrapped(_told(d, str(found.get("baseline"))), width)
    ]
    for note in found.get("notes") or []:
        lines += _wrapped(f"note: {note}", width)
    return "\n".join([*lines, "", f"report: {folder / 'compare.html'}"])


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(terminal(text), width, subsequent_indent="  ")


def _told(d: Mapping[str, Any], baseline: str) -> str:
    write = points if d["metric"] in comparison.RATIOS else gate_writer(d["metric"])
    between = interval(d.get("low"), d.get("high"), lambda v: signed(v, write))
    title = METRICS[d["metric"]].lower()
    told = f"{signed(d['value'], write)} ({between})"
    return f"{d['candidate']} is {d['verdict']} than {baseline} in {title}: {told}"


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    clean_rows = [[terminal(cell) for cell in row] for row in rows]
    widths = [max(len(r[k]) for r in clean_rows) for k in range(len(rows[0]))]
    lines = []
    for row in clean_rows:
        first, *rest = (
            f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}"
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest])[:width].rstrip())
    return lines


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
