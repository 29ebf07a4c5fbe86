"""A staircase: ``rpm = [60, 120, 240]`` or ``users = [1, 2, 4]``, each step equally long.

Yields latency and quality by level, and so the knee.
"""

from __future__ import annotations

from pathlib import Path

from mmload.profile import Phase
from mmload.shapes.curve import Curve, staircase
from mmload.shapes.loop import CurveShape, is_open, levels, per_second


class Steps(CurveShape):
    def __init__(self, phase: Phase, base_dir: Path) -> None:
        open_loop = is_open(phase, "rpm", "users")
        heights = [per_second(rpm) for rpm in levels(phase, "rpm")] if open_loop else levels(phase, "users")
        super().__init__(phase.duration_s, Curve(staircase(heights, phase.duration_s)), open_loop=open_loop)
