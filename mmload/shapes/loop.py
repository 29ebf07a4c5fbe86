"""The two loops that traffic can be driven in, for shapes that are a curve.

An open loop sends at a rate whatever the target does; a closed loop keeps a number of requests in
flight. Not aware of which shape it serves.
"""

from __future__ import annotations

import math

from mmload.model import InputError
from mmload.profile import Phase
from mmload.shapes.curve import Curve, Floats


class CurveShape:
    """A shape whose rate (open loop) or number of users (closed loop) is a ``Curve``."""

    def __init__(self, duration_s: float, curve: Curve, *, open_loop: bool) -> None:
        self.duration_s = duration_s
        self.open_loop = open_loop
        self.bursts: list[tuple[float, float]] = []
        self._curve = curve

    def expected(self, t_s: float) -> float:
        """Arrivals expected in [0, t]; 0 in a closed loop, where the target decides."""
        return self._curve.integral(t_s) if self.open_loop else 0.0

    def rate(self, t_s: float) -> float:
        return self._curve.at(t_s) if self.open_loop else 0.0

    def users(self, t_s: float) -> int:
        # A ramp reaches its last user at its end, and 2.9999999 users after rounding errors are 3.
        return 0 if self.open_loop else math.floor(self._curve.at(t_s) + 1e-9)

    def inverse(self, counts: Floats) -> Floats:
        """Seconds at which ``expected`` reaches the counts."""
        return self._curve.inverse(counts)


def per_second(rpm: float) -> float:
    return rpm / 60.0


def number(phase: Phase, key: str) -> float:
    """The single number that a phase has under a key; raises ``InputError`` if it has none, or a list."""
    value = getattr(phase, key)
    if value is None or isinstance(value, list):
        have = "is missing" if value is None else "must be one number, not a list"
        raise InputError(f'phase "{phase.name}": {key} {have} for the shape "{phase.shape}"')
    return float(value)


def levels(phase: Phase, key: str) -> list[float]:
    """The list that a phase has under a key; raises ``InputError`` if it has none."""
    value = getattr(phase, key)
    if not isinstance(value, list) or not value:
        raise InputError(f'phase "{phase.name}": {key} must be a list for the shape "{phase.shape}"')
    return [float(v) for v in value]


def is_open(phase: Phase, open_key: str, closed_key: str) -> bool:
    """Which loop the keys ask for; raises ``InputError`` unless exactly one is given."""
    has_open, has_closed = (getattr(phase, key) is not None for key in (open_key, closed_key))
    if has_open == has_closed:
        have = "both" if has_open else "neither"
        raise InputError(
            f'phase "{phase.name}": found {have} of {open_key} (open loop) and {closed_key} (closed loop); '
            f'the shape "{phase.shape}" takes one of them'
        )
    return bool(has_open)
