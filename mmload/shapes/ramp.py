"""From one level to another in a straight line: ``from_rpm``, ``to_rpm`` or ``from_users``, ``to_users``.

Yields the level at which the target begins to give way.
"""

from __future__ import annotations

import math
from pathlib import Path

from mmload.profile import Phase
from mmload.shapes.curve import Curve
from mmload.shapes.loop import CurveShape, is_open, number, per_second


class Ramp(CurveShape):
    def __init__(self, phase: Phase, base_dir: Path) -> None:
        open_loop = is_open(phase, "to_rpm", "to_users")
        if open_loop:
            start, end = per_second(phase.from_rpm or 0.0), per_second(number(phase, "to_rpm"))
        else:
            start, end = float(phase.from_users or 0), number(phase, "to_users")
        curve = Curve([(0.0, start), (phase.duration_s, end)])
        super().__init__(phase.duration_s, curve, open_loop=open_loop)

    def users(self, t_s: float) -> int:
        """Rounded to the nearest, and at least 1: a lane of the last instant only would send nothing."""
        if self.open_loop:
            return 0
        return max(1, math.floor(self._curve.at(t_s) + 0.5)) if 0 <= t_s < self.duration_s else 0
