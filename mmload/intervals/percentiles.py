"""How few samples can certify a percentile, whatever the distribution."""

from __future__ import annotations

import math
from functools import lru_cache

from mmload.intervals.distributions import binomial_cdf
from mmload.intervals.estimate import CERTIFY


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
