"""Sessions of several turns in the words and tables of a report. Not aware of how they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmload.report.measured import Measured
from mmload.report.table import Table
from mmload.report.wording import DASH, count, interval, known, ms, percent, seconds, usd

_HEAD = (
    *("Turn", "Sent", "Not sent", "Failed", "Mean", "p50", "p95", "First token", "Late"),
    *("Quality", "95% interval", "Tokens in", "Cached", "USD"),
)


def by_turn(measured: Measured) -> Table:
    """One row a turn; no rows if requests stand alone."""
    rows = [_row(turn) for turn in measured.part("sessions").get("by_turn") or []]
    notes = [
        "Failed: or shed. First token: mean, of streamed answers. Tokens in: mean of an answer, with what "
        "was said before; cached of them, as the target tells. USD: a query.",
        "Percentiles that the sample does not certify are left out; the mean stands beside them.",
        "Every item stands at one turn, always: quality by turn compares different questions.",
    ]
    return Table("By turn of the session", _HEAD, rows, notes if rows else ())


def _row(turn: Mapping[str, Any]) -> list[str]:
    e2e, ttft = turn.get("e2e_ms") or {}, turn.get("ttft_ms") or {}
    return [
        str(turn.get("turn")),
        count(turn.get("sent")),
        count(turn.get("not_sent")),
        count((turn.get("failed") or 0) + (turn.get("shed") or 0)),
        ms(e2e.get("mean")),
        ms(e2e.get("p50")),
        ms(e2e.get("p95")),
        ms(ttft.get("mean")),
        percent(turn.get("over_slo_ratio")),
        percent(turn.get("score")),
        interval(turn.get("low"), turn.get("high"), percent) or DASH,
        count(turn.get("tokens_in_mean")),
        percent(turn.get("cached_ratio")),
        usd(turn.get("per_query_usd")),
    ]


def sentences(measured: Measured) -> list[str]:
    """How many sessions came to their end, and what held the others up."""
    found = measured.part("sessions")
    if not found:
        return []
    turns = f"{found['turns_mean']:.3g} turns" if known(found.get("turns_mean")) else "several turns"
    share = percent(found.get("completed_ratio"))
    pause = f"{seconds(found.get('think_time_s'))} in the mean ({found.get('think')})"
    said = [
        f"{count(found.get('completed'))} of {count(found.get('planned'))} sessions came to their last "
        f"answer ({share}); {turns} in the mean, thinking {pause} between answer and question."
    ]
    left = found.get("turns_not_sent") or {}
    if ended := left.get("session_ended"):
        said.append(f"{count(ended, 'turn')} not sent because an earlier turn of the session had failed.")
    if cut := left.get("session_cut"):
        said.append(f"{count(cut, 'turn')} not sent because the drain time ended first (drain_s).")
    return said


METHOD = (
    "Session, turn",
    "Sessions begin when the schedule says (open loop); within a session each turn follows the answer before "
    "it (closed loop): it is due when that answer has ended and the planned time to think is over, and its "
    "latency counts from there. What was said before is scripted: reference answers, the same for every "
    "target, so that a wrong answer changes no later question. A session counts in the phase, the load level "
    "and the block of time in which it began, for its turns are not independent of each other.",
)
