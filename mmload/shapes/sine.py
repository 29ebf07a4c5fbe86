"""A wave about a mean, as between night and day: ``rpm``, ``amplitude_rpm`` (or ``users``...), ``period_s``.

Begins in the trough, so that the target warms up before the peak. Yields how latency and quality
follow the load up and down (a target that does not come back down has a memory).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mmload.model import InputError
from mmload.profile import Phase
from mmload.schedule import invert
from mmload.shapes.curve import Floats
from mmload.shapes.loop import is_open, number, per_second


class Sine:
    """``level(t) = mean - amplitude * cos(2 pi t / period)``"""

    def __init__(self, phase: Phase, base_dir: Path) -> None:
        self.duration_s = phase.duration_s
        self.open_loop = is_open(phase, "rpm", "users")
        self.bursts: list[tuple[float, float]] = []
        mean_key, swing_key = ("rpm", "amplitude_rpm") if self.open_loop else ("users", "amplitude_users")
        scale = per_second(1.0) if self.open_loop else 1.0
        self._mean, self._swing = number(phase, mean_key) * scale, number(phase, swing_key) * scale
        if self._swing > self._mean:
            raise InputError(f'phase "{phase.name}": {swing_key} is above the mean, {mean_key}')
        self._omega = 2.0 * math.pi / (phase.period_s or phase.duration_s)

    def expected(self, t_s: float) -> float:
        """``mean*t - amplitude/omega * sin(omega*t)``"""
        return float(self._expected(np.array(t_s))) if self.open_loop else 0.0

    def _expected(self, t_s: Floats) -> Floats:
        t = np.clip(t_s, 0.0, self.duration_s)
        counts: Floats = self._mean * t - self._swing / self._omega * np.sin(self._omega * t)
        return np.maximum(counts, 0.0)

    def rate(self, t_s: float) -> float:
        return self._level(t_s) if self.open_loop else 0.0

    def users(self, t_s: float) -> int:
        return 0 if self.open_loop else math.floor(self._level(t_s) + 0.5)

    def inverse(self, counts: Floats) -> Floats:
        """Seconds at which ``expected`` reaches the counts (Kepler's equation: no closed form)."""
        return invert(self._expected, self.duration_s, counts)

    def _level(self, t_s: float) -> float:
        if not 0.0 <= t_s < self.duration_s:
            return 0.0
        return self._mean - self._swing * math.cos(self._omega * t_s)
