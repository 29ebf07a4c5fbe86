"""Statements about proportions, percentiles and means that say how sure they are.

Pure functions on counts and small arrays. Standard library and numpy only: importing scipy costs more
time than every use here. Not aware of requests, of phases, or of what a proportion is about.

Unless a name says otherwise, ``confidence`` is two-sided; a ``*_lower`` or ``*_upper`` is one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE: Final = 0.95
CERTIFY: Final = 0.99
"""Confidence at which a percentile may be printed."""
_STANDARD: Final = NormalDist()


class Estimate(NamedTuple):
    """A value with its interval; all in the unit of the value."""

    value: float
    low: float
    high: float


# --- distributions ----------------------------------------------------------------------------------


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


def _bisect(rises_above: Callable[[float], bool], low: float, high: float) -> float:
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
    return _bisect(lambda x: betainc(a, b, x) >= p, 0.0, 1.0)


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t; ``df`` may be infinite."""
    if p == 0.5:
        return 0.0
    if math.isinf(df) or df > 1e7:
        return _STANDARD.inv_cdf(p)
    if p < 0.5:
        return -t_quantile(1.0 - p, df)
    x = beta_quantile(2.0 * (1.0 - p), df / 2.0, 0.5)
    return math.sqrt(df * (1.0 - x) / x)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else betainc(n - k, k + 1, 1.0 - p)


def normal_quantile(p: float) -> float:
    return _STANDARD.inv_cdf(p)


# --- proportions ------------------------------------------------------------------------------------


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
    return math.ceil(_bisect(clears, high / 2, high) - 1e-9)


def hajek(weighted_hits: float, weights: float) -> float | None:
    """Weighted share of hits: sum(q/pi) / sum(1/pi) (Hajek 1971); None without weights."""
    return weighted_hits / weights if weights > 0 else None


def kish(weights: float, squared_weights: float) -> float:
    """Effective number of equally weighted observations: (sum w)^2 / sum w^2 (Kish 1965)."""
    return weights * weights / squared_weights if squared_weights > 0 else 0.0


def confidence_sequence(k: float, n: float, alpha: float = 0.05) -> Estimate:
    """Bounds of a proportion that hold at *every* n at once, so that one may look and stop at will.

    Robbins' mixture with a uniform prior: keeps each p whose mixture likelihood ratio stays below
    1/alpha (Ville's inequality; Howard et al. 2021, arXiv 1810.08240). Trials must be independent: feed
    block means when they are clustered. Raises ``ValueError`` if n <= 0.
    """
    if n <= 0:
        raise ValueError("a proportion of nothing")
    mixture = math.lgamma(k + 1) + math.lgamma(n - k + 1) - math.lgamma(n + 2)
    threshold = math.log(1 / alpha)

    def excluded(p: float) -> bool:
        if p <= 0.0 or p >= 1.0:
            return (k > 0) if p <= 0.0 else (k < n)
        return mixture - k * math.log(p) - (n - k) * math.log1p(-p) >= threshold

    p = k / n
    low = 0.0 if k == 0 else _bisect(lambda x: not excluded(x), 0.0, p)
    high = 1.0 if k == n else _bisect(excluded, p, 1.0)
    return Estimate(p, low, high)


# --- percentiles ------------------------------------------------------------------------------------


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


def early_stopping_rank(n: int, quantile: float, confidence: float = CERTIFY) -> int | None:
    """Rank (from 1, ascending) of the sample that bounds the percentile from above with ``confidence``:
    MLPerf's early-stopping estimate. None if n is below ``certifying_n``.
    """
    if n < certifying_n(quantile, confidence):
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_cdf(middle, n, 1 - quantile) <= 1 - confidence:
            low = middle
        else:
            high = middle - 1
    return n - low


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


# --- means ------------------------------------------------------------------------------------------


def t_interval(means: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """Student interval of the mean of replicate means; None with fewer than two."""
    k = len(means)
    if k < 2:
        return None
    centre = float(np.mean(means))
    half = t_quantile((1 + confidence) / 2, k - 1) * float(np.std(means, ddof=1)) / math.sqrt(k)
    return Estimate(centre, centre - half, centre + half)


class Clustered(NamedTuple):
    """A weighted mean with the spread that its clusters show."""

    value: float
    standard_error: float
    df: int
    design_effect: float
    """Variance over what independent trials of the same number would have."""
    n_eff: float
    """Independent trials that would be as informative."""

    def half_width(self, confidence: float) -> float:
        """Student's two-sided half width; infinite with a single cluster."""
        return t_quantile((1 + confidence) / 2, self.df) * self.standard_error if self.df > 0 else math.inf

    def bound(self, confidence: float) -> Estimate:
        """Two-sided interval: Student's, but never narrower than Wilson's on ``n`` or ``n_eff`` trials.

        Clusters that happen to agree (all answers right) would otherwise claim to know without error.
        """
        half = self.half_width(confidence)
        trials = max(self.n_eff, 1e-9)
        w = wilson(min(max(self.value, 0.0), 1.0) * trials, trials, confidence)
        low = min(self.value - half, w.low)
        return Estimate(self.value, max(0.0, low), min(1.0, max(self.value + half, w.high)))


def clustered_share(
    hits: ArrayLike,
    weights: ArrayLike,
    squared_weights: Sequence[float],
    stratum_weights: Sequence[float],
    groups: Sequence[int] | None = None,
) -> Clustered | None:
    """Post-stratified Hajek share and its variance between clusters (time blocks, or replicate phases).

    ``hits[c][s]`` and ``weights[c][s]`` are the sums of w*q and of w over cluster ``c`` and stratum
    ``s``; ``squared_weights[s]`` the sum of w^2. A stratum that nothing was sampled from drops out, and
    the weights of the others are scaled up. None without any observation. ``groups[c]`` keeps apart
    clusters whose means differ by design (phases of different load): only spread within a group counts.

    Linearisation: each cluster contributes z_c = sum_s W_s (hits_cs - p_s weights_cs) / weights_s, and
    Var = sum over groups of C/(C-1) sum (z_c - mean z)^2 (Wolter, Introduction to Variance Estimation,
    6.4-6.5). The only cluster of a group counts with z_c^2, for want of better.
    """
    h, w = np.asarray(hits, float), np.asarray(weights, float)
    total = w.sum(axis=0)
    present = total > 0
    if not present.any():
        return None
    share = np.asarray(stratum_weights, float)[present]
    if share.sum() <= 0:
        return None
    share = share / share.sum()
    h, w, total = h[:, present], w[:, present], total[present]
    p = h.sum(axis=0) / total
    used = w.sum(axis=1) > 0
    z = ((h - p * w) / total * share).sum(axis=1)[used]
    group = np.zeros(len(h), int) if groups is None else np.asarray(groups)
    value = float(share @ p)
    n_strata = total**2 / np.maximum(np.asarray(squared_weights, float)[present], 1e-300)
    independent = float((share**2 * p * (1 - p) / n_strata).sum())
    variance, df = _spread(z, group[used])
    if df == 0:
        variance = independent
    effect = variance / independent if independent > 0 else 1.0
    n_kish = 1.0 / float((share**2 / n_strata).sum())
    return Clustered(value, math.sqrt(variance), df, effect, n_kish / max(1.0, effect))


def clustered_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    groups: Sequence[int],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Ratio of two sums over clusters with Student's two-sided interval, by linearisation.

    z_c = (numerator_c - R denominator_c) / sum of denominators; variance as in ``clustered_share``. The
    bounds are infinite if no group has two clusters. Raises ``ZeroDivisionError`` for nothing.
    """
    above, below = np.asarray(numerators, float), np.asarray(denominators, float)
    ratio = float(above.sum()) / float(below.sum())
    variance, df = _spread((above - ratio * below) / below.sum(), np.asarray(groups))
    half = t_quantile((1 + confidence) / 2, df) * math.sqrt(variance) if df > 0 else math.inf
    return Estimate(ratio, max(0.0, ratio - half), ratio + half)


def _spread(z: NDArray[np.float64], group: NDArray[np.int64]) -> tuple[float, int]:
    """Variance of the sum of ``z`` from its spread within groups, and its degrees of freedom."""
    variance, df = 0.0, 0
    for g in np.unique(group):
        part = z[group == g]
        c = len(part)
        variance += float(part[0] ** 2) if c == 1 else float(c / (c - 1) * ((part - part.mean()) ** 2).sum())
        df += c - 1
    return variance, df


# --- paired -----------------------------------------------------------------------------------------


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


def two_sided_p(z: float) -> float:
    """Of a standard normal deviate."""
    return 2 * (1 - _STANDARD.cdf(abs(z)))
