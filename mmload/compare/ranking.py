"""Gate, then rank: whoever fails a gate has no rank, whatever else it does well.

Survivors are ranked by fixed anchors and the weights of the matrix, so that a further candidate reorders no
others. Not aware of files or of how figures were measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmload.compare.runs import Floats
from mmload.scorecard import Matrix

_SEED: Final = 20260101
_TOWARDS: Final = (("quality", 1), ("e2e_p95_ms", -1), ("per_good_query_usd", -1))
"""What the Pareto front is drawn over: up or down is better."""


@dataclass(frozen=True)
class Ranked:
    order: tuple[str, ...]
    """Survivors, best first."""
    score: Mapping[str, float]
    first_share: Mapping[str, float]
    """How often each comes first under weights drawn about those of the matrix."""
    utilities: Mapping[str, Mapping[str, float]]
    """By candidate and dimension, 0 to 1."""
    left_out: tuple[str, ...]
    """Dimensions that not every survivor has a figure for."""


def rank(figures: Mapping[str, Mapping[str, float | None]], matrix: Matrix) -> Ranked:
    """``figures``: ``scorecard.rank_figures`` of each survivor, by name. Ties go by name."""
    names = sorted(figures)
    known = [d for d in matrix.dimension if all(figures[n].get(d.rank_by.figure) is not None for n in names)]
    left_out = tuple(d.name for d in matrix.dimension if d not in known)
    weights = np.array([d.weight for d in known])
    table = np.array(
        [[d.rank_by.utility(float(figures[n][d.rank_by.figure] or 0.0)) for d in known] for n in names]
    ).reshape(len(names), len(known))
    if not names or weights.sum() <= 0:
        return Ranked(tuple(names), dict.fromkeys(names, 0.0), {}, {}, left_out)
    # Not a matrix product: its last digits depend on how many rows there are, and so would the order of ties.
    score = [math.fsum(row) for row in table * (weights / weights.sum())]
    order = sorted(range(len(names)), key=lambda i: (-score[i], names[i]))
    share = _first_share(table, weights, matrix)
    return Ranked(
        tuple(names[i] for i in order),
        {n: round(float(score[i]), 6) for i, n in enumerate(names)},
        {n: round(float(share[i]), 4) for i, n in enumerate(names)},
        {n: {d.name: round(float(table[i, k]), 4) for k, d in enumerate(known)} for i, n in enumerate(names)},
        left_out,
    )


def _first_share(table: Floats, weights: Floats, matrix: Matrix) -> Floats:
    """Share of Dirichlet draws about the weights that each row wins; a tie is shared."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.dirichlet(matrix.ranking.concentration * weights / weights.sum(), matrix.ranking.draws)
    scores = drawn @ table.T
    first = scores >= scores.max(axis=1, keepdims=True) - 1e-12
    out: Floats = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return out


def pareto_front(candidates: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of those that no other beats: at least as good in quality, p95 and cost, and better in one.

    Over the figures that all of them have; empty if there is none.
    """
    keys = [(k, sign) for k, sign in _TOWARDS if all(c.get(k) is not None for c in candidates)]
    if not keys:
        return set()
    points = {str(c["name"]): tuple(sign * float(c[k]) for k, sign in keys) for c in candidates}
    return {
        name
        for name, mine in points.items()
        if not any(all(t >= m for t, m in zip(p, mine, strict=True)) and p != mine for p in points.values())
    }
