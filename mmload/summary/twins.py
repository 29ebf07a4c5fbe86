"""Items in pairs: what a degradation of the input costs, and whether "cannot tell" is told from what can be.

A degraded item has a clean twin with the same truth; an unanswerable item an answerable one. Not aware of
gates. Shares are per item, over all its scored answers, so that every item counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload.histogram import Ints
from mmload.intervals import Estimate, holm, mcnemar
from mmload.model import Item
from mmload.summary.view import View, rounded

Floats = npt.NDArray[np.float64]
_PRODUCTION: Final = 3
"""Severities up to this are what production brings; 4 and 5 are for finding the limit."""
_RESAMPLES: Final = 1000
_SEED: Final = 20260101
_MEANINGFUL: Final = 0.5
"""Below this share of passes on clean items, relative loss says nothing."""


class Robustness(NamedTuple):
    """Mean relative loss over degradations: mean over kinds of the mean over severities 1 to 3."""

    loss: float
    resampled: Floats
    """The same over resampled clean items."""
    n_pairs: int
    rows: list[dict[str, Any]]
    """One per degradation and severity."""

    def bound(self, confidence: float) -> Estimate:
        """Percentile interval of the bootstrap over clean items with all their variants."""
        side = (1 - confidence) / 2
        low, high = np.quantile(self.resampled, [side, 1 - side])
        return Estimate(self.loss, min(self.loss, float(low)), max(self.loss, float(high)))


def robustness(view: View) -> Robustness | None:
    """None without scored pairs, or if clean items pass less than half of the time."""
    share, scored = _shares(view)
    pairs = _degraded(view.info.items, scored)
    if not pairs:
        return None
    twin, item = (np.array([p[k] for p in pairs], np.int64) for k in (0, 1))
    names = sorted({_name(view.info.items[i]) for i in item})
    clean, degraded = share[twin], share[item]
    if clean.mean() < _MEANINGFUL:
        return None
    number = np.array([names.index(_name(view.info.items[i])) for i in item], np.int64)
    rng = np.random.default_rng(_SEED)
    _, clusters = np.unique(twin, return_inverse=True)
    weights = rng.exponential(size=(_RESAMPLES, int(clusters.max()) + 1))[:, clusters]
    ones = np.ones((1, len(pairs)))
    rows = _rows(names, number, clean, degraded)
    return Robustness(
        float(_mean_loss(ones, names, number, clean, degraded)[0]),
        _mean_loss(weights, names, number, clean, degraded),
        len(pairs),
        rows,
    )


def robustness_figures(view: View) -> dict[str, Any]:
    """``quality.robustness``: relative loss against clean twins, worst degradation first."""
    found = robustness(view)
    if found is None:
        return {"loss": None, "low": None, "high": None, "n_pairs": 0, "worst": None, "by_variant": []}
    bound = found.bound(0.95)
    return {
        "loss": rounded(bound.value),
        "low": rounded(bound.low),
        "high": rounded(bound.high),
        "n_pairs": found.n_pairs,
        "worst": found.rows[0]["variant"],
        "by_variant": found.rows,
    }


def pair_accuracy(view: View) -> tuple[float | None, int]:
    """(chance to be right on an unanswerable item *and* on its answerable twin, number of pairs).

    Declining everything and answering everything both score 0.
    """
    share, scored = _shares(view)
    by_id = {item.id: item.index for item in view.info.items}
    both = []
    for item in view.info.items:
        twin = by_id.get(item.twin, -1)
        if item.answerable or item.severity or twin < 0 or not view.info.items[twin].answerable:
            continue
        if scored[item.index] and scored[twin]:
            both.append(share[item.index] * share[twin])
    return (rounded(float(np.mean(both))), len(both)) if both else (None, 0)


def _shares(view: View) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Share of passes by item over the phases of a view, and whether any answer was scored."""
    keys, rows = view.summary.item_scores.arrays()
    mine = np.isin(keys >> 40, [w.phase for w in view.windows])
    item = keys[mine] & 0xFFFFFFFF
    n = np.bincount(item, rows[mine, 0], len(view.info.items))
    passed = np.bincount(item, rows[mine, 1], len(view.info.items))
    return passed / np.maximum(n, 1), n > 0


def _degraded(items: Sequence[Item], scored: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(clean twin, degraded item) of pairs with one truth, both scored."""
    by_id = {item.id: item.index for item in items}
    out = []
    for item in items:
        twin = by_id.get(item.twin, -1)
        if not item.severity or twin < 0 or items[twin].severity or items[twin].answerable != item.answerable:
            continue
        if scored[item.index] and scored[twin]:
            out.append((twin, item.index))
    return out


def _name(item: Item) -> str:
    return f"{item.variant}@{item.severity}"


def _mean_loss(
    weights: Floats, names: Sequence[str], number: Ints, clean: Floats, degraded: Floats
) -> Floats:
    """Mean relative loss for each row of weights (shape (resamples, pairs))."""
    kinds: dict[str, list[Floats]] = {}
    for k, name in enumerate(names):
        kind, severity = name.rsplit("@", 1)
        if int(severity) <= _PRODUCTION:
            w = weights * (number == k)
            before, after = w @ clean, w @ degraded
            kinds.setdefault(kind, []).append(1 - after / np.maximum(before, 1e-12))
    if not kinds:
        return np.zeros(len(weights))
    out: Floats = np.mean([np.mean(losses, axis=0) for losses in kinds.values()], axis=0)
    return out


def _rows(names: Sequence[str], number: Ints, clean: Floats, degraded: Floats) -> list[dict[str, Any]]:
    rows, p_values = [], []
    for k, name in enumerate(names):
        mine = number == k
        before, after = float(clean[mine].mean()), float(degraded[mine].mean())
        lost = int(((clean[mine] > 0.5) & (degraded[mine] < 0.5)).sum())
        gained = int(((clean[mine] < 0.5) & (degraded[mine] > 0.5)).sum())
        p_values.append(mcnemar(lost, gained))
        loss = rounded((before - after) / before) if before > 0 else None
        rows.append(
            {
                "variant": name,
                "n_pairs": int(mine.sum()),
                "clean": rounded(before),
                "degraded": rounded(after),
                "loss": loss,
                "lost": lost,
                "gained": gained,
            }
        )
    for row, p in zip(rows, holm(p_values), strict=True):
        row["p_adjusted"] = rounded(p)
    return sorted(rows, key=lambda r: (-(r["loss"] if r["loss"] is not None else -1.0), str(r["variant"])))
