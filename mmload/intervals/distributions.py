"""Distributions behind the intervals: incomplete beta, Student's t, binomial, normal.

Standard library only: importing scipy costs more time than every use here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import Final

STANDARD: Final = NormalDist()


def betainc(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b), for a, b > 0.

    Lentz's continued fraction (Press et al., Numerical Recipes, 6.4); relative error about 1e-13.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - betainc(b, a, 1.0 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c = 1.0
    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0) or tiny)
    h = d
    # Converges in O(sqrt(max(a, b))) steps on this side of the mean.
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / (1.0 + even * d or tiny)
        c = 1.0 + even / c or tiny
        h *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + odd * d or tiny)
        c = 1.0 + odd / c or tiny
        step = d * c
        h *= step
        if abs(step - 1.0) < 1e-15:
            break
    return h


def bisect(rises_above: Callable[[float], bool], low: float, high: float) -> float:
    """The point in [low, high] from which on ``rises_above`` holds, to the last bit of a float."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rises_above(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2


@lru_cache(maxsize=4096)
def beta_quantile(p: float, a: float, b: float) -> float:
    return bisect(lambda x: betainc(a, b, x) >= p, 0.0, 1.0)


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t; ``df`` may be infinite."""
    if p == 0.5:
        return 0.0
    if math.isinf(df) or df > 1e7:
        return STANDARD.inv_cdf(p)
    if p < 0.5:
        return -t_quantile(1.0 - p, df)
    x = beta_quantile(2.0 * (1.0 - p), df / 2.0, 0.5)
    return math.sqrt(df * (1.0 - x) / x)


def binomial_cdf(k: float, n: float, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p); between whole numbers by the beta integral."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else betainc(n - k, k + 1, 1.0 - p)


def normal_quantile(p: float) -> float:
    return STANDARD.inv_cdf(p)
