"""Percentiles from order statistics, whatever the distribution; and how few samples can certify one."""

from __future__ import annotations

import math
from functools import lru_cache

from mmload.intervals.distributions import binomial_cdf
from mmload.intervals.estimate import CERTIFY, CONFIDENCE


@lru_cache(maxsize=64)
def certifying_n(quantile: float, confidence: float = CERTIFY) -> int:
    """Fewest samples whose percentile may be printed: 11 for p50, 64 for p90, 130 for p95, 662 for p99,
    6,636 for p99.9 at 99% confidence.

    MLPerf Inference's early-stopping rule (Inference Rules, appendix "Early Stopping Criterion"): with
    ``t`` of ``n`` samples above the percentile, require P(Binomial(n, 1 - quantile) <= t) <= 1 -
    confidence. Their single-stream estimate discards at least the largest sample, so t = 1 gives the
    fewest.
    """

    def certified(n: float) -> bool:
        return binomial_cdf(1, math.floor(n), 1 - quantile) <= 1 - confidence

    high = 2.0
    while not certified(high):
        high *= 2
    low = int(high // 2)
    top = int(high)
    while low < top:
        middle = (low + top) // 2
        if certified(middle):
            top = middle
        else:
            low = middle + 1
    return low


def quantile_rank_upper(n: int, quantile: float, confidence: float = CONFIDENCE) -> int | None:
    """Rank of the order statistic that is at or above the quantile with ``confidence``.

    Smallest r with BinomialCDF(r - 1; n, quantile) >= confidence (distribution-free; David and Nagaraja,
    Order Statistics, 7.1). None if even the maximum does not bound it.
    """
    if n <= 0 or binomial_cdf(n - 1, n, quantile) < confidence:
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        if binomial_cdf(middle - 1, n, quantile) >= confidence:
            high = middle
        else:
            low = middle + 1
    return low


def quantile_rank_lower(n: int, quantile: float, confidence: float = CONFIDENCE) -> int | None:
    """Rank of the order statistic that is at or below the quantile with ``confidence``; None if none is."""
    if n <= 0 or binomial_cdf(0, n, quantile) > 1 - confidence:
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_cdf(middle - 1, n, quantile) <= 1 - confidence:
            low = middle
        else:
            high = middle - 1
    return low
