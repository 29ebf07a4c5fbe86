"""When requests are due: a random process of unit rate, mapped through the inverse of a shape.

Time-rescaling: gaps of mean 1, cumulated and mapped through the inverse of ``expected``, have the rate
of the shape (Cinlar 1975; for exponential gaps it is the inhomogeneous Poisson process).
Not aware of items, phases before this one, or clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmload.model import NS_PER_S
from mmload.profile import Arrivals
from mmload.schedule.streams import Stream, rng

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ShapeOfTime(Protocol):
    """What the schedule needs of a shape."""

    duration_s: float
    open_loop: bool

    def expected(self, t_s: float) -> float: ...

    def users(self, t_s: float) -> int: ...


def due_times(arrivals: Arrivals, seed: int, number: int, shape: ShapeOfTime) -> Ints:
    """Due times of the ``number``-th phase (an open loop) in nanoseconds from its start, sorted."""
    exact = getattr(shape, "exact_s", None)
    if exact is not None:
        return np.sort(np.round(np.asarray(exact, np.float64) * NS_PER_S).astype(np.int64))
    total = shape.expected(shape.duration_s)
    counts = _unit_process(arrivals, seed, number, total)
    inverse = getattr(shape, "inverse", None)
    times = inverse(counts) if inverse else invert(_vectorised(shape.expected), shape.duration_s, counts)
    due = np.round(times * NS_PER_S).astype(np.int64)
    # An arrival that rounding puts on the end of its phase would belong to the next one.
    return np.minimum(due, round(shape.duration_s * NS_PER_S) - 1)


def _vectorised(expected: Callable[[float], float]) -> Callable[[Floats], Floats]:
    return lambda t_s: np.fromiter(map(expected, t_s.tolist()), np.float64, len(t_s))


def _unit_process(arrivals: Arrivals, seed: int, number: int, total: float) -> Floats:
    """Arrival points of a process of rate 1 on [0, total)."""
    if arrivals.process == "constant":
        return np.arange(np.ceil(total - 1e-9), dtype=np.float64)
    draw = rng(seed, Stream.ARRIVALS, number)
    cv = 1.0 if arrivals.process == "poisson" else arrivals.cv
    points = np.empty(0)
    last = 0.0
    while last < total:
        n = int((total - last) + 6.0 * cv * np.sqrt(total - last)) + 16
        gaps = draw.standard_exponential(n) if cv == 1.0 else draw.gamma(1.0 / cv**2, cv**2, n)
        points = np.concatenate((points, last + np.cumsum(gaps)))
        last = float(points[-1])
    return points[points < total]


def invert(expected: Callable[[Floats], Floats], duration_s: float, counts: Floats) -> Floats:
    """Times at which a non-decreasing ``expected`` (0 at 0) reaches the counts, exact to 1 ns.

    A table of 4,096 points brackets each time; then every step takes the better of a secant and the
    middle (regula falsi alone creeps where the rate is 0), until all brackets are below 1 ns.
    """
    grid = np.linspace(0.0, duration_s, 4097)
    table = np.maximum.accumulate(expected(grid))
    right = np.clip(np.searchsorted(table, counts, side="left"), 1, len(grid) - 1)
    low, high = grid[right - 1], grid[right]
    at_low, at_high = table[right - 1], table[right]
    for step in range(80):
        if not np.any(high - low > 0.5e-9):
            break
        gap = at_high - at_low
        share = np.divide(counts - at_low, gap, out=np.full_like(gap, 0.5), where=gap > 0)
        # Every third step halves: both ends then close in, whatever the curve.
        share = np.full_like(share, 0.5) if step % 3 == 2 else np.clip(share, 1e-3, 1 - 1e-3)
        middle = low + share * (high - low)
        at_middle = expected(middle)
        below = at_middle < counts
        low, at_low = np.where(below, middle, low), np.where(below, at_middle, at_low)
        high, at_high = np.where(below, high, middle), np.where(below, at_high, at_middle)
    return high
