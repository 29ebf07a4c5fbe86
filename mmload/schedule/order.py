"""In which order the items of a suite are sent: stratified, without early repeats, or repeated on purpose.

Not aware of when they are sent, or of what the items hold.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmload.schedule.streams import Stream, rng

Ints = NDArray[np.int64]

REUSE_WINDOW: Final = 32
"""A planned repeat takes an item sent at most this many requests before."""
_BLOCKS: Final = 4
"""Each pass goes through the suite in the same quarters, in new order within each: at least three
quarters of the suite lie between an item and its next use, so that chance repeats do not warm a cache."""


def stratified_order(strata: Ints, draw: np.random.Generator) -> Ints:
    """A random order in which every stretch holds each stratum in its proportion, give or take one.

    The j-th item of a stratum of n lands at a random point of the j-th n-th of the unit interval.
    """
    shuffled = draw.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    _, starts, sizes = np.unique(strata[by_stratum], return_index=True, return_counts=True)
    rank = np.arange(len(strata)) - np.repeat(starts, sizes)
    position = (rank + draw.random(len(strata))) / np.repeat(sizes, sizes)
    order: Ints = by_stratum[np.argsort(position, kind="stable")]
    return order


def passes(strata: Ints, seed: int, count: int, draw: np.random.Generator, first_block: int = 0) -> Ints:
    """Items of so many passes through the suite, one after the other."""
    base = stratified_order(strata, rng(seed, Stream.ORDER))
    blocks = [block for block in np.array_split(base, _BLOCKS) if len(block)]
    blocks = blocks[first_block % len(blocks) :] + blocks[: first_block % len(blocks)]
    parts = [block[stratified_order(strata[block], draw)] for _ in range(count) for block in blocks]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def with_reuse(fresh: Ints, share: float, draw: np.random.Generator) -> Ints:
    """Put planned repeats of recent items among fresh ones; exactly ``share`` of all, evenly spread."""
    if share == 0.0 or not len(fresh):
        return fresh
    marks = np.floor(np.arange(len(fresh) + 1) * share + draw.random()).astype(np.int64)
    repeats = np.diff(marks) > 0
    repeats[0] = False
    back = draw.integers(1, REUSE_WINDOW + 1, len(fresh))
    out = np.empty_like(fresh)
    out[~repeats] = fresh[: int((~repeats).sum())]
    for place in np.flatnonzero(repeats):
        out[place] = out[place - min(int(back[place]), int(place))]
    return out
