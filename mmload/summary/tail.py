"""Bounds of a percentile, when requests that are late are late together.

Not aware of what was measured. A percentile is at most x if at most so large a share lies above x: the bounds
are the values at which the bounds of that share meet it, with the spread in time that the share above *that*
value has. (The spread at the percentile itself will not do: where all the latencies of a run move together it
is wide, though none comes near a limit far above.) For independent requests these are order statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload.histogram import CELL_HIGH, Ints
from mmload.intervals import CONFIDENCE, Clustered, binomial_cdf, clustered_share

_TWO_SIDED: Final = 2 * CONFIDENCE - 1
Clustering = tuple[Ints, list[int]]
"""Cluster of each cell, group of each cluster."""


class Bounds(NamedTuple):
    """Microseconds, each with one-sided 95%; None where the sample cannot tell."""

    low_us: int | None
    high_us: int | None


class Tail:
    """How many latencies lie above each value that occurred, by cluster in time."""

    def __init__(self, cells: Ints, counts: Ints, clusterings: Sequence[Clustering]) -> None:
        """Cells of a histogram with their counts; their clusters in each way of clustering."""
        self._values, at = np.unique(cells, return_inverse=True)
        self._above: list[tuple[npt.NDArray[np.float64], list[int]]] = []
        for cluster, groups in clusterings:
            by_value = np.zeros((len(groups), len(self._values) + 1))
            np.add.at(by_value, (cluster, at + 1), counts)
            of_cluster = by_value.sum(axis=1, keepdims=True)
            self._above.append((of_cluster - np.cumsum(by_value, axis=1), groups))

    def bounds(self, quantile: float) -> Bounds:
        over = 1 - quantile
        low = self._first(lambda above: not _surely_more(above, over))
        high = self._first(lambda above: _surely_no_more(above, over))
        return Bounds(self._value(low), self._value(high))

    def _value(self, k: int | None) -> int | None:
        return int(CELL_HIGH[self._values[k - 1]]) if k else None

    def _first(self, holds: Callable[[Clustered], bool]) -> int | None:
        """Number of the lowest value of which it holds that so many lie above (0: below all of them)."""
        first, last = 0, len(self._values)
        if not last or not holds(self._share_above(last)):
            return None
        while first < last:
            middle = (first + last) // 2
            if holds(self._share_above(middle)):
                last = middle
            else:
                first = middle + 1
        return first

    def _share_above(self, k: int) -> Clustered:
        found = []
        for above, groups in self._above:
            total = above[:, :1]
            share = clustered_share(above[:, k : k + 1], total, [float(total.sum())], [1.0], groups)
            assert share is not None, "there is a value"
            found.append(share)
        return max(found, key=lambda f: f.half_width(_TWO_SIDED))


# ``Clustered.exact_bound`` held against a share, without the search for where the bound lies.


def _surely_no_more(found: Clustered, share: float) -> bool:
    trials = found.n_eff
    exact = binomial_cdf(found.value * trials, trials, share) <= 1 - CONFIDENCE
    return exact and (found.df == 0 or found.value + found.half_width(_TWO_SIDED) <= share)


def _surely_more(found: Clustered, share: float) -> bool:
    trials = found.n_eff
    exact = 1 - binomial_cdf(found.value * trials - 1, trials, share) < 1 - CONFIDENCE
    return exact and (found.df == 0 or found.value - found.half_width(_TWO_SIDED) > share)
