"""A base level with sudden peaks: ``rpm`` and ``peak_rpm``, or ``users`` and ``peak_users``.

Yields what a spike does to latency, quality and errors, and how long the target takes to recover.
"""

from __future__ import annotations

from pathlib import Path

from mmload.profile import Phase
from mmload.profile.rules import burst_window
from mmload.shapes.curve import Curve, pulses
from mmload.shapes.loop import CurveShape, is_open, number, per_second


class Burst(CurveShape):
    def __init__(self, phase: Phase, base_dir: Path) -> None:
        open_loop = is_open(phase, "rpm", "users")
        if open_loop:
            base, peak = per_second(number(phase, "rpm")), per_second(number(phase, "peak_rpm"))
        else:
            base, peak = number(phase, "users"), number(phase, "peak_users")
        windows = burst_windows(phase)
        curve = Curve(pulses(base, peak, windows, phase.duration_s))
        super().__init__(phase.duration_s, curve, open_loop=open_loop)
        self.bursts = windows


def burst_windows(phase: Phase) -> list[tuple[float, float]]:
    """Windows [start, end) in seconds; the last one is cut off by the end of the phase.

    By default one burst that begins after a third of the phase and lasts a sixth of it.
    """
    start, length = burst_window(phase)
    every = phase.burst_every_s if phase.burst_every_s is not None else phase.duration_s
    windows = []
    number = 0
    while (begin := start + number * every) < phase.duration_s:
        windows.append((begin, min(begin + length, phase.duration_s)))
        number += 1
    return windows
