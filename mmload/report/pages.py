"""The report of a capacity search, in the language of the report of a run.

It is given what was found as plain data; the docstring is its description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmload.report import html, raster, svg
from mmload.report.charts import capacity
from mmload.report.escape import markdown_cell
from mmload.report.files import write_bytes, write_text
from mmload.report.folder import clean
from mmload.report.table import Chart, Table
from mmload.report.verdicts import WORDS, Headline
from mmload.report.wording import (
    DASH,
    count,
    gate_title,
    interval,
    is_gate,
    known,
    ms,
    percent,
    points,
    rpm,
    seconds,
    signed,
    usd,
)

_STEPS = {
    "climb": "rising rates until one does not seem to hold",
    "lower": "falling rates until one seems to hold",
    "bisect": "between what seems to hold and what does not",
    "confirm": "fresh phases, which alone make an answer",
    "bound": "fresh phases above the answer, to fail for certain: the upper end of the interval",
    "beyond": "on until latency gives way too",
}
"""The steps of a search in a reader's words."""


def write_capacity(folder: Path, found: Mapping[str, Any]) -> list[Path]:
    """Write ``capacity.html``, ``capacity.md`` and ``plots/capacity-*``.

    ``found``: ``profile, target, started_at``; ``rpm_at_quality {value, low, high, limited_by}``;
    ``latency_only_rpm, expected_peak_rpm, headroom_ratio, knee_rpm``; ``limits {gate name: limit}``;
    ``levels`` as ``throughput.levels`` of ``summary.json``, each may have ``per_good_query_usd`` and for
    any figure its ``_low`` and ``_high``, and ``step`` (climb, bisect, confirm); ``spent`` and ``budget``
    ``{requests, minutes, usd}``; ``fleet [{peak_rpm, replicas, rpm, usd_per_hour}]``; ``hysteresis`` and
    ``scalability`` as in ``capacity.json``; ``verdict``; ``notes [str]``. All optional.
    """
    found = clean(found)
    charts = [*capacity.draw_all(found), capacity.scalability(found)]
    write_text(folder / "capacity.md", capacity_markdown(found))
    return write_page(folder, "capacity.html", capacity_page(found, charts), charts)


def capacity_page(found: Mapping[str, Any], charts: list[Chart] | None = None) -> str:
    at_quality = found.get("rpm_at_quality") or {}
    return html.render(
        "capacity.html.j2",
        title=f"{found.get('profile') or 'capacity'}: {rpm(at_quality.get('value'))} rpm at quality",
        found=found,
        value=rpm(at_quality.get("value")),
        sentence=capacity_sentence(found),
        headlines=capacity_headlines(found),
        gates=_gates(found),
        verdict=str(found.get("verdict")),
        word=WORDS.get(str(found.get("verdict")), ""),
        matrix=scored_by(found),
        charts=[*capacity.draw_all(found), capacity.scalability(found)] if charts is None else charts,
        levels=_levels(found),
        hysteresis=_hysteresis(found),
        fleet=_fleet(found),
        notes=[str(note) for note in found.get("notes") or []],
    )


def capacity_sentence(found: Mapping[str, Any]) -> str:
    """What was found, after the number itself."""
    at_quality = found.get("rpm_at_quality") or {}
    if not known(at_quality.get("value")):
        if found.get("verdict") == "inconclusive":
            return "No rate was confirmed: what was measured cannot tell whether every gate holds at any."
        return "No load was found at which every gate holds."
    between = interval(at_quality.get("low"), at_quality.get("high"), rpm)
    said = f"requests per minute at quality{f', {between} with 95% confidence' if between else ''}"
    limited = at_quality.get("limited_by")
    if limited and not is_gate(limited):
        return f"{said}; {limited}."
    if limited:
        return f"{said}. Beyond it {gate_title(str(limited))} gives way first."
    return f"{said}. Nothing gave way: the limit lies beyond what was tried."


def _gates(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each gate on the answer itself."""
    said = {"pass": "holds", "fail": "fails", "inconclusive": "is undecided"}
    titles = {"headroom_min": "headroom", "rpm_at_quality_min": "rpm at quality"}
    sentences = []
    for gate in found.get("gates") or []:
        name, verdict = str(gate.get("name")), str(gate.get("verdict"))
        sentence = f"The gate on {titles.get(name, name)} {said.get(verdict, DASH)}"
        sentences.append(f"{sentence}: at least {rpm(gate.get('limit'))} rpm.")
    return sentences


def capacity_headlines(found: Mapping[str, Any]) -> list[Headline]:
    """The figures that stand beside it."""
    alone, value = found.get("latency_only_rpm"), (found.get("rpm_at_quality") or {}).get("value")
    over = ""
    if known(alone) and known(value) and value:
        times = f"{alone / value:.1f}"
        over = "as much as holds at quality" if times == "1.0" else f"{times} times what holds at quality"
    if known(alone) and "high" in (only := found.get("latency_only") or {}) and only["high"] is None:
        over = f"or more: latency gave way at no rate that was tried{f'; {over}' if over else ''}"
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
            _knee(found.get("knee_loss")),
        ),
        Headline(
            "Spent on the search",
            count(spent.get("requests")),
            "request" if spent.get("requests") == 1 else "requests",
            f"in {_minutes(spent.get('minutes'))} for {usd(spent.get('usd'))}" + _of_budget(budget),
        ),
    ]


def _knee(loss: Any) -> str:
    below = f"{100 * loss:g} points below" if known(loss) else "below"
    return f"the first rate with quality for certain {'more than ' if known(loss) else ''}{below} unloaded"


def _minutes(value: Any) -> str:
    return f"{value:.1f} minutes" if known(value) else f"{DASH} minutes"


def _of_budget(budget: Mapping[str, Any]) -> str:
    """What it was allowed, of that which has a limit."""
    parts = [count(budget["requests"], "request")] if known(budget.get("requests")) else []
    parts += [f"{budget['minutes']:g} minutes"] if known(budget.get("minutes")) else []
    parts += [usd(budget["usd"])] if known(budget.get("usd")) else []
    return f"; allowed were {', '.join(parts)}" if parts else ""


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
        if level.get("step") != "down"
    ]
    head = [
        "Step",
        "Offered",
        "Answered",
        "Quality",
        "95% bounds",
        "p95",
        "Failed or shed",
        "Per good query",
        "Gates",
    ]
    steps = {str(level.get("step")) for level in found.get("levels") or []}
    note = "; ".join(f"{name}: {means}" for name, means in _STEPS.items() if name in steps)
    return Table("The path of the search, in its order", head, rows, [f"{note}."] if note else [])


def _fleet(found: Mapping[str, Any]) -> Table:
    rows = [
        [rpm(f.get("peak_rpm")), count(f.get("replicas")), rpm(f.get("rpm")), usd(f.get("usd_per_hour"))]
        for f in found.get("fleet") or []
    ]
    head = ["Peak, rpm", "Replicas", "They answer, rpm", "USD per hour"]
    return Table("Fleet for a peak (a projection, not a measurement)", head, rows)


def _hysteresis(found: Mapping[str, Any]) -> Table:
    """The rate of the answer on the way up, the overload, and the same rate on the way down."""
    h = found.get("hysteresis") or {}
    rows = [
        [
            name,
            rpm(rate),
            percent(part.get("quality")),
            interval(part.get("quality_low"), part.get("quality_high"), percent) or DASH,
            ms(part.get("e2e_p95_ms")),
            percent(part.get("error_ratio")),
            percent(part.get("over_slo_ratio")),
        ]
        for name, rate, part in (
            ("going up", h.get("rpm"), h.get("before") or {}),
            ("overload", h.get("over_rpm"), h.get("during") or {}),
            ("coming down", h.get("rpm"), h.get("after") or {}),
        )
        if part
    ]
    head = ["Stretch", "Offered", "Quality", "95% interval", "p95", "Failed or shed", "Beyond objective"]
    return Table("The same rate before and after an overload", head, rows, [_change(h)] if rows else [])


def _up_and_down(h: Mapping[str, Any]) -> str:
    """Whether the rate that holds going up holds coming down."""
    up, down = h.get("missed_up"), h.get("missed_down")
    if up is None or down is None:
        return ""
    rate = f"By its figures {rpm(h.get('rpm'))} rpm"
    if not down:
        return f"{rate} holds coming down{f', and misses {_titles(up)} going up' if up else ' as going up'}."
    if up:
        return f"{rate} misses {_titles(up)} going up and {_titles(down)} coming down."
    return f"{rate} holds going up and misses {_titles(down)} coming down: it matters where load comes from."


def _titles(gates: Sequence[str]) -> str:
    return ", ".join(gate_title(str(name)) for name in gates)


def _change(h: Mapping[str, Any]) -> str:
    back = h.get("recovery_s")
    within = (
        "Within the objectives as soon as the overload had ended"
        if back == 0
        else f"Back within the objectives {seconds(back)} after the overload ended"
        if known(back)
        else "Not back within the objectives for 10 s as long as it was watched"
    )
    within = f"{_up_and_down(h)} {within}".strip()
    said = f"{within}; waiting at once: at most {count(h.get('peak_backlog'), 'request')}."
    change = h.get("quality_change") or {}
    low, high = change.get("low"), change.get("high")
    if not known(low) or not known(high):
        return said
    if low <= 0 <= high:
        between = f"{signed(low, lambda v: f'{100 * v:.3g}')} to {signed(high, points)}"
        return f"{said} Quality coming down differs from going up by {between}: no difference is certain."
    least, most = sorted((abs(low), abs(high)))
    between = f"{100 * least:.3g} to {points(most)}"
    return f"{said} Quality is {'lower' if high < 0 else 'higher'} coming down than going up, by {between}."


def capacity_markdown(found: Mapping[str, Any]) -> str:
    """The same in short, for a pull request."""
    value = rpm((found.get("rpm_at_quality") or {}).get("value"))
    word = WORDS.get(str(found.get("verdict")), "")
    lines = [
        f"# {markdown_cell(str(found.get('profile') or 'capacity'))}: {value} rpm at quality",
        "",
        f"{f'**{word}.** ' if word else ''}{value} {markdown_cell(capacity_sentence(found))}",
        *(markdown_cell(gate) for gate in _gates(found)),
        "",
        *(f"- {h.label}: {h.figure} ({markdown_cell(h.detail)})" for h in capacity_headlines(found)),
    ]
    lines += tables_in_markdown([_levels(found), _hysteresis(found), _fleet(found)])
    notes = [f"- {markdown_cell(str(note))}" for note in found.get("notes") or []]
    lines += ["", "## To note", "", *notes] if notes else []
    lines += ["", scored_by(found)] if found.get("matrix") else []
    return "\n".join(lines) + "\n"


def scored_by(found: Mapping[str, Any]) -> str:
    """By which matrix the answers were scored, in a sentence; empty if that is not known."""
    by = found.get("matrix") or {}
    return f"Scored by matrix {by['version']} ({by['id']})." if by.get("id") else ""


def tables_in_markdown(tables: Sequence[Table]) -> list[str]:
    """Lines of those that have rows, each under its caption and with its notes."""
    lines = []
    for table in tables:
        if not table.rows:
            continue
        rows = [[markdown_cell(cell) for cell in row] for row in [table.head, *table.rows]]
        rule = [":--" if k < table.text_columns else "--:" for k in range(len(table.head))]
        lines += ["", f"## {table.caption}", ""]
        lines += [f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]]]
        lines += [f"\n{markdown_cell(note)}" for note in table.notes]
    return lines


def write_page(folder: Path, name: str, text: str, charts: list[Chart]) -> list[Path]:
    """A page and the plots of it; gives what was written."""
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
