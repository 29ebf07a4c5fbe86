"""A rate that runs straight between corner points: what ramp, burst, sustained and steps are made of.

Not aware of profiles, clocks or random arrivals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Curve:
    """Piecewise linear ``y(t)`` over [0, duration], right-continuous where it jumps.

    ``corners``: (t in seconds, y) in order of time, two at the same t for a jump. Its integral is a
    parabola on each piece, so the integral and its inverse are closed forms.
    """

    def __init__(self, corners: Sequence[tuple[float, float]]) -> None:
        self._t = np.array([t for t, _ in corners], dtype=np.float64)
        self._y = np.array([y for _, y in corners], dtype=np.float64)
        lengths = np.diff(self._t)
        areas = lengths * (self._y[:-1] + self._y[1:]) / 2.0
        self._area = np.concatenate(([0.0], np.cumsum(areas)))
        with np.errstate(divide="ignore", invalid="ignore"):
            self._slope = np.where(lengths > 0, np.diff(self._y) / lengths, 0.0)

    @property
    def total(self) -> float:
        """The whole integral."""
        return float(self._area[-1])

    def at(self, t_s: float) -> float:
        """``y(t)``, 0 outside the curve."""
        if not self._t[0] <= t_s < self._t[-1]:
            return 0.0
        piece = int(np.searchsorted(self._t, t_s, side="right")) - 1
        return float(self._y[piece] + self._slope[piece] * (t_s - self._t[piece]))

    def integral(self, t_s: float) -> float:
        """Integral of ``y`` over [0, t]; constant outside the curve."""
        if t_s <= self._t[0]:
            return 0.0
        if t_s >= self._t[-1]:
            return self.total
        piece = int(np.searchsorted(self._t, t_s, side="right")) - 1
        within = t_s - self._t[piece]
        value = self._area[piece] + within * (self._y[piece] + self._slope[piece] * within / 2.0)
        return float(min(value, self._area[piece + 1]))

    def inverse(self, areas: Floats) -> Floats:
        """The first t at which the integral reaches each area (0 <= area <= total).

        Solves ``area = y0*x + slope*x*x/2`` on its piece in the form ``2a / (y0 + sqrt(y0^2 + 2*slope*a))``,
        which loses no digits when the slope or the rate is near 0.
        """
        piece = np.clip(np.searchsorted(self._area, areas, side="left") - 1, 0, len(self._slope) - 1)
        rest = np.maximum(areas - self._area[piece], 0.0)
        y0, slope = self._y[piece], self._slope[piece]
        root = np.sqrt(np.maximum(y0 * y0 + 2.0 * slope * rest, 0.0))
        below = y0 + root
        x = np.divide(2.0 * rest, below, out=np.zeros_like(rest), where=below > 0)
        times: Floats = np.minimum(self._t[piece] + x, self._t[piece + 1])
        return times


def staircase(levels: Sequence[float], duration_s: float) -> list[tuple[float, float]]:
    """Corners of steps of equal length."""
    edges = [number * duration_s / len(levels) for number in range(len(levels))] + [duration_s]
    corners: list[tuple[float, float]] = []
    for level, start, end in zip(levels, edges[:-1], edges[1:], strict=True):
        corners += [(start, level), (end, level)]
    return corners


def pulses(
    base: float, peak: float, windows: Sequence[tuple[float, float]], duration_s: float
) -> list[tuple[float, float]]:
    """Corners of a base level that jumps to the peak in each window."""
    corners = [(0.0, base)]
    for start, end in windows:
        corners += [(start, base), (start, peak), (end, peak), (end, base)]
    return [*corners, (duration_s, base)]
