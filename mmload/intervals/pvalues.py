"""P values: of discordant pairs, of a normal deviate, and of many looks at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmload.intervals.distributions import STANDARD, betainc, binomial_cdf


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided mid-p value of McNemar's test on discordant pairs; 1 if there are none.

    Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91.
    """
    n, k = lost + gained, min(lost, gained)
    if n == 0:
        return 1.0
    if lost == gained:
        return 1.0 - 0.5 * math.exp(_log_choose(n, k) - n * math.log(2))
    point = math.exp(_log_choose(n, k) - n * math.log(2))
    return min(1.0, 2 * binomial_cdf(k, n, 0.5) - point)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for looking at all of them (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that their rejections hold a false share of at most the level (Benjamini and
    Hochberg 1995), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: -p_values[i])
    adjusted = [0.0] * len(p_values)
    least = 1.0
    for rank, i in enumerate(order):
        least = min(least, len(p_values) / (len(p_values) - rank) * p_values[i])
        adjusted[i] = least
    return adjusted


def two_sided_p(z: float) -> float:
    """Of a standard normal deviate."""
    return 2 * (1 - STANDARD.cdf(abs(z)))


def student_p(value: float, standard_error: float, df: float) -> float:
    """Two-sided p value of Student's t; 1 where nothing differs, or there is no degree of freedom."""
    if value == 0 or df <= 0:
        return 1.0
    if standard_error <= 0:
        return 0.0
    t = value / standard_error
    return betainc(df / 2, 0.5, df / (df + t * t))
