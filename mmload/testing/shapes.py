"""What every shape promises.

Not aware of how a shape is made; it is handed one that is ready.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mmload.shapes import Shape

_POINTS: Final = 2000


def check_shape(shape: Shape) -> None:
    """Raise ``AssertionError`` unless the shape keeps its contract at 2,000 points of its time.

    Open loop: ``expected`` is 0 at 0, never falls, is constant after the end, and has the slope ``rate``;
    ``inverse``, if there is one, undoes it to 1 ns; ``exact_s`` lies in the phase, sorted. Closed loop:
    there are users at some time, never a negative number. Burst windows lie in the phase, in order.
    """
    assert shape.duration_s > 0, "duration_s must be above 0"
    times = [float(t) for t in np.linspace(0.0, shape.duration_s, _POINTS, endpoint=False)]
    _bursts(shape)
    if shape.open_loop:
        _open(shape, times)
    else:
        users = [shape.users(t) for t in times]
        assert all(isinstance(u, int) and u >= 0 for u in users), "users(t) must be a whole number, 0 or more"
        assert max(users) > 0, "a closed loop needs users at some time"


def _bursts(shape: Shape) -> None:
    last = 0.0
    for start, end in shape.bursts:
        inside = last <= start < end <= shape.duration_s * (1 + 1e-9)
        assert inside, f"burst window {start:g} to {end:g} s is not in order, or not inside the phase"
        last = end


def _open(shape: Shape, times: list[float]) -> None:
    duration_s = shape.duration_s
    counts = [shape.expected(t) for t in [*times, duration_s]]
    total = counts[-1]
    exact = getattr(shape, "exact_s", None)
    assert exact is not None or counts[0] == 0.0, f"expected(0) must be 0, not {counts[0]:g}"
    for t, a, b in zip(times, counts[:-1], counts[1:], strict=True):
        assert b >= a * (1 - 1e-12), f"expected falls after {t:g} s, from {a:g} to {b:g}"
    assert shape.expected(2 * duration_s) == total, "expected must stay constant after the phase"
    assert all(shape.users(t) == 0 for t in times[:10]), "an open loop has no users: users(t) must be 0"
    if exact is not None:
        ordered = list(exact) == sorted(exact) and all(0 <= t < duration_s for t in exact)
        assert ordered, "exact_s must be sorted and inside the phase"
        return
    _slope(shape, times, total)
    _inverse(shape, total)


def _slope(shape: Shape, times: list[float], total: float) -> None:
    """The rate integrates to expected (midpoint rule), whatever corners it has."""
    step = shape.duration_s / _POINTS
    sum_of_rates = sum(shape.rate(t + step / 2) for t in times) * step
    close = abs(sum_of_rates - total) <= 0.01 * total + 1e-9
    assert close, f"rate adds up to {sum_of_rates:g} requests, expected says {total:g}"
    assert all(shape.rate(t) >= 0 for t in times), "rate(t) must not be negative"


def _inverse(shape: Shape, total: float) -> None:
    inverse = getattr(shape, "inverse", None)
    if inverse is None:
        return
    counts = np.linspace(0.0, total, 101)[1:-1]
    rounding = 1e-14 * total
    tolerance_s = 1e-9 + 1e-14 * shape.duration_s
    for t, count in zip(inverse(counts).tolist(), counts.tolist(), strict=True):
        around = (
            shape.expected(t - tolerance_s) - rounding <= count <= shape.expected(t + tolerance_s) + rounding
        )
        assert around, f"inverse({count:g}) = {t:g} s, but expected there is {shape.expected(t):g}"
