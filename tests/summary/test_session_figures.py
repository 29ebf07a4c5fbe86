"""Figures of sessions: by turn, to the last answer, and with intervals that know what belongs together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from synthetic import Stretch, make_items, make_profile

from mmload.model import NS_PER_S, ErrorKind, Outcome, PhasePlan, Record, Score
from mmload.summary import RunInfo, Summary, figures
from mmload.summary.sums import Joined

ITEMS = make_items(60)
SCRIPTS = [(n, n + 1, n + 2) for n in range(0, 57, 3)]
LENGTH_S = 240


def info_of(scripts: Any = SCRIPTS, **sessions: Any) -> RunInfo:
    profile = make_profile((Stretch("warm", 60, 60, warmup=True), Stretch("talk", 60, LENGTH_S)),
                           sessions={"turns": 3, "think_time_s": 40, **sessions})  # fmt: skip
    ends = [60 * NS_PER_S, (60 + LENGTH_S) * NS_PER_S]
    phases = [
        PhasePlan(0, "warm", "sustained", True, True, 0, ends[0], 0, 0, 0, 0, "warm"),
        PhasePlan(1, "talk", "sustained", True, False, ends[0], ends[1], 0, 0, 0, 0, "talk"),
    ]
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "scripts": scripts,
              "phases": [list(p) for p in phases]}  # fmt: skip
    return RunInfo.from_header(header, ITEMS)


def record(seq: int, item: int, due_s: float, began_s: float, **changes: Any) -> Record:
    due, began = round(due_s * NS_PER_S), round(began_s * NS_PER_S)
    made = Record(
        seq=seq, phase=1, item=item, worker=0, due_ns=due, sent_ns=due, first_byte_ns=due, first_token_ns=due,
        end_ns=due + NS_PER_S * (item % 3 + 1), outcome=Outcome.OK, error="", status=200, attempts=1,
        attempt_errors="", stale_retries=0, request_bytes=10, response_bytes=10,
        tokens_in=100 * (item % 3 + 1),
        tokens_out=5, tokens_cached=100 * (item % 3), usage_source="usage", content_events=1, gaps_us=b"",
        server_timing="", model="sim-large", finish_reason="stop", kernel_clock=True, reused_connection=True,
        pi=1.0, sampled=True, error_detail="", began_ns=began,
    )  # fmt: skip
    return made._replace(**changes)


NOT_SENT = {"outcome": Outcome.NOT_SENT, "sent_ns": None, "first_byte_ns": None, "first_token_ns": None,
            "end_ns": None, "attempts": 0, "tokens_in": None, "tokens_out": None, "tokens_cached": None,
            "usage_source": ""}  # fmt: skip


def score(of: Record, passed: bool) -> Score:
    return Score(of.seq, of.item, ITEMS[of.item].task, passed, float(passed), "strict", "answered", True)


def summed(records: list[Record], passed: list[bool], info: RunInfo) -> Summary:
    summary = Summary()
    c = summary.add_records(records, info)
    assert c is not None
    ok = np.flatnonzero(c.ok)
    scores = [score(records[k], passed[k]) for k in ok]
    pi = np.ones(len(ok))
    summary.add_scores(scores, Joined(c.phase[ok], c.bin[ok], c.within_slo[ok], c.e2e_us[ok], pi), info)
    return summary


def three(session: int, began_s: float) -> list[Record]:
    """A session whose turns are 40 s apart."""
    script = SCRIPTS[session % len(SCRIPTS)]
    return [record(3 * session + k, item, began_s + 40 * k, began_s) for k, item in enumerate(script)]


def test_every_figure_stands_by_turn_and_sessions_are_counted_to_their_last_answer() -> None:
    whole, failing, cut = three(0, 70), three(1, 80), three(2, 90)
    failing[1] = failing[1]._replace(outcome=Outcome.FAILED, error=ErrorKind.HTTP_5XX)
    failing[2] = failing[2]._replace(error=ErrorKind.SESSION_ENDED, **NOT_SENT)
    cut[2] = cut[2]._replace(error=ErrorKind.SESSION_CUT, **NOT_SENT)
    warm = [r._replace(phase=0) for r in three(3, 10)]
    records = [*whole, *failing, *cut, *warm]
    info = info_of()
    found = figures(summed(records, [True] * len(records), info), info)
    sessions, counts = found["sessions"], found["counts"]
    assert counts["planned"] == 9 == counts["ok"] + counts["failed"] + counts["shed"] + counts["not_sent"]
    assert (sessions["planned"], sessions["begun"], sessions["completed"]) == (3, 3, 1)
    assert sessions["turns_not_sent"] == {"session_ended": 1, "session_cut": 1}
    turns = sessions["by_turn"]
    assert [(t["turn"], t["planned"], t["sent"], t["ok"], t["failed"], t["not_sent"]) for t in turns] == [
        (1, 3, 3, 3, 0, 0),
        (2, 3, 3, 2, 1, 0),
        (3, 3, 1, 1, 0, 2),
    ]
    assert [t["e2e_ms"]["mean"] for t in turns] == pytest.approx([1000, 2000, 3000], rel=1e-3)
    assert [t["e2e_ms"]["n"] for t in turns] == [3, 2, 1]
    assert [t["n_scored"] for t in turns] == [3, 2, 1]
    assert [t["tokens_in_mean"] for t in turns] == pytest.approx([100, 200, 300], rel=1e-6)
    assert turns[0]["cached_ratio"] == 0 and turns[2]["cached_ratio"] == pytest.approx(2 / 3, rel=1e-3)
    assert all(t["per_query_usd"] > 0 for t in turns)
    by_slice = found["quality"]["by_slice"]["turn"]
    assert [by_slice[turn]["n"] for turn in ("1", "2", "3")] == [3, 3, 1]
    assert any("1 turn of sessions never came due" in w for w in found["validity"]["warnings"])


def test_where_requests_stand_alone_there_are_no_sessions() -> None:
    info = info_of(scripts=None)
    found = figures(summed([record(0, 0, 70, 70)._replace(began_ns=None)], [True], info), info)
    assert found["sessions"] is None and "turn" not in found["quality"]["by_slice"]


def test_a_session_counts_where_it_began_and_its_latency_when_each_turn_was_due() -> None:
    info = info_of()
    last = three(0, 60 + LENGTH_S - 1)
    summary = summed(last, [True] * 3, info)
    keys, _ = summary.cells.arrays()
    assert {int(k >> 12) & 0xFFFFFFF for k in keys} == {60 + LENGTH_S - 1}
    due = {int(k) & 0xFFFFFFF for k in summary.intervals.between(0, 1 << 40)[0]}
    assert due == {60 + LENGTH_S - 1, 60 + LENGTH_S + 39, 60 + LENGTH_S + 79}


def test_summaries_with_turns_add_up_in_any_grouping() -> None:
    info = info_of()
    parts = [summed(three(n, 70 + n), [n % 2 == 0] * 3, info) for n in range(6)]
    forwards, backwards = Summary(), Summary()
    for part in parts:
        forwards.merge(part)
    for part in reversed(parts):
        backwards.merge(Summary.from_bytes(part.to_bytes()))
    assert forwards == backwards
    together = summed(
        [r for n in range(6) for r in three(n, 70 + n)], [n % 2 == 0 for n in range(6) for _ in "abc"], info
    )
    assert together.turns == forwards.turns
    assert figures(together, info)["sessions"] == figures(forwards, info)["sessions"]


def test_the_interval_of_quality_knows_that_turns_of_a_session_are_not_independent() -> None:
    """Sessions go well or badly as a whole, and last for several blocks of time: 90% of intervals, or more,
    must hold the truth (97% of 200 did). With each turn in the block of its own due time 82% did."""
    info, rng = info_of(), np.random.default_rng(7)
    held, runs = 0, 60
    for _ in range(runs):
        records: list[Record] = []
        passed: list[bool] = []
        for session in range(80):
            records += three(session, 60 + session * LENGTH_S / 80)
            passed += [bool(rng.random() < 0.6)] * 3
        found = figures(summed(records, passed, info), info)["quality"]
        held += found["low"] <= 0.6 <= found["high"]
    assert held >= 0.9 * runs
