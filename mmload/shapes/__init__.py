"""Shapes of traffic: how many requests are due by t, as a pure function of time.

One file a shape. Members do not know each other, and no shape knows of clocks, seeds or Locust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mmload.profile import Phase


class Shape(Protocol):
    """What stands behind a name of the family ``mmload.shapes``.

    Three attributes are optional, for shapes that can do better than the general way:
    ``inverse(counts)``, the times at which ``expected`` reaches the counts, as arrays; ``exact_s``,
    the very arrival times of a shape that has them (a replayed trace), in the place of random ones; and
    ``rows``, the row of the trace that each of them is of.
    """

    duration_s: float
    open_loop: bool
    bursts: list[tuple[float, float]]
    """Burst windows [start, end) in seconds of the phase."""

    def __init__(self, phase: Phase, base_dir: Path) -> None:
        """Raises ``InputError`` for keys that are missing or contradict each other."""

    def expected(self, t_s: float) -> float:
        """Arrivals expected in [0, t]: non-decreasing, 0 at 0. Open loop only."""

    def rate(self, t_s: float) -> float:
        """Requests per second at t: the derivative of ``expected``. Open loop only."""

    def users(self, t_s: float) -> int:
        """Requests in flight at t. Closed loop only; 0 in an open loop."""
