"""In which order the items of a suite are sent: stratified, without early repeats, or repeated on purpose.

Not aware of when they are sent, or of what the items hold.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmload.schedule.streams import Stream, rng

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

REUSE_WINDOW: Final = 32
"""A planned repeat takes an item sent at most this many requests before."""
_BLOCKS: Final = 4
"""Each pass goes through the suite in the same quarters, in new order within each: at least three
quarters of the suite lie between an item and its next use, so that chance repeats do not warm a cache."""


def stratified_order(strata: Ints, draw: np.random.Generator) -> Ints:
    """A random order in which every stretch holds each stratum in its proportion, give or take one."""
    order: Ints = _stratified_orders(strata, *draw.random((2, 1, len(strata))))[0]
    return order


def _stratified_orders(strata: Ints, rank_draw: Floats, place_draw: Floats) -> Ints:
    """One order for each row of the draws (uniform in [0, 1), a column for each item).

    The j-th item of a stratum of n lands at a random point of the j-th n-th of the unit interval. All rows
    at once: order by order, a small suite would cost a closed loop more than the requests themselves.
    """
    by_stratum = np.lexsort((rank_draw, np.broadcast_to(strata, rank_draw.shape)), axis=-1)
    _, starts, sizes = np.unique(np.sort(strata), return_index=True, return_counts=True)
    rank = np.arange(len(strata)) - np.repeat(starts, sizes)
    position = (rank + place_draw) / np.repeat(sizes, sizes)
    orders: Ints = np.take_along_axis(by_stratum, np.argsort(position, axis=-1, kind="stable"), axis=-1)
    return orders


def passes(strata: Ints, seed: int, count: int, draw: np.random.Generator, first_block: int = 0) -> Ints:
    """Items of so many passes through the suite, one after the other."""
    base = stratified_order(strata, rng(seed, Stream.ORDER))
    blocks = [block for block in np.array_split(base, _BLOCKS) if len(block)]
    blocks = blocks[first_block % len(blocks) :] + blocks[: first_block % len(blocks)]
    draws = draw.random((count, 2, len(strata)))
    orders, at = [], 0
    for block in blocks:
        rank_draw, place_draw = (draws[:, k, at : at + len(block)] for k in (0, 1))
        orders.append(block[_stratified_orders(strata[block], rank_draw, place_draw)])
        at += len(block)
    items: Ints = np.concatenate(orders, axis=1).ravel()
    return items


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
