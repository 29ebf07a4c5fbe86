"""Proportions of independent trials: intervals, one-sided bounds, and how many trials a bound takes."""

from __future__ import annotations

import math

from mmload.intervals.distributions import beta_quantile, bisect, normal_quantile
from mmload.intervals.estimate import CONFIDENCE, Estimate


def wilson(k: float, n: float, confidence: float = CONFIDENCE) -> Estimate:
    """Wilson's score interval; ``k`` and ``n`` may be effective (fractional) counts.

    For independent trials only: answers of one moment under load are not. Raises ``ValueError`` if n <= 0.
    """
    if n <= 0:
        raise ValueError("a proportion of nothing")
    z = normal_quantile((1 + confidence) / 2)
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(0.0, p * (1 - p) / n) + z * z / (4 * n * n))
    return Estimate(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)))


def clopper_pearson_lower(k: float, n: float, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided lower bound of a proportion with ``k`` of ``n``."""
    return 0.0 if k <= 0 else beta_quantile(1 - confidence, k, n - k + 1)


def clopper_pearson_upper(k: float, n: float, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided upper bound; 0 of 149 bounds a rate below 2%, 0 of 299 below 1%."""
    return 1.0 if k >= n else beta_quantile(confidence, k + 1, n - k)


def clopper_pearson(k: float, n: float, confidence: float = CONFIDENCE) -> Estimate:
    """Exact two-sided interval. Raises ``ValueError`` if n <= 0."""
    if n <= 0:
        raise ValueError("a proportion of nothing")
    side = (1 + confidence) / 2
    return Estimate(k / n, clopper_pearson_lower(k, n, side), clopper_pearson_upper(k, n, side))


def wilson_bound_n(p: float, limit: float, upper: bool, confidence: float = CONFIDENCE) -> int | None:
    """Trials at which the one-sided Wilson bound of a share that stays at ``p`` clears ``limit``.

    ``upper``: the upper bound must come to or below the limit (``p`` < limit), else the lower bound to
    or above it. None if ``p`` is not on the right side of the limit: no number of trials would do.
    """
    if p >= limit if upper else p <= limit:
        return None
    two_sided = 2 * confidence - 1

    def clears(n: float) -> bool:
        bound = wilson(p * n, n, two_sided)
        return bound.high <= limit if upper else bound.low >= limit

    high = 1.0
    while not clears(high):
        high *= 2
        if high > 1e15:
            return None
    return math.ceil(bisect(clears, high / 2, high) - 1e-9)
