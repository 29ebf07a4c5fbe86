"""Tables of the scorecard, of what integration costs, of whose a failure is, and of who answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmload.report.escape import one_line, redact
from mmload.report.measured import Measured
from mmload.report.table import Table
from mmload.report.wording import (
    DASH,
    count,
    gate_direction,
    gate_title,
    gate_writer,
    interval,
    known,
    percent,
    seconds,
)

_TITLES = {
    "headroom_min": "headroom over the expected peak",
    "friction_index_max": "friction index",
    "violation_ratio_max": "answers that break a safety rule",
}


@dataclass(frozen=True)
class Criterion:
    title: str
    means: str
    limit: str
    source: str
    """``profile`` or ``matrix``: who set the limit."""
    value: str
    interval: str
    verdict: str
    """Empty without a limit."""
    reason: str


@dataclass(frozen=True)
class Dimension:
    name: str
    verdict: str
    """Empty if no limit is set."""
    criteria: list[Criterion]


def dimensions(measured: Measured) -> list[Dimension]:
    return [
        Dimension(
            str(d.get("name")),
            str(d.get("verdict") or ""),
            [_criterion(c) for c in d.get("criteria") or []],
        )
        for d in measured.part("scorecard").get("dimensions") or []
    ]


def _criterion(c: Mapping[str, Any]) -> Criterion:
    name = str(c.get("name"))
    write = _writer(name)
    limit = c.get("limit")
    return Criterion(
        title=_TITLES.get(name, gate_title(name)),
        means=str(c.get("means") or ""),
        limit=f"{gate_direction(name) if name != 'e2e_p95_ms' else 'at most'} {write(limit)}"
        if known(limit)
        else "no limit",
        source=str(c.get("limit_from") or ""),
        value=write(c.get("value")),
        interval=interval(c.get("low"), c.get("high"), write) if c.get("low") != c.get("high") else "",
        verdict=str(c.get("verdict") or ""),
        reason=str(c.get("reason") or ""),
    )


def _writer(name: str) -> Any:
    if name == "headroom_min":
        return lambda v: f"{v:.2f}×" if known(v) else DASH
    if name == "friction_index_max":
        return lambda v: f"{v:.1f} of 100" if known(v) else DASH
    return gate_writer(name)


def summary_line(measured: Measured) -> str:
    """How many of the dimensions pass, in one sentence; empty without a scorecard."""
    found = dimensions(measured)
    if not found:
        return ""
    by = {v: [d.name for d in found if d.verdict == v] for v in ("pass", "fail", "inconclusive", "")}
    said = [f"{len(by['pass'])} of {len(found)} dimensions pass"]
    for verdict, words in (("fail", "fail"), ("inconclusive", "open"), ("", "without a limit")):
        if by[verdict]:
            said.append(f"{words}: {', '.join(by[verdict])}")
    matrix = measured.part("scorecard", "matrix")
    return f"{'; '.join(said)}. Matrix {matrix.get('version') or DASH} ({matrix.get('id') or DASH})."


def scorecard(measured: Measured) -> Table:
    """One row a measure, for Markdown."""
    rows = [
        [d.name, c.title, c.limit, c.value, c.interval or DASH, c.verdict or DASH]
        for d in dimensions(measured)
        for c in d.criteria
    ]
    head = ["Dimension", "Measure", "Limit", "Measured", "95% bounds", "Verdict"]
    return Table("Scorecard", head, rows, [summary_line(measured)], text_columns=2)


_PARTS = {
    "schema_failure": "schema not valid as written",
    "retries": "attempts beyond the first",
    "repairs": "answers repaired",
    "prompt_sensitivity": "sensitivity to wording",
    "instability": "protocol broken",
    "quirks": "quirks worked around",
}


def friction(measured: Measured) -> Table:
    found = measured.part("scorecard", "friction")
    rows = []
    for part in found.get("parts") or []:
        write = count if part.get("name") == "quirks" else percent
        rows.append(
            [
                _PARTS.get(str(part.get("name")), str(part.get("name"))),
                write(part.get("value")),
                f"{write(part.get('cap'))}",
                percent(part.get("weight")),
            ]
        )
    notes = ["A dash was not measured and counts nowhere: the index is over the weight of the others."]
    return Table("Integration friction", ["Part", "Counted", "Counts in full at", "Weight"], rows, notes)


def causes(measured: Measured) -> Table:
    """Whose the failures are, most frequent first."""
    found = measured.part("attribution")
    rows = [
        [
            str(c.get("party")),
            one_line(redact(str(c.get("stage"))), 80),
            count(c.get("n")),
            percent(c.get("share")),
            count(c.get("first_seq")).replace(",", ""),
        ]
        for c in found.get("causes") or []
    ]
    head = ["Whose", "What", "Requests", "Of all failures", "First request"]
    note = "Requests that failed, were wrong or came late; each counts once, by the strongest evidence."
    return Table("Whose failures", head, rows, [note] if rows else [], text_columns=2)


def models(measured: Measured) -> Table:
    """Quality by the model that answered."""
    found = measured.part("quality").get("by_model") or {}
    rows = [
        [
            one_line(redact(str(name)), 80),
            count(m.get("n")),
            percent(m.get("share")),
            percent(m.get("score")),
            interval(m.get("low"), m.get("high"), percent) or DASH,
        ]
        for name, m in found.items()
    ]
    head = ["Model", "Answers", "Share", "Right", "95% interval"]
    note = "By the name that came with the answer; Wilson's interval, not weighted by task."
    return Table("Who answered", head, rows, [note] if rows else [])


def reviews(measured: Measured) -> Table:
    """What people said of answers; no rows if none were asked."""
    found = measured.part("quality", "review")
    if not found:
        return Table("Reviews", ["Check", "Found"], [])
    between = interval(found.get("override_low"), found.get("override_high"), percent)
    kappa, minutes = found.get("kappa"), found.get("minutes")
    reviewed, compared = found.get("reviewed"), found.get("compared")
    scored = "" if compared == reviewed else f", {count(compared)} compared with a score"
    rows = [
        ["Answers that people reviewed", count(reviewed) + scored],
        [
            "People overrule the scorers",
            percent(found.get("override_ratio")) + (f" ({between})" if between else ""),
        ],
        [
            "Scorer too kind · too strict",
            f"{count(found.get('scorer_too_kind'))} · {count(found.get('scorer_too_strict'))}",
        ],
        ["People and scorers agree beyond chance (kappa)", f"{kappa:.2f}" if known(kappa) else DASH],
        ["Time spent on reviews", seconds(60 * minutes) if known(minutes) else DASH],
    ]
    return Table("Reviews", ["Check", "Found"], rows)
