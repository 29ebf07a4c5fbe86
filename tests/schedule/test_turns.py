"""Sessions of several turns: planned in full before the run but for when a later turn is due."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmload import schedule
from mmload.model import NS_PER_S, Arrival, InputError
from mmload.plan import shapes_of
from mmload.profile import Profile
from mmload.schedule import Schedule, Turns

ITEMS = 60
STRATA = np.arange(ITEMS) % 4
TASKS = ["chart"] * ITEMS
SCRIPTS = [(0, 1, 2), (3,), (4, 5), *[(n, n + 1, n + 2) for n in range(6, 57, 3)]]


def plan(*phases: dict[str, Any], scripts: Any = SCRIPTS, **keys: Any) -> Schedule:
    base = {"shape": "sustained", "duration_s": 10.0, "rpm": 600}
    listed = [{**base, "name": f"p{n}", **phase} for n, phase in enumerate(phases)]
    asked = Profile.model_validate({"name": "t", "target": {"engine": "sim"}, "phase": listed, **keys})
    return schedule.compile(asked, shapes_of(asked, Path()), STRATA, TASKS, scripts)


def turns_of(made: Schedule) -> Turns:
    assert made.turns is not None
    return made.turns


def session(made: Schedule, start: Arrival) -> list[Arrival]:
    """The session as it goes if every answer takes a second."""
    found, turns = [start], turns_of(made)
    while (turn := turns.later(found[-1], found[-1].due_ns + NS_PER_S)) is not None:
        found.append(turn)
    return found


@given(
    seed=st.integers(0, 50),
    reuse=st.sampled_from([0.0, 0.3]),
    order=st.sampled_from(["run", "phase"]),
    think=st.sampled_from(["constant", "exponential", "lognormal"]),
)
@settings(max_examples=40, deadline=None)
def test_every_session_asks_one_script_in_its_order_and_every_request_is_planned_once(
    seed: int, reuse: float, order: str, think: str
) -> None:
    made = plan({}, {"repeats": 2}, seed=seed, mix={"media_reuse": reuse, "order": order},
                sessions={"turns": {"1": 1, "3": 1}, "think": think})  # fmt: skip
    turns = turns_of(made)
    seen: list[int] = []
    for place in range(len(made)):
        start = made.arrival(place)
        asked = session(made, start)
        seen += [a.seq for a in asked]
        assert tuple(a.item for a in asked) in SCRIPTS
        assert {a.phase for a in asked} == {start.phase} and {a.began_ns for a in asked} == {start.due_ns}
        assert [a.due_ns - b.due_ns - NS_PER_S for b, a in pairwise(asked)] == [
            int(turns.think_ns[a.seq]) for a in asked[1:]
        ]
        assert turns.rest(start, 7) == [a._replace(due_ns=7) for a in asked[1:]]
    assert sorted(seen) == list(range(len(turns)))
    for p in made.phases:
        mine = np.flatnonzero(turns.phase == p.number)
        assert mine.tolist() == list(range(p.first_seq, p.first_seq + p.planned))
        assert np.array_equal(turns.item[mine], made.planned_items(p.number))
    assert turns.think_ns[turns.first == np.arange(len(turns))].max(initial=0) == 0


@given(count=st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_sessions_stay_whole_whichever_worker_takes_them(count: int) -> None:
    made = plan({}, {})
    stripes = [made.stripe(index, count) for index in range(count)]
    taken = [a for stripe in stripes for n in range(len(stripe)) for a in session(stripe, stripe.arrival(n))]
    assert sorted(a.seq for a in taken) == list(range(len(turns_of(made))))
    alone = [a for n in range(len(made)) for a in session(made, made.arrival(n))]
    assert sorted(taken) == sorted(alone)


def test_requests_per_minute_are_what_the_profile_says_not_sessions() -> None:
    planned = [
        p.planned for seed in range(20) for p in plan({"rpm": 1200, "duration_s": 60}, seed=seed).phases
    ]
    mean = sum(map(len, SCRIPTS)) / len(SCRIPTS)
    # Sessions are Poisson of mean 1200 / mean; their turns then have this standard deviation.
    spread = np.sqrt(1200 / mean * np.mean([len(s) ** 2 for s in SCRIPTS]) / 20)
    assert np.mean(planned) == pytest.approx(1200, abs=4 * spread)
    ramp = plan(
        {"shape": "ramp", "rpm": None, "to_rpm": 2400, "duration_s": 60}, arrivals={"process": "constant"}
    )
    assert len(ramp) == np.ceil(1200 / mean)
    assert ramp.turns_each == pytest.approx(mean, rel=0.05)


def test_times_to_think_have_the_mean_and_the_variation_asked_for() -> None:
    for sessions, cv in (
        ({"think": "constant"}, 0.0),
        ({}, 1.0),
        ({"think": "lognormal", "think_cv": 0.5}, 0.5),
    ):
        made = plan({"rpm": 60000}, sessions={"turns": 3, "think_time_s": 4.0, **sessions})
        turns = turns_of(made)
        think = turns.think_ns[turns.first != np.arange(len(turns))] / NS_PER_S
        n = len(think)
        assert n > 5000
        assert think.mean() == pytest.approx(4.0, abs=1e-9 + 5 * 4.0 * cv / np.sqrt(n))
        assert think.std() / 4.0 == pytest.approx(cv, abs=1e-9 + 0.1 * cv)


def test_the_fingerprint_knows_scripts_and_thoughts_and_arrivals_do_not_depend_on_thoughts() -> None:
    first = plan({}).fingerprint_bytes()
    assert first == plan({}).fingerprint_bytes()
    others = [
        plan({}, sessions={"think_time_s": 3.0}),
        plan({}, scripts=[*SCRIPTS[1:], SCRIPTS[0]]),
        plan({}, seed=2),
    ]
    assert all(first != other.fingerprint_bytes() for other in others)
    assert np.array_equal(plan({}).due_ns, others[0].due_ns)


def test_a_shape_that_gives_its_own_instants_or_no_rate_is_refused() -> None:
    with pytest.raises(InputError, match=r"sessions\.turns"):
        plan({"rpm": None, "users": 2})


def test_without_scripts_nothing_of_a_session_is_planned() -> None:
    made = plan({}, scripts=None)
    assert made.turns is None and made.turns_each == 1.0 and made.arrival(0).began_ns is None


def test_times_are_those_of_sessions_whose_every_answer_takes_as_long() -> None:
    made = plan({}, {"repeats": 2}, sessions={"turns": 3})
    times = made.times_ns(NS_PER_S)
    for place in range(len(made)):
        for a in session(made, made.arrival(place)):
            assert times[a.seq] == a.due_ns
    assert np.array_equal(plan({}, scripts=None).times_ns(5), plan({}, scripts=None).due_ns)
