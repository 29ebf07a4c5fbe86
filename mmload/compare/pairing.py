"""Two candidates on the same requests: differences with intervals, and how likely they are chance.

The schedule is the same, so request k of one is request k of the other: same item, same due time, same load.
What both share cancels. Not aware of gates or ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from mmload.compare.runs import Bools, Candidate, Floats, Ints, Rows
from mmload.intervals import benjamini_hochberg, holm, mcnemar, student_p, t_quantile, two_way_error
from mmload.scorecard import Matrix

METRICS: Final = (
    *("quality", "good_ratio", "error_ratio"),
    *("e2e_p95_ms", "per_query_usd", "per_good_query_usd"),
)
HIGHER_IS_BETTER: Final = frozenset({"quality", "good_ratio"})
SHARES: Final = frozenset({"quality", "good_ratio", "error_ratio"})
LEAST_PAIRS: Final = 20
"""Fewer pairs say nothing."""
_BLOCKS: Final = (15, 6)
"""Blocks of time: many short and few long ones, of which the less certain counts."""
_DRAWS: Final = 40_000_000
_LEVEL: Final = 0.05


class Pairs(NamedTuple):
    base: Rows
    other: Rows
    blocks: tuple[Ints, ...]
    """Block of time of each pair, by each way to cut it."""

    @property
    def n(self) -> int:
        return len(self.base.seq)


class Difference(NamedTuple):
    """Candidate minus baseline."""

    metric: str
    value: float
    standard_error: float
    df: int
    n: int
    base: float
    """The baseline's own value."""
    lost: int | None
    """Items of which the candidate gets fewer right (or more failed), of shares only."""
    gained: int | None
    p: float

    def interval(self, confidence: float = 0.95) -> tuple[float | None, float | None]:
        if self.df <= 0:
            return None, None
        half = t_quantile((1 + confidence) / 2, self.df) * self.standard_error
        low, high = self.value - half, self.value + half
        # Of two shares no difference is beyond one.
        return (max(-1.0, low), min(1.0, high)) if self.metric in SHARES else (low, high)


def pair(base: Candidate, other: Candidate) -> Pairs:
    """Requests that both were sent, of one number and one item."""
    _, mine, theirs = np.intersect1d(base.rows.seq, other.rows.seq, assume_unique=True, return_indices=True)
    a, b = base.rows.take(mine), other.rows.take(theirs)
    both = np.flatnonzero((a.item == b.item) & a.sent & b.sent)
    a, b = a.take(both), b.take(both)
    return Pairs(a, b, tuple(_blocks(a, wanted) for wanted in _BLOCKS))


def _blocks(rows: Rows, wanted: int) -> Ints:
    """About so many blocks of time in all, at least two in every phase."""
    out = np.zeros(len(rows.seq), np.int64)
    phases = np.unique(rows.phase)
    spans = {p: rows.due_ns[rows.phase == p] for p in phases.tolist()}
    total = sum(int(np.ptp(due)) for due in spans.values()) or 1
    for k, (phase, due) in enumerate(spans.items()):
        n = max(2, round(wanted * int(np.ptp(due)) / total))
        at = (due - due.min()) * n // (int(np.ptp(due)) + 1)
        out[rows.phase == phase] = k * 1000 + at
    return out


def differences(
    base: Candidate, other: Candidate, weights: Mapping[str, float], costs: bool = True
) -> list[Difference]:
    """All metrics that both runs have. ``weights``: declared weights of the tasks; ``costs``: whether their
    prices may be compared."""
    pairs = pair(base, other)
    found = [_quality(pairs, weights)]
    judged = _kept(pairs, pairs.base.judged & pairs.other.judged)
    found.append(_share(judged, "good_ratio", judged.base.good, judged.other.good, True))
    found.append(_share(pairs, "error_ratio", ~pairs.base.ok, ~pairs.other.ok, False))
    found.append(_tail(_kept(pairs, pairs.base.ok & pairs.other.ok)))
    if costs:
        known = _kept(pairs, ~np.isnan(pairs.base.cost_usd) & ~np.isnan(pairs.other.cost_usd))
        priced = _kept(judged, ~np.isnan(judged.base.cost_usd) & ~np.isnan(judged.other.cost_usd))
        machines = (base.machines_usd, other.machines_usd)
        found.append(_cost(known, machines))
        found.append(_cost_of_good(priced, machines))
    return [d for d in found if d is not None]


def _kept(pairs: Pairs, where: Any) -> Pairs:
    at = np.flatnonzero(where)
    return Pairs(pairs.base.take(at), pairs.other.take(at), tuple(b[at] for b in pairs.blocks))


def _sampling(pairs: Pairs) -> Floats:
    """Both were drawn by one hash: the pair was with the smaller of the two probabilities."""
    out: Floats = 1 / np.minimum(pairs.base.pi, pairs.other.pi)
    return out


def _resampled(pairs: Pairs, statistic: Any) -> tuple[float, int]:
    """(standard error of a statistic of weights of shape (k, n), degrees of freedom)."""
    draws = int(min(500, max(100, _DRAWS // max(1, pairs.n))))
    found = [two_way_error(pairs.base.item, block, statistic, draws) for block in pairs.blocks]
    return max(found, key=lambda f: f[0] * t_quantile(0.975, f[1]) if f[1] > 0 else math.inf)


def _difference(pairs: Pairs, metric: str, base: float, statistic: Any) -> Difference | None:
    if pairs.n < LEAST_PAIRS:
        return None
    value = float(np.atleast_1d(statistic(np.ones((1, pairs.n))))[0])
    if not math.isfinite(value) or not math.isfinite(base):
        return None
    error, df = _resampled(pairs, statistic)
    return Difference(metric, value, error, df, pairs.n, base, None, None, student_p(value, error, df))


def _with_signs(found: Difference | None, pairs: Pairs, difference: Floats) -> Difference | None:
    """McNemar's test on items beside the bootstrap, of which the less certain counts: an item's answers are
    not independent, so each item votes once."""
    if found is None:
        return None
    _, item = np.unique(pairs.base.item, return_inverse=True)
    of_item = np.bincount(item, difference)
    lost, gained = int((of_item < 0).sum()), int((of_item > 0).sum())
    return found._replace(lost=lost, gained=gained, p=max(found.p, mcnemar(lost, gained)))


def _quality(pairs: Pairs, weights: Mapping[str, float]) -> Difference | None:
    """Task-weighted, of answers that both gave and that were scored."""
    kept = _kept(pairs, pairs.base.ok & pairs.other.ok & pairs.base.judged & pairs.other.judged)
    if kept.n < LEAST_PAIRS:
        return None
    a, b = kept.base.passed.astype(float), kept.other.passed.astype(float)
    sampling = _sampling(kept)
    tasks = np.unique(kept.base.task).tolist()
    share = np.array([weights.get(t, 0.0) for t in tasks])
    share = share / share.sum() if share.sum() > 0 else np.full(len(tasks), 1 / len(tasks))
    masks = [kept.base.task == t for t in tasks]

    def weighted(values: Floats, w: Floats) -> Floats:
        out = np.zeros(len(w))
        for part, mask in zip(share, masks, strict=True):
            of = w[:, mask] * sampling[mask]
            out += part * (of @ values[mask]) / np.maximum(of.sum(axis=1), 1e-300)
        return out

    base = float(weighted(a, np.ones((1, kept.n)))[0])
    found = _difference(kept, "quality", base, lambda w: weighted(b - a, w))
    return _with_signs(found, kept, b - a)


def _share(pairs: Pairs, metric: str, a: Bools, b: Bools, weighted: bool) -> Difference | None:
    if pairs.n < LEAST_PAIRS:
        return None
    sampling = _sampling(pairs) if weighted else np.ones(pairs.n)
    d = b.astype(float) - a.astype(float)
    base = float((sampling * a).sum() / sampling.sum())
    found = _difference(pairs, metric, base, lambda w: (w * sampling) @ d / (w @ sampling))
    return _with_signs(found, pairs, d)


def _tail(pairs: Pairs) -> Difference | None:
    """p95 of answers that both gave."""
    if pairs.n < LEAST_PAIRS:
        return None
    sides = [(order := np.argsort(r.e2e_ms), r.e2e_ms[order]) for r in (pairs.base, pairs.other)]

    def p95(w: Floats, side: tuple[Ints, Floats]) -> Floats:
        order, values = side
        total = np.cumsum(w[:, order], axis=1)
        out: Floats = values[np.argmax(total >= 0.95 * total[:, -1:], axis=1)]
        return out

    base = float(p95(np.ones((1, pairs.n)), sides[0])[0])
    return _difference(pairs, "e2e_p95_ms", base, lambda w: p95(w, sides[1]) - p95(w, sides[0]))


def _cost(pairs: Pairs, machines: tuple[float, float]) -> Difference | None:
    if pairs.n < LEAST_PAIRS:
        return None
    a, b = (r.cost_usd + m for r, m in zip((pairs.base, pairs.other), machines, strict=True))
    return _difference(pairs, "per_query_usd", float(a.mean()), lambda w: w @ (b - a) / w.sum(axis=1))


def _cost_of_good(pairs: Pairs, machines: tuple[float, float]) -> Difference | None:
    """Ratios of sums: what was spent over what was right and in time."""
    if pairs.n < LEAST_PAIRS:
        return None
    sampling = _sampling(pairs)
    spent = [sampling * (r.cost_usd + m) for r, m in zip((pairs.base, pairs.other), machines, strict=True)]
    good = [sampling * r.good for r in (pairs.base, pairs.other)]
    if min(g.sum() for g in good) <= 0:
        return None

    def ratio(w: Floats, k: int) -> Floats:
        out: Floats = (w @ spent[k]) / np.maximum(w @ good[k], 1e-300)
        return out

    base = float(ratio(np.ones((1, pairs.n)), 0)[0])
    return _difference(pairs, "per_good_query_usd", base, lambda w: ratio(w, 1) - ratio(w, 0))


def described(by_candidate: Mapping[str, list[Difference]], matrix: Matrix) -> list[dict[str, Any]]:
    """``differences`` of ``compare.json``, p values corrected for all of them together.

    Holm's (with 95% confidence no claim is false) decides; Benjamini and Hochberg's (at most 5% of the claims
    are false) stands beside it.
    """
    flat = [(name, d) for name, found in by_candidate.items() for d in found]
    adjusted = holm([d.p for _, d in flat])
    discovery = benjamini_hochberg([d.p for _, d in flat])
    return [_entry(name, d, p, q, matrix) for (name, d), p, q in zip(flat, adjusted, discovery, strict=True)]


def _entry(name: str, d: Difference, p: float, q: float, matrix: Matrix) -> dict[str, Any]:
    low, high = d.interval()
    digits = 8
    return {
        "candidate": name,
        "metric": d.metric,
        "value": round(d.value, digits),
        "low": None if low is None else round(low, digits),
        "high": None if high is None else round(high, digits),
        "baseline_value": round(d.base, digits),
        "n_pairs": d.n,
        "lost": d.lost,
        "gained": d.gained,
        "p": round(d.p, 6),
        "p_holm": round(p, 6),
        "p_fdr": round(q, 6),
        "verdict": _verdict(d, p, low, high, matrix),
    }


def _verdict(d: Difference, p: float, low: float | None, high: float | None, matrix: Matrix) -> str:
    if low is None or high is None:
        return "inconclusive"
    if p < _LEVEL and (low > 0 or high < 0):
        return "better" if (d.value > 0) == (d.metric in HIGHER_IS_BETTER) else "worse"
    margin = matrix.ranking.equal_quality
    if d.metric not in SHARES:
        margin = matrix.ranking.equal_relative * abs(d.base)
    return "no difference" if max(abs(low), abs(high)) <= margin else "inconclusive"
