"""Quality of a view of the run: ``summary.json``'s ``quality``. Not aware of gates.

Quality is the share of answers that pass, each task weighted as declared: never the accidental mix of a
moment, or a shift in the mix would look like degradation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmload.histogram import Ints
from mmload.intervals import Estimate
from mmload.summary.measures import CLAIM_TYPES, VALUE_ONE, M
from mmload.summary.paired import paired_figures
from mmload.summary.slices import weighted_wilson
from mmload.summary.twins import pair_accuracy
from mmload.summary.view import View, ratio, rounded


def quality_figures(view: View, slices: dict[str, Any] | None) -> dict[str, Any]:
    """``slices`` is ``by_slice``, which is known for the whole run only."""
    estimate = view.quality()
    graded = view.quality(hits=M.W_VALUE, unit=VALUE_ONE)
    bound = estimate.bound(0.95) if estimate else None
    return {
        "score": rounded(bound.value) if bound else None,
        "low": rounded(bound.low) if bound else None,
        "high": rounded(bound.high) if bound else None,
        "unconditional": rounded(unconditional(view)),
        "graded": rounded(graded.value) if graded else None,
        "n_scored": view.sum(M.N_SCORED),
        "n_eligible": view.sum(M.OK),
        "interval": None if estimate is None else "replicates" if view.replicated else "blocks",
        "design_effect": rounded(estimate.design_effect) if estimate else None,
        "by_task": _by_task(view),
        "by_slice": slices,
        "hallucination": _hallucination(view),
        "abstention": _abstention(view),
        "schema_valid_ratio": ratio(view.sum(M.W_VALID), view.sum(M.W)),
        "schema_strict_ratio": ratio(view.sum(M.W_STRICT), view.sum(M.W)),
        "safety": _safety(view),
        "baseline_delta": paired_figures(view, bootstrap=slices is not None),
    }


def _safety(view: View) -> dict[str, Any]:
    """Answers that broke a rule, or carry the wrong nonce; None of nothing scored."""
    columns = {
        "violations": M.N_SAFETY,
        "cross_talk": M.N_FOREIGN,
        "nonce_missing": M.N_NONCE_MISSING,
        "nonce_wrong": M.N_NONCE_WRONG,
    }
    scored = view.sum(M.N_SCORED) > 0
    return {name: view.sum(column) if scored else None for name, column in columns.items()}


def unconditional(view: View) -> float | None:
    """Share of requests *sent* that got a passing answer: what was shed or failed passes nothing."""
    t = view.by_task
    sent = t[:, M.PLANNED] - t[:, M.NOT_SENT]
    weights = np.array(view.info.task_weights) * ((sent > 0) & ((t[:, M.W] > 0) | (t[:, M.OK] == 0)))
    if weights.sum() <= 0 or view.sum(M.W) == 0:
        return None
    passing = t[:, M.W_PASS] / np.maximum(t[:, M.W], 1) * t[:, M.OK] / np.maximum(sent, 1)
    return float((weights * passing).sum() / weights.sum())


def _by_task(view: View) -> dict[str, Any]:
    weights = np.array(view.info.task_weights)
    weights = weights / weights.sum()
    return {
        task: _share(row, float(weights[k]))
        for k, (task, row) in enumerate(zip(view.info.tasks, view.by_task, strict=True))
        if row[M.PLANNED]
    }


def _share(row: Ints, task_weight: float) -> dict[str, Any]:
    estimate = weighted_wilson(int(row[M.W_PASS]), int(row[M.W]), int(row[M.W2]))
    return {**_described(estimate), "n_scored": int(row[M.N_SCORED]), "weight": rounded(task_weight)}


def _described(estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {"score": None, "low": None, "high": None}
    return {"score": rounded(estimate.value), "low": rounded(estimate.low), "high": rounded(estimate.high)}


def _hallucination(view: View) -> dict[str, Any]:
    """Per claim type the share of claims that are false (CHAIR_i, Rohrbach et al. 2018); ``critical`` the
    share of answers with at least one critical false claim."""
    out: dict[str, Any] = {
        kind: ratio(int(view.totals[M.HALLUCINATED + k]), int(view.totals[M.CLAIMS + k]))
        for k, kind in enumerate(CLAIM_TYPES)
    }
    out |= dict(zip(("critical", "critical_low", "critical_high"), _bounded(view, M.W_CRITICAL), strict=True))
    out["n"] = view.sum(M.N_SCORED)
    return out


def _bounded(view: View, hits: M, weights: M = M.W) -> tuple[float | None, float | None, float | None]:
    """A share of the sampled answers with its 95% interval."""
    found = view.share_of_answers(hits, weights)
    if found is None:
        return None, None, None
    value, low, high = found.exact_bound(0.95)
    return rounded(value), rounded(low), rounded(high)


def _abstention(view: View) -> dict[str, Any]:
    """Overreach: unanswerable yet answered. False abstention: answerable yet declined.

    ``f1`` is that of abstaining where one should; ``youden_j`` is 1 - overreach - false abstention;
    ``pair_accuracy`` is the chance to be right on an unanswerable item and on its answerable twin.
    """
    unanswerable, answerable = view.sum(M.W_UNANSWERABLE), view.sum(M.W_ANSWERABLE)
    over, low, high = _bounded(view, M.W_OVERREACH, M.W_UNANSWERABLE)
    false = ratio(view.sum(M.W_FALSE_ABSTENTION), answerable)
    right = unanswerable - view.sum(M.W_OVERREACH)
    wrong = view.sum(M.W_OVERREACH) + view.sum(M.W_FALSE_ABSTENTION)
    pairs, n_pairs = pair_accuracy(view)
    return {
        "overreach": over,
        "overreach_low": low,
        "overreach_high": high,
        "false_abstention": false,
        "youden_j": None if over is None or false is None else rounded(1 - over - false),
        "f1": ratio(2 * right, 2 * right + wrong) if unanswerable else None,
        "n_unanswerable": view.sum(M.N_UNANSWERABLE),
        "pair_accuracy": pairs,
        "n_pairs": n_pairs,
    }
