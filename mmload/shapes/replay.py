"""The arrivals of a recorded trace at their own times: ``trace``, ``time_scale``, ``rate_scale``.

Yields what a day of real traffic does, with the clumps that no random process has. Open loop only.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmload.model import InputError
from mmload.profile import Phase
from mmload.shapes.traces import read_seconds


class Replay:
    """``exact_s`` holds the arrivals; those beyond ``duration_s`` are left out. ``rows``: of which row of the
    trace each is."""

    open_loop = True

    def __init__(self, phase: Phase, base_dir: Path) -> None:
        if phase.trace is None:
            raise InputError(f'phase "{phase.name}": the shape "replay" needs trace, a CSV or JSONL file')
        self.duration_s = phase.duration_s
        self.bursts: list[tuple[float, float]] = []
        times, rows = read_seconds(base_dir / phase.trace)
        scaled, of = _scale_rate(times * phase.time_scale, phase.rate_scale)
        inside = scaled < phase.duration_s
        self.exact_s, self.rows = scaled[inside], rows[of[inside]]
        self._sorted = self.exact_s.tolist()

    def expected(self, t_s: float) -> float:
        """Arrivals of the trace in [0, t]: a staircase."""
        return float(bisect_right(self._sorted, t_s)) if t_s >= 0 else 0.0

    def rate(self, t_s: float) -> float:
        """Arrivals of the trace in the second around t."""
        low, high = max(0.0, t_s - 0.5), min(self.duration_s, t_s + 0.5)
        return (bisect_right(self._sorted, high) - bisect_right(self._sorted, low)) / max(high - low, 1e-9)

    def users(self, t_s: float) -> int:
        return 0


def _scale_rate(times: NDArray[np.float64], factor: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """``factor`` times as many arrivals over the same time, the clumps kept where they are; and which of the
    trace's arrivals came last before each.

    The k-th lies where the trace's own count, taken as a straight line between arrivals, is k/factor.
    At factor 1 that is the trace itself.
    """
    if factor == 1.0:
        return times, np.arange(len(times))
    places = np.arange(int(np.floor((len(times) - 1) * factor + 1e-9)) + 1) / factor
    last = np.floor(places + 1e-9).astype(np.int64)
    return np.interp(places, np.arange(len(times)), times), last
