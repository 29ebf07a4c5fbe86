"""Quality under load against the same items unloaded: what load costs, apart from what is hard anyway.

Not aware of gates. The baseline is the phase that the profile names; each item of it that was asked more
than once also shows how far the pipeline disagrees with itself (``stability``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload.histogram import Ints
from mmload.intervals import Estimate, mcnemar, t_quantile, two_way_error
from mmload.summary.run_info import RunInfo
from mmload.summary.stability import baseline_rows, stability, stability_figures
from mmload.summary.sums import ITEM_BLOCKS, Summary
from mmload.summary.view import View, rounded

Floats = npt.NDArray[np.float64]
_HALF: Final = 0.5


class Paired(NamedTuple):
    """Mean difference of quality, load minus baseline, over items that both have."""

    delta: float
    standard_error: float
    df: int
    n_items: int
    n_answers: int
    lost: int
    """Items that mostly passed unloaded and mostly failed under load."""
    gained: int
    p_value: float
    """McNemar's, on lost against gained."""
    drift: float
    """How far the baseline is for certain from itself, 0 if that is not certain: it widens every interval."""
    bootstrap_error: Callable[[], float]
    """The standard error by bootstrap, beside the one by linearisation; takes its time, so when asked for."""

    def bound(self, confidence: float) -> Estimate:
        """Two-sided interval of the difference."""
        half = t_quantile((1 + confidence) / 2, self.df) * self.standard_error if self.df > 0 else math.inf
        half += self.drift
        return Estimate(self.delta, max(-1.0, self.delta - half), min(1.0, self.delta + half))


class _Answers(NamedTuple):
    """Scored answers under load that have a baseline, by item and block of time."""

    task: Ints
    block: Ints
    item: Ints
    n: Floats
    passed: Floats
    base: Floats
    """Share of passes of the item unloaded."""


def paired(view: View) -> Paired | None:
    """Difference of a view of the run to the baseline phase. None without one, or without common items.

    Two-way clustered variance, V_item + V_time - V_answer (Cameron, Gelbach and Miller 2011): an item's
    answers share its baseline, and answers of one moment share the state of the pipeline.
    """
    info = view.info
    base = _baseline(view.summary, info)
    if base is None:
        return None
    own = stability(view.summary, info)
    answers = _under_load(view, base)
    if not len(answers.n):
        return None
    weights = _answer_weights(answers, info)
    delta = _delta_by_task(answers, len(info.tasks))[answers.task]
    difference = answers.passed - answers.n * (answers.base + delta)
    squares = (
        answers.passed * (1 - answers.base - delta) ** 2
        + (answers.n - answers.passed) * (answers.base + delta) ** 2
    )
    z = weights * difference
    by_item, items = _spread(answers.item, z)
    by_time, blocks = _spread(answers.block, z)
    each = float((weights**2 * squares).sum())
    variance = max(by_item + by_time - each, by_item, by_time)
    lost, gained = _discordant(answers)
    return Paired(
        delta=float((weights * (answers.passed - answers.n * answers.base)).sum()),
        standard_error=math.sqrt(variance),
        df=min(items, blocks) - 1,
        n_items=items,
        n_answers=int(answers.n.sum()),
        lost=lost,
        gained=gained,
        p_value=mcnemar(lost, gained),
        drift=abs(own.drift.value) if own is not None and own.drifts and own.drift is not None else 0.0,
        bootstrap_error=lambda: _bootstrap_error(answers, info),
    )


def paired_figures(view: View, bootstrap: bool) -> dict[str, Any]:
    """``baseline_delta`` of ``summary.json``; ``bootstrap``: with the clustered bootstrap's interval too."""
    found, profile = paired(view), view.info.profile
    baseline = profile.quality.baseline
    if found is None:
        return {"value": None, "low": None, "high": None, "baseline": baseline}
    own = stability_figures(stability(view.summary, view.info), profile.gates.quality_loss_max)
    bound = found.bound(0.95)
    boot = found._replace(standard_error=found.bootstrap_error()).bound(0.95) if bootstrap else None
    return {
        "value": rounded(bound.value),
        "low": rounded(bound.low),
        "high": rounded(bound.high),
        "bootstrap_low": rounded(boot.low) if boot else None,
        "bootstrap_high": rounded(boot.high) if boot else None,
        "baseline": baseline,
        "n_items": found.n_items,
        "n_answers": found.n_answers,
        "lost": found.lost,
        "gained": found.gained,
        "p_value": rounded(found.p_value),
        **own,
    }


def _baseline(summary: Summary, info: RunInfo) -> Floats | None:
    """(scored, passed) of the baseline phase by item, shape (items, 2)."""
    _, item, rows = baseline_rows(summary, info)
    out = np.zeros((len(info.items), 2))
    np.add.at(out, item, rows)
    return out if out[:, 0].any() else None


def _under_load(view: View, base: Floats) -> _Answers:
    info = view.info
    keys, rows = view.summary.item_scores.arrays()
    phase, block, item = keys >> 40, (keys >> 32) & 0xFF, keys & 0xFFFFFFFF
    mine = np.zeros(len(keys), bool)
    for w in view.windows:
        plan = info.phases[w.phase]
        if plan.group == info.profile.quality.baseline:
            continue
        first, last = info.whole(plan)[1:]
        middle = first + (block + _HALF) * (last - first) / ITEM_BLOCKS
        mine |= (phase == w.phase) & (view.whole | ((middle >= w.first) & (middle < w.last)))
    mine &= base[item, 0] > 0
    phase, block, item = phase[mine], block[mine], item[mine]
    share = base[item, 1] / base[item, 0]
    n, passed = rows[mine, 0].astype(float), rows[mine, 1].astype(float)
    return _Answers(info.task_of[item], phase * ITEM_BLOCKS + block, item, n, passed, share)


def _delta_by_task(a: _Answers, tasks: int) -> Floats:
    n = np.bincount(a.task, a.n, tasks)
    return np.bincount(a.task, a.passed - a.n * a.base, tasks) / np.maximum(n, 1)


def _answer_weights(a: _Answers, info: RunInfo) -> Floats:
    """Weight of each answer, so that tasks count as declared and the weights of all answers add up to 1."""
    tasks = len(info.tasks)
    n = np.bincount(a.task, a.n, tasks)
    declared = np.array(info.task_weights) * (n > 0)
    if declared.sum() <= 0:
        declared = (n > 0).astype(float)
    out: Floats = (declared / declared.sum() / np.maximum(n, 1))[a.task]
    return out


def _spread(cluster: Ints, z: Floats) -> tuple[float, int]:
    """C/(C-1) times the sum of squared cluster totals, and the number of clusters C."""
    _, where = np.unique(cluster, return_inverse=True)
    totals = np.bincount(where, z)
    c = len(totals)
    return float((totals**2).sum()) * (c / (c - 1) if c > 1 else 1.0), c


def _bootstrap_error(a: _Answers, info: RunInfo) -> float:
    """Standard error of the task-weighted difference by the clustered bootstrap; tasks keep their weight."""
    tasks = len(info.tasks)
    declared = np.array(info.task_weights) * (np.bincount(a.task, a.n, tasks) > 0)
    declared = declared / declared.sum() if declared.sum() > 0 else np.full(tasks, 1 / tasks)
    gain = a.passed - a.n * a.base
    masks = [(declared[task], a.task == task) for task in np.flatnonzero(declared).tolist()]

    def difference(w: Floats) -> Floats:
        out = np.zeros(len(w))
        for weight, mine in masks:
            out += weight * (w[:, mine] @ gain[mine]) / (w[:, mine] @ a.n[mine])
        return out

    return two_way_error(a.item, a.block, difference)[0]


def _discordant(a: _Answers) -> tuple[int, int]:
    items, where = np.unique(a.item, return_inverse=True)
    share = np.bincount(where, a.passed, len(items)) / np.bincount(where, a.n, len(items))
    base = np.zeros(len(items))
    base[where] = a.base
    lost = (base > _HALF) & (share < _HALF)
    gained = (base < _HALF) & (share > _HALF)
    return int(lost.sum()), int(gained.sum())
