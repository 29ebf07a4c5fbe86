"""Laws of every shape, and what each one is in particular."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.model import InputError
from mmload.profile import Phase
from mmload.schedule import invert
from mmload.shapes.burst import Burst
from mmload.shapes.ramp import Ramp
from mmload.shapes.sine import Sine
from mmload.shapes.steps import Steps
from mmload.shapes.sustained import Sustained

RPM = st.floats(0, 1e6, allow_subnormal=False)
POSITIVE_RPM = st.floats(0.01, 1e6)
DURATION = st.floats(0.01, 86400)


def phase(shape: str, **keys: Any) -> Phase:
    return Phase(name="p", shape=shape, **{"duration_s": 60.0, **keys})


@st.composite
def bursts(draw: st.DrawFn) -> Burst:
    duration = draw(DURATION)
    length = duration * draw(st.floats(0.01, 0.5))
    keys = {
        "rpm": draw(RPM),
        "peak_rpm": draw(POSITIVE_RPM),
        "duration_s": duration,
        "burst_s": length,
        "burst_start_s": draw(st.floats(0, 0.5)) * duration,
        "burst_every_s": draw(st.none() | st.floats(1.1, 3).map(lambda f: f * length)),
    }
    return Burst(phase("burst", **keys), Path())


@st.composite
def sines(draw: st.DrawFn) -> Sine:
    mean, duration = draw(POSITIVE_RPM), draw(DURATION)
    keys = {"rpm": mean, "amplitude_rpm": mean * draw(st.floats(0, 1)), "duration_s": duration}
    return Sine(phase("sine", **keys, period_s=duration * draw(st.floats(0.05, 2))), Path())


OPEN_SHAPES = st.one_of(
    st.builds(
        lambda r, d: Sustained(phase("sustained", rpm=r, duration_s=d), Path()), POSITIVE_RPM, DURATION
    ),
    st.builds(
        lambda a, b, d: Ramp(phase("ramp", from_rpm=a, to_rpm=b, duration_s=d), Path()),
        RPM,
        POSITIVE_RPM,
        DURATION,
    ),
    st.builds(
        lambda r, d: Steps(phase("steps", rpm=r, duration_s=d), Path()),
        st.lists(RPM, min_size=1, max_size=6).filter(lambda rates: sum(rates) > 0.01),
        DURATION,
    ),
    bursts(),
    sines(),
)


@given(OPEN_SHAPES, st.lists(st.floats(-0.1, 1.1), min_size=2, max_size=20))
def test_expected_starts_at_0_never_falls_and_stays_constant_after_the_end(
    shape: Any, shares: list[float]
) -> None:
    counts = [shape.expected(share * shape.duration_s) for share in sorted(shares)]
    assert shape.expected(0.0) == 0.0
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(counts))
    assert shape.expected(2 * shape.duration_s) == shape.expected(shape.duration_s)


@given(OPEN_SHAPES, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_inverse_of_expected_is_exact_to_a_nanosecond(shape: Any, shares: list[float]) -> None:
    total = shape.expected(shape.duration_s)
    counts = np.sort(np.array(shares)) * total
    times = shape.inverse(counts)
    assert np.all((times >= 0) & (times <= shape.duration_s))
    assert np.all(np.diff(times) >= -1e-9)
    # A float holds neither a day to better than 1e-11 s nor a large count without rounding.
    tolerance = 1e-9 + 1e-14 * shape.duration_s
    rounding = 8e-15 * total
    for t, count in zip(times.tolist(), counts.tolist(), strict=True):
        assert shape.expected(t - tolerance) <= count + rounding
        assert shape.expected(t + tolerance) >= count - rounding


@given(OPEN_SHAPES, st.floats(0.001, 0.999))
def test_the_rate_is_the_slope_of_expected(shape: Any, share: float) -> None:
    t, h = share * shape.duration_s, 1e-6 * shape.duration_s
    corners = [edge for window in shape.bursts for edge in window]
    if isinstance(shape, Steps) or any(abs(t - corner) <= 2 * h for corner in corners):
        return
    slope = (shape.expected(t + h) - shape.expected(t - h)) / (2 * h)
    peak = max(shape.rate(s * shape.duration_s / 50) for s in range(50))
    assert slope == pytest.approx(shape.rate(t), rel=1e-3, abs=1e-3 * peak + 1e-9)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1000))
def test_the_general_inverter_serves_a_shape_that_brings_none(rate: float, duration: float) -> None:
    def expected(t: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return rate * np.maximum(0.0, t - duration / 3) ** 3

    counts = np.linspace(0.01, 1, 50) * float(expected(np.array(duration)))
    true = duration / 3 + np.cbrt(counts / rate)
    assert np.allclose(invert(expected, duration, counts), true, rtol=1e-13, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "keys", "total"),
    [
        (Sustained, {"rpm": 120}, 120),
        (Ramp, {"to_rpm": 120}, 60),
        (Ramp, {"from_rpm": 120, "to_rpm": 0}, 60),
        (Steps, {"rpm": [60, 120, 240]}, 140),
        (Burst, {"rpm": 60, "peak_rpm": 660}, 160),
        (Burst, {"rpm": 60, "peak_rpm": 660, "burst_start_s": 5, "burst_s": 2, "burst_every_s": 10}, 180),
        (Burst, {"rpm": 60, "peak_rpm": 660, "burst_start_s": 55, "burst_s": 5}, 110),
        (Sine, {"rpm": 60, "amplitude_rpm": 60}, 60),
    ],
)
def test_a_minute_of_a_shape_holds_as_many_requests_as_its_keys_say(
    make: Callable[..., Any], keys: dict[str, Any], total: float
) -> None:
    shape = make(phase(make.__name__.lower(), **keys), Path())
    assert shape.expected(60) == pytest.approx(total)
    assert shape.open_loop
    assert shape.users(1) == 0


@pytest.mark.parametrize(
    ("make", "keys", "users"),
    [
        (Sustained, {"users": 7}, [7, 7, 7, 0]),
        (Ramp, {"to_users": 10}, [1, 5, 10, 0]),
        (Ramp, {"from_users": 10, "to_users": 0}, [10, 5, 1, 0]),
        (Steps, {"users": [1, 2, 4]}, [1, 2, 4, 0]),
        (Burst, {"users": 2, "peak_users": 9}, [2, 9, 2, 0]),
        (Sine, {"users": 4, "amplitude_users": 2}, [2, 6, 2, 0]),
    ],
)
def test_a_closed_loop_has_its_users_at_start_middle_end_and_none_after(
    make: Callable[..., Any], keys: dict[str, Any], users: list[int]
) -> None:
    shape = make(phase(make.__name__.lower(), **keys), Path())
    middle = 25 if make is Burst else 30
    assert [shape.users(t) for t in (0, middle, 59.999, 60)] == users
    assert not shape.open_loop
    assert shape.expected(30) == 0
    assert shape.rate(30) == 0


def test_burst_windows_are_told_and_cut_off_at_the_end_of_the_phase() -> None:
    keys = {"rpm": 1, "peak_rpm": 2, "burst_start_s": 10, "burst_s": 15, "burst_every_s": 20}
    assert Burst(phase("burst", **keys), Path()).bursts == [(10, 25), (30, 45), (50, 60)]
    assert Burst(phase("burst", rpm=1, peak_rpm=2), Path()).bursts == [(20, 30)]


def test_a_wave_begins_in_its_trough() -> None:
    shape = Sine(phase("sine", rpm=60, amplitude_rpm=30, period_s=20), Path())
    assert [shape.rate(t) for t in (0, 10, 20)] == pytest.approx([0.5, 1.5, 0.5])
    assert math.isclose(shape.expected(10), 10)


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (Sustained, {}),
        (Sustained, {"rpm": 1, "users": 1}),
        (Sustained, {"rpm": [1]}),
        (Ramp, {"from_rpm": 1}),
        (Burst, {"rpm": 1}),
        (Burst, {"users": 1, "peak_rpm": 2}),
        (Steps, {"rpm": 5}),
        (Steps, {"users": 5}),
        (Sine, {"rpm": 5}),
        (Sine, {"rpm": 5, "amplitude_rpm": 6}),
    ],
)
def test_missing_or_contradictory_keys_are_an_input_error(
    make: Callable[..., Any], keys: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match='"p"'):
        make(phase(make.__name__.lower(), **keys), Path())
