"""The admission ladder, as a pure function of waits and times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.serve.ladder import LIMITS, Ladder, Rung, wanted


@pytest.mark.parametrize(
    ("share", "rung"),
    [(0, 0), (0.124, 0), (0.125, 1), (0.249, 1), (0.25, 2), (0.399, 2), (0.4, 3), (1.5, 3), (1.51, 4)],
)
def test_a_wait_calls_for_the_rung_of_its_share_of_the_objective(share: float, rung: int) -> None:
    assert wanted(share) == rung


def test_each_rung_leaves_no_more_than_the_one_before() -> None:
    rungs = [LIMITS[rung] for rung in (Rung.FULL, Rung.SHRINK, Rung.CUT, Rung.FALLBACK)]
    edges = [limits.edge or 10**9 for limits in rungs]
    context = [limits.context_tokens or 10**9 for limits in rungs]
    assert edges == sorted(edges, reverse=True)
    assert context == sorted(context, reverse=True)
    assert [limits.fallback for limits in rungs] == [False, False, False, True]


def test_it_gives_up_more_at_once_and_takes_back_one_step_after_five_calm_seconds() -> None:
    ladder = Ladder(slo_s=1.0)
    assert ladder.admit(0.5, 0.0) is Rung.FALLBACK
    assert ladder.admit(0.0, 1.0) is Rung.FALLBACK
    assert ladder.admit(0.0, 5.9) is Rung.FALLBACK
    assert ladder.admit(0.0, 6.0) is Rung.CUT
    assert ladder.admit(0.0, 10.9) is Rung.CUT
    assert ladder.admit(0.0, 11.0) is Rung.SHRINK
    assert ladder.admit(0.0, 16.0) is Rung.FULL


def test_pressure_in_between_starts_the_calm_anew() -> None:
    ladder = Ladder(slo_s=1.0)
    ladder.admit(0.5, 0.0)
    ladder.admit(0.0, 1.0)
    ladder.admit(0.5, 4.0)
    assert ladder.admit(0.0, 6.5) is Rung.FALLBACK
    assert ladder.admit(0.0, 11.5) is Rung.CUT


def test_shedding_does_not_stick() -> None:
    ladder = Ladder(slo_s=1.0)
    assert ladder.admit(2.0, 0.0) is Rung.SHED
    assert ladder.admit(1.4, 0.001) is Rung.FALLBACK


def test_switched_off_it_serves_in_full_or_sheds() -> None:
    ladder = Ladder(slo_s=1.0, enabled=False)
    assert [ladder.admit(wait, 0.0) for wait in (0.0, 0.5, 1.4, 1.6)] == [0, 0, 0, 4]


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 10)), max_size=60))
def test_it_never_serves_better_than_the_wait_calls_for(steps: list[tuple[float, float]]) -> None:
    ladder, now = Ladder(slo_s=1.0), 0.0
    for wait, pause in steps:
        before, now = ladder.rung, now + pause
        rung = ladder.admit(wait, now)
        assert rung >= wanted(wait)
        assert ladder.rung >= before - 1
