"""A bootstrap for observations that share two things at once: an item, and a moment.

Not aware of what was observed. Answers to one item share its difficulty, answers of one moment the state of
the pipeline; resampling answers one by one would take both for independent evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmload.intervals.estimate import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""Weights of shape (k, n) -> its value under each row of them, shape (k,)."""
RESAMPLES: Final = 500
_SEED: Final = 20260101
_AT_ONCE: Final = 4_000_000


def cluster_weights(clusters: Ints, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """Weights of n observations in each resample, in batches of shape (some resamples, n).

    Exponential by cluster: the Bayesian bootstrap (Rubin 1981), which leaves no cluster out, so that a ratio
    keeps its denominator.
    """
    _, where = np.unique(clusters, return_inverse=True)
    rng = np.random.default_rng(_SEED)
    left = resamples
    while left > 0:
        now = min(left, max(1, _AT_ONCE // max(1, len(where))))
        yield rng.exponential(size=(now, int(where.max(initial=-1)) + 1))[:, where]
        left -= now


def resampled(clusters: Ints, statistic: Statistic, resamples: int = RESAMPLES) -> Floats:
    """The statistic under resampled clusters."""
    parts = [np.atleast_1d(statistic(w)) for w in cluster_weights(clusters, resamples)]
    found: Floats = np.concatenate(parts)
    return found


def two_way_error(
    items: Ints, blocks: Ints, statistic: Statistic, resamples: int = RESAMPLES
) -> tuple[float, int]:
    """(standard error of a statistic of observations that are clustered by item and by block of time, degrees
    of freedom).

    V_item + V_block - V_single (Cameron, Gelbach and Miller 2011), each by a bootstrap of its own, and never
    below the larger of the first two. One bootstrap with the product of both weights would be simpler, and
    take the variance of independent observations three times.
    """
    singles = np.arange(len(items))
    by_item, by_block, each = (
        _variance(resampled(c, statistic, resamples)) for c in (items, blocks, singles)
    )
    variance = max(by_item + by_block - each, by_item, by_block)
    return math.sqrt(variance), min(len(np.unique(items)), len(np.unique(blocks))) - 1


def _variance(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.var(known, ddof=1)) if len(known) > 1 else 0.0


def percentile_interval(value: float, values: ArrayLike, confidence: float) -> Estimate:
    """The middle of the resampled values, never without the value itself."""
    side = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(values, float), [side, 1 - side])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
