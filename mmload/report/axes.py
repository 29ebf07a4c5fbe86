"""Scales of a plot: from a value to a position in [0, 1], and the ticks worth labelling.

Pure. Not aware of pixels or colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Scale(Protocol):
    def __call__(self, value: float, /) -> float: ...

    def ticks(self, count: int, /) -> Sequence[float]: ...


@dataclass(frozen=True)
class Linear:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self, count: int) -> list[float]:
        """About ``count`` round values inside the range."""
        step = nice_step((self.high - self.low) / max(count, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


@dataclass(frozen=True)
class Seconds(Linear):
    """Time from the start of a run: ticks fall on whole seconds, minutes or hours."""

    def ticks(self, count: int) -> list[float]:
        wanted = (self.high - self.low) / max(count, 1)
        step = next((s for s in _TIME_STEPS if s >= wanted), 86400)
        return [index * step for index in range(math.ceil(self.low / step), int(self.high // step) + 1)]


_TIME_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)


@dataclass(frozen=True)
class Log:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)

    def ticks(self, count: int) -> list[float]:
        """Powers of ten, with 2 and 5 between them where there is room."""
        decades = math.log10(self.high / self.low)
        factors = (1, 2, 5) if 3 * decades <= count else (1, 3) if 2 * decades <= count else (1,)
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        return [v for v in every if self.low * 0.999 <= v <= self.high * 1.001]


@dataclass(frozen=True)
class Tail:
    """The axis of the HdrHistogram plotter: x = log10(1 / (1 - p)), so that every nine is as wide."""

    nines: float
    """Right end: 3 for 99.9%."""

    def __call__(self, percentile: float) -> float:
        """``percentile`` in [0, 100]; 100 itself sits at the right end."""
        if percentile >= 100:
            return 1.0
        return min(1.0, -math.log10(1 - percentile / 100) / self.nines)

    def ticks(self, count: int) -> list[float]:
        every = [0.0, 50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
        inside = [p for p in every if -math.log10(1 - p / 100) <= self.nines + 1e-9]
        return [p for p in inside if p != 95.0] if len(inside) > count else inside


def nice_step(wanted: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``wanted``."""
    if wanted <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= wanted * (1 - 1e-9))


def up_to(highest: float, count: int = 5) -> Linear:
    """From 0 to the first round tick at or above ``highest``."""
    if highest <= 0:
        return Linear(0, 1)
    step = nice_step(highest / count)
    return Linear(0, step * math.ceil(highest / step - 1e-9))


def decades(lowest: float, highest: float) -> Log:
    """A logarithmic scale whose ends are round (1, 2 or 5 times a power of ten)."""
    low, high = max(lowest, 1e-6), max(highest, lowest * 2, 2e-6)
    return Log(_round_to(low, up=False), _round_to(high, up=True))


def _round_to(value: float, *, up: bool) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    steps = [f * power for f in (1.0, 2.0, 5.0, 10.0)]
    if up:
        return next(s for s in steps if s >= value * (1 - 1e-9))
    return next(s for s in reversed(steps) if s <= value * (1 + 1e-9))
