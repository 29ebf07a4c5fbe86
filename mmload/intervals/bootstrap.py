"""A bootstrap for observations that share two things at once: an item, and a moment.

Not aware of what was observed. Answers to one item share its difficulty, answers of one moment the state of
the pipeline; resampling answers one by one would take both for independent evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmload.intervals.estimate import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RESAMPLES: Final = 1000
_AT_ONCE: Final = 4_000_000


def crossed_weights(
    items: Ints, blocks: Ints, resamples: int = RESAMPLES, seed: int = 20260101
) -> Iterator[Floats]:
    """Weights of n observations in each resample, in batches of shape (some resamples, n).

    The product of an exponential weight of the observation's item and one of its block (Owen and Eckles
    2012, "Bootstrapping data arrays of arbitrary order"): its variance is at least that of the two-way
    design, so that intervals err on the wide side.
    """
    _, item = np.unique(items, return_inverse=True)
    _, block = np.unique(blocks, return_inverse=True)
    rng = np.random.default_rng(seed)
    left = resamples
    while left > 0:
        now = min(left, max(1, _AT_ONCE // max(1, len(item))))
        of_item = rng.exponential(size=(now, int(item.max(initial=-1)) + 1))
        of_block = rng.exponential(size=(now, int(block.max(initial=-1)) + 1))
        yield of_item[:, item] * of_block[:, block]
        left -= now


def percentile_interval(value: float, resampled: ArrayLike, confidence: float) -> Estimate:
    """The middle of the resampled values, never without the value itself."""
    side = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(resampled, float), [side, 1 - side])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
