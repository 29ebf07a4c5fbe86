"""The breaker opens on failures of the last seconds, never on few, on old ones, or on shed requests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmload.launch.breaker import LEAST, Breaker
from mmload.profile import Target
from mmload.summary import Summary
from mmload.summary.measures import F

INFO: Any = SimpleNamespace(bin_s=1.0)


def summary(*seconds: tuple[int, int, int]) -> Summary:
    """(ok, failed, shed) by second."""
    made = Summary()
    for number, (ok, failed, shed) in enumerate(seconds):
        row = np.zeros((1, len(F)), np.int64)
        row[0, [F.OK, F.FAILED, F.SHED, F.ENDED]] = ok, failed, shed, ok + failed + shed
        made.flow.add(np.array([number], np.int64), row)
    return made


def breaker(limit: float | None, window_s: float = 3) -> Breaker:
    return Breaker(Target(engine="sim", stop_at_error_ratio=limit, stop_window_s=window_s))


def test_it_opens_above_its_limit_and_not_at_it() -> None:
    assert not breaker(0.5).open(summary((10, 10, 0)), INFO)
    found = breaker(0.5)
    assert found.open(summary((9, 11, 0)), INFO) and found.ratio == 0.55


def test_few_requests_say_nothing() -> None:
    assert not breaker(0.0).open(summary((0, LEAST - 1, 0)), INFO)
    assert breaker(0.0).open(summary((0, LEAST, 0)), INFO)


def test_only_the_last_seconds_count() -> None:
    assert not breaker(0.5).open(summary((0, 500, 0), *[(20, 0, 0)] * 3), INFO)
    assert breaker(0.5).open(summary(*[(500, 0, 0)] * 5, *[(0, 20, 0)] * 3), INFO)


def test_a_target_that_sheds_protects_itself() -> None:
    assert not breaker(0.1).open(summary((0, 0, 500)), INFO)


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 3), max_size=8))
def test_without_a_limit_or_before_the_start_it_never_opens(seconds: list[tuple[int, int, int]]) -> None:
    assert not breaker(None).open(summary(*seconds), INFO)
    assert not breaker(0.0).open(summary(*seconds), None)
