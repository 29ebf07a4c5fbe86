"""The search as a state machine: it ends, keeps its budgets, and a cut changes nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mmload.model import CheckVerdict
from mmload.search.steps import Kind, Seen, Settings, Step, Stop, confirmed, decide, failing, spent, traffic_s

PASS, FAIL, OPEN = CheckVerdict.PASS, CheckVerdict.FAIL, CheckVerdict.INCONCLUSIVE
S = Settings(
    start_rpm=100, growth=1.5, max_rpm=20_000, step_s=10, warmup_s=2, replicates=6, replicate_s=10,
    precision=0.1, max_requests=1_000_000, max_minutes=600,
)  # fmt: skip


def seen(
    step: Step, verdict: CheckVerdict, *, fast: bool = True, valid: bool = True, usd: float | None = 1.0
) -> Seen:
    seconds = traffic_s(S, step)
    requests = round(seconds * max(step.rpm, step.over_rpm) / 60)
    return Seen(step, verdict, verdict is PASS, fast, valid, requests, (seconds + 3) / 60, usd)


def searched(
    s: Settings, capacity: float, fast_until: float = 1e9, most: int = 60
) -> tuple[list[Seen], Stop]:
    """A search of a target without any noise."""
    found: list[Seen] = []
    for _ in range(most):
        step = decide(s, found)
        if isinstance(step, Stop):
            return found, step
        found.append(seen(step, PASS if step.rpm <= capacity else FAIL, fast=step.rpm <= fast_until))
    raise AssertionError("the search does not end")


@pytest.mark.parametrize("capacity", [101.0, 333.0, 777.0, 1234.0, 9000.0])
def test_without_noise_the_answer_is_within_the_precision_asked_for(capacity: float) -> None:
    found, stop = searched(S, capacity, fast_until=3 * capacity)
    best, failed = confirmed(found), failing(found)
    assert stop == Stop("found", complete=True)
    assert best is not None and failed is not None
    assert best.step.rpm <= capacity < failed.step.rpm <= best.step.rpm * 1.12
    kinds = [x.step.kind for x in found]
    assert kinds.index(Kind.CONFIRM) > kinds.index(Kind.BISECT) > kinds.index(Kind.CLIMB)
    assert Kind.BEYOND in kinds and kinds[-1] is Kind.DOWN


def test_what_it_comes_down_from_is_a_rate_at_which_latency_gives_way() -> None:
    found, _ = searched(S, 500.0, fast_until=1500)
    down = found[-1].step
    best = confirmed(found)
    assert best is not None and (down.kind, down.rpm) == (Kind.DOWN, best.step.rpm)
    assert (
        down.over_rpm == min(x.step.rpm for x in found if not x.fast and x.step.kind is not Kind.DOWN) > 1500
    )
    found, _ = searched(replace(S, max_rpm=1200), 500.0)
    failed = failing(found)
    assert failed is not None and found[-1].step.over_rpm >= failed.step.rpm


def test_the_first_rate_may_be_too_high() -> None:
    found, _ = searched(S, 40.0)
    best = confirmed(found)
    assert Kind.LOWER in [x.step.kind for x in found] and best is not None and 33 <= best.step.rpm <= 40


def test_where_nothing_holds_nothing_is_confirmed() -> None:
    found, stop = searched(S, 1.0)
    assert stop == Stop("no rate that was tried holds", complete=True) and confirmed(found) is None


def test_a_target_that_holds_everything_is_confirmed_at_the_highest_rate_allowed() -> None:
    found, _ = searched(replace(S, max_rpm=500), 1e9)
    best = confirmed(found)
    assert best is not None and best.step.rpm == 500 and failing(found) is None


def test_only_fresh_confirming_phases_make_an_answer() -> None:
    climb = Step(Kind.CLIMB, 100, 1, 10)
    assert confirmed([seen(climb, PASS)]) is None
    assert confirmed([seen(replace(climb, kind=Kind.BOUND), PASS)]) is None
    assert confirmed([seen(replace(climb, kind=Kind.CONFIRM), OPEN)]) is None
    assert confirmed([seen(replace(climb, kind=Kind.CONFIRM), PASS, valid=False)]) is None
    assert confirmed([seen(replace(climb, kind=Kind.CONFIRM), PASS)]) is not None


def test_a_candidate_that_is_not_confirmed_gives_way_to_a_lower_one() -> None:
    found: list[Seen] = []
    tried = []
    while not isinstance(step := decide(S, found), Stop):
        missed = step.kind is Kind.CONFIRM
        tried += [step.rpm] if missed else []
        found.append(seen(step, OPEN if missed else PASS if step.rpm <= 500 else FAIL))
    assert step == Stop("no candidate could be confirmed", complete=True)
    assert tried == sorted(tried, reverse=True) and len(tried) == 4


def test_a_generator_that_is_the_limit_twice_ends_the_search() -> None:
    climb = Step(Kind.CLIMB, 100, 1, 18)
    once = [seen(climb, PASS, valid=False)]
    assert decide(S, once) == climb
    stop = decide(S, once * 2)
    assert isinstance(stop, Stop) and not stop.complete and "generator" in stop.reason


def test_steps_are_long_enough_for_the_rate_and_for_the_gates() -> None:
    slow = replace(S, start_rpm=6, needed=149)
    first = decide(slow, [])
    assert isinstance(first, Step) and first.rpm * first.seconds / 60 >= 30
    found, _ = searched(slow, 20.0)
    best = confirmed(found)
    assert best is not None and best.measured >= 1.5 * 149


@pytest.mark.parametrize("budget", [{"max_minutes": 2.5}, {"max_requests": 1500}, {"max_usd": 8.0}])
def test_a_spent_budget_ends_the_search_and_says_so(budget: dict[str, float]) -> None:
    s = replace(S, **budget)
    found, stop = searched(s, 777.0)
    minutes, requests, usd = spent(found)
    assert minutes <= s.max_minutes and requests <= s.max_requests and usd is not None
    assert s.max_usd is None or usd <= s.max_usd + 1
    assert not stop.complete and stop.reason.startswith("the budget does not allow another step")


def test_a_budget_too_small_for_the_first_step_says_what_it_takes_and_what_to_change() -> None:
    stop = decide(replace(S, start_rpm=50, needed=149, max_minutes=1.8), [])
    assert isinstance(stop, Stop) and not stop.complete
    assert stop.reason.startswith("at 50 rpm the first step") and "(allowed: 1.8)" in stop.reason
    assert "capacity.start_rpm" in stop.reason


def test_time_for_the_confirmation_is_kept_back() -> None:
    found, _ = searched(replace(S, max_minutes=4.0), 777.0)
    assert confirmed(found) is not None


def test_a_budget_of_dollars_needs_prices() -> None:
    found = [seen(Step(Kind.CLIMB, 100, 1, 18), PASS, usd=None)]
    stop = decide(replace(S, max_usd=10.0), found)
    assert isinstance(stop, Stop) and "unknown of 10 USD" in stop.reason


@examples(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.5, 60.0), st.integers(100, 200_000))
def test_whatever_is_seen_it_ends_within_its_budgets_and_a_cut_changes_nothing(
    seed: int, minutes: float, requests: int
) -> None:
    draw = random.Random(seed)
    s = replace(S, max_minutes=minutes, max_requests=requests)
    found: list[Seen] = []
    steps: list[Step] = []
    for _ in range(200):
        step = decide(s, found)
        if isinstance(step, Stop):
            break
        steps.append(step)
        valid = draw.random() < 0.95
        found.append(seen(step, draw.choice([PASS, FAIL, OPEN]), fast=draw.random() < 0.7, valid=valid))
    else:
        raise AssertionError("the search does not end")
    assert spent(found)[0] <= minutes and spent(found)[1] <= requests
    best, failed = confirmed(found), failing(found)
    if best is not None and failed is not None:
        assert best.step.rpm < failed.step.rpm
    # Asked again with any beginning of what was seen, it says what it said then.
    for cut in range(len(steps)):
        assert decide(s, found[:cut]) == steps[cut]
