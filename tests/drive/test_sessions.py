"""Turns come due after the answers before them, and every planned turn ends as something."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule.test_turns import plan, turns_of

from mmload.drive.arrivals import NEVER, Conversations
from mmload.model import NS_PER_MS, Arrival

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "two workers": {"workers": 2},
    "a turn fails": {"fails": [1]},
    "a turn fails and the session goes on": {"fails": [1], "go_on": True},
    "interrupted": {"stop_ms": 250},
    "the drain ends": {"think_ms": 400, "drain_s": 0.28},
    "too few lanes": {"lanes": 1, "answer_ms": 150, "drain_s": 0.2},
    "the generator stands still": {"still_s": 1.6},
    "the generator stands still in a lane": {"still_s": 1.6, "in_lane": True},
}
USUAL = {"rpm": 1800, "seconds": 0.4, "think_ms": 50, "answer_ms": 20, "drain_s": 5}


@pytest.fixture(scope="module")
def ran() -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sessions_in_worker.py"))],
        input=json.dumps({"cases": [USUAL | case for case in CASES.values()]}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def sessions(records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Three turns each, in the order of their numbers."""
    ordered = sorted(records, key=lambda r: r["seq"])
    assert [r["seq"] for r in ordered] == list(range(len(ordered))), "each planned turn has one record"
    return [ordered[n : n + 3] for n in range(0, len(ordered), 3)]


@pytest.mark.parametrize("case", CASES)
def test_every_planned_turn_has_one_record_with_its_session(
    ran: dict[str, list[dict[str, Any]]], case: str
) -> None:
    made = sessions(ran[case])
    assert len(made) == 4, "12 requests of 1800 rpm in 0.4 s are four sessions of three turns"
    for turns in made:
        assert [t["item"] for t in turns] in ([0, 1, 2], [3, 4, 5])
        assert {t["began_ns"] for t in turns} == {turns[0]["due_ns"]}
        assert len({t["worker"] for t in turns}) == 1
        assert all(t["sent_ns"] >= t["due_ns"] for t in turns if t["outcome"] != "not_sent"), (
            "woken early, it waits until it is due"
        )
        outcomes = [t["outcome"] for t in turns]
        assert outcomes == sorted(outcomes, key=lambda o: o == "not_sent"), (
            "nothing is sent after what was not"
        )


def test_a_later_turn_is_due_its_time_to_think_after_the_answer(ran: dict[str, list[dict[str, Any]]]) -> None:
    for turns in [*sessions(ran["plain"]), *sessions(ran["two workers"])]:
        assert [t["outcome"] for t in turns] == ["ok"] * 3
        for before, after in pairwise(turns):
            assert after["due_ns"] == before["end_ns"] + 50 * NS_PER_MS
            assert after["sent_ns"] >= after["due_ns"]


def kinds(records: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((r["outcome"], r["error"]) for r in records)


def test_a_failed_turn_ends_its_session_unless_it_shall_go_on(ran: dict[str, list[dict[str, Any]]]) -> None:
    ended, went_on = ran["a turn fails"], ran["a turn fails and the session goes on"]
    broken = sum(turns[0]["item"] == 0 for turns in sessions(ended))
    assert broken == 2
    assert kinds(ended) == {
        ("ok", ""): 12 - 2 * broken,
        ("failed", "http_5xx"): broken,
        ("not_sent", "session_ended"): broken,
    }
    assert {r["error_detail"] for r in ended if r["error"] == "session_ended"} == {
        "a turn before it ended as http_5xx"
    }
    assert kinds(went_on) == {("ok", ""): 12 - broken, ("failed", "http_5xx"): broken}


def test_what_an_interrupt_or_the_drain_leaves_out_says_so(ran: dict[str, list[dict[str, Any]]]) -> None:
    interrupted = kinds(ran["interrupted"])
    assert interrupted["ok", ""] and set(interrupted) <= {("ok", ""), ("not_sent", "local_cancelled")}
    assert interrupted["not_sent", "local_cancelled"] >= 3
    cut = kinds(ran["the drain ends"])
    assert set(cut) == {("ok", ""), ("not_sent", "session_cut")} and cut["not_sent", "session_cut"] >= 2


def test_without_a_lane_in_time_turns_are_dropped_and_those_after_them_cut(
    ran: dict[str, list[dict[str, Any]]],
) -> None:
    found = kinds(ran["too few lanes"])
    assert found["not_sent", "schedule_drop"] and found["ok", ""]
    assert set(found) <= {
        ("ok", ""),
        ("failed", "local_cancelled"),
        ("not_sent", "schedule_drop"),
        ("not_sent", "session_cut"),
    }


@pytest.mark.parametrize("case", [name for name in CASES if "stands still" in name])
def test_what_fell_due_over_a_second_before_a_stall_ended_is_not_sent_nor_are_the_turns_after_it(
    ran: dict[str, list[dict[str, Any]]], case: str
) -> None:
    found = kinds(ran[case])
    assert set(found) == {("ok", ""), ("not_sent", "schedule_drop"), ("not_sent", "session_ended")}
    dropped = [r for r in ran[case] if r["error"] == "schedule_drop"]
    assert len(dropped) >= 2 and all("the generator stood still" in r["error_detail"] for r in dropped)


@given(answers=st.lists(st.integers(0, 3 * 10**9), min_size=1, max_size=40), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_first_and_later_turns_come_in_the_order_in_which_they_are_due(answers: list[int], seed: int) -> None:
    made = plan({"rpm": 240}, seed=seed, sessions={"turns": 3})
    arrivals = Conversations(made, turns_of(made))
    taken: list[Arrival] = []
    while arrivals.due_ns != NEVER:
        due = arrivals.due_ns
        arrival = arrivals.pop()
        assert arrival.due_ns == due
        taken.append(arrival)
        turn = arrivals.later(arrival, arrival.due_ns + answers[len(taken) % len(answers)])
        if turn is not None:
            arrivals.add(turn)
    assert [a.due_ns for a in taken] == sorted(a.due_ns for a in taken)
    assert sorted(a.seq for a in taken) == list(range(len(turns_of(made))))


def test_sessions_of_a_lost_worker_are_taken_over_whole() -> None:
    made = plan({}, sessions={"turns": 3})
    mine, lost = made.stripe(0, 2), made.stripe(1, 2)
    arrivals = Conversations(mine, turns_of(made))
    first = arrivals.pop()
    second = arrivals.later(first, first.due_ns)
    assert second is None or arrivals.add(second) is None
    from_ns = 5 * 10**9
    arrivals.merge(lost.after(from_ns))
    left = arrivals.remaining()
    assert [a.due_ns for a in left] == sorted(a.due_ns for a in left) and arrivals.due_ns == NEVER
    starts = {a.seq for a in left if a.due_ns == a.began_ns}
    assert starts == {*mine.seq[1:].tolist(), *lost.after(from_ns).seq.tolist()}
    assert (second in left) == (second is not None)


def test_of_a_lost_worker_only_the_first_unknown_turn_of_a_session_can_have_been_sent() -> None:
    script = Path(__file__).with_name("lost_in_master.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    s = 10**9
    assert json.loads(done.stdout) == [
        [1, "failed", "worker_lost", 1, 0, 0],
        [2, "not_sent", "worker_lost", 0, 0, 0],
        [3, "failed", "worker_lost", 1, 5 * s, 5 * s],
        [4, "not_sent", "worker_lost", 0, 5 * s, 5 * s],
        [5, "not_sent", "worker_lost", 0, 5 * s, 5 * s],
        *[
            [n, "not_sent", "worker_lost", 0, t * s, t * s]
            for n, t in zip(range(6, 12), [10] * 3 + [15] * 3, strict=True)
        ],
    ]
