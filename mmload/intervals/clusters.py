"""Shares and ratios of observations that come in clusters: replicates, or blocks of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmload.intervals.distributions import t_quantile
from mmload.intervals.estimate import CONFIDENCE, Estimate
from mmload.intervals.proportions import clopper_pearson, wilson


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

    def exact_bound(self, confidence: float) -> Estimate:
        """Two-sided exact binomial interval on so many independent trials as the spread leaves, and Student's
        on that spread where it is wider: what goes wrong under load goes wrong together.
        """
        exact = clopper_pearson(self.value * self.n_eff, self.n_eff, confidence)
        if self.df == 0:
            return exact
        half = self.half_width(confidence)
        low, high = max(0.0, self.value - half), min(1.0, self.value + half)
        return Estimate(self.value, min(exact.low, low), max(exact.high, high))


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
