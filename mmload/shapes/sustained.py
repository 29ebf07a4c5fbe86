"""One level from beginning to end: ``rpm`` (open loop) or ``users`` (closed loop).

Yields the steady-state latency, quality and cost at that level.
"""

from __future__ import annotations

from pathlib import Path

from mmload.profile import Phase
from mmload.shapes.curve import Curve, staircase
from mmload.shapes.loop import CurveShape, is_open, number, per_second


class Sustained(CurveShape):
    def __init__(self, phase: Phase, base_dir: Path) -> None:
        open_loop = is_open(phase, "rpm", "users")
        level = per_second(number(phase, "rpm")) if open_loop else number(phase, "users")
        super().__init__(phase.duration_s, Curve(staircase([level], phase.duration_s)), open_loop=open_loop)
