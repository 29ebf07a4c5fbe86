"""Two clocks made one: the kernel stamps received bytes with the wall clock, we reckon in monotonic.

The offset between them is sampled again and again, so that slewing (at most 0.5 ms in a second)
does not add up. A step of the wall clock shows as a stamp outside the interval in which the bytes
must have come; such a stamp is replaced by the user clock and the offset is sampled anew.
"""

from __future__ import annotations

import time
from typing import Final

_STEP_NS: Final = 1_000_000


def wall_minus_monotonic() -> int:
    """Offset in ns: the tightest of five bracketed readings."""
    best_gap = best = 0
    for i in range(5):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if i == 0 or after - before < best_gap:
            best_gap, best = after - before, wall - (before + after) // 2
    return best


class Clock:
    """Maps the kernel's wall stamps to this process's monotonic clock."""

    def __init__(self) -> None:
        self.offset_ns = wall_minus_monotonic()
        self.steps: list[tuple[int, int]] = []
        """Each step of the wall clock seen: monotonic ns, size in ns."""

    def resample(self) -> bool:
        """Sample the offset anew; true if the wall clock was set since the last time."""
        offset = wall_minus_monotonic()
        stepped = abs(offset - self.offset_ns) > _STEP_NS
        if stepped:
            self.steps.append((time.monotonic_ns(), offset - self.offset_ns))
        self.offset_ns = offset
        return stepped
