"""A value with its interval. Not aware of how it was found."""

from __future__ import annotations

from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
CERTIFY: Final = 0.99
"""Confidence at which a percentile may be printed."""


class Estimate(NamedTuple):
    """A value with its interval; all in the unit of the value."""

    value: float
    low: float
    high: float
