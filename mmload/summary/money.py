"""What a view of the run cost: ``summary.json``'s ``cost``. Not aware of gates.

Sums are integer micro-dollars and add up exactly; intervals come from the spread between blocks of time
or replicates, as costs of one moment go together (a pipeline that falls back is cheap for a while).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmload.histogram import Ints
from mmload.intervals import Estimate, clustered_ratio
from mmload.price import COMPONENTS, spread, usd
from mmload.summary.measures import COST_COLUMNS, M
from mmload.summary.view import View, rounded

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bill:
    """The ledger of a view, summed."""

    components: dict[str, int | None]
    """Micro-dollars; None is unknown."""
    total: int | None
    per_query: Estimate | None
    """Dollars per request sent, with its 95% interval; likewise per good one."""
    per_good: Estimate | None
    bound: Callable[[float], tuple[Estimate | None, Estimate | None]]
    """(per query, per good query) with intervals of another confidence."""


def bill(view: View) -> Bill:
    parts, total = _money(view)

    def bound(confidence: float) -> tuple[Estimate | None, Estimate | None]:
        if total is None:
            return None, None
        infrastructure = parts["infrastructure"] or 0
        sent = (view.data[:, M.PLANNED] - view.data[:, M.NOT_SENT]).astype(float)
        return (
            _per(view, sent, infrastructure, confidence),
            _per(view, _good_by_cell(view), infrastructure, confidence),
        )

    per_query, per_good = bound(0.95)
    return Bill(parts, total, per_query, per_good, bound)


def cost_figures(view: View) -> dict[str, Any]:
    found = bill(view)
    parts = found.components
    return {
        "total_usd": usd(found.total),
        **_named("per_query", found.per_query),
        **_named("per_good_query", found.per_good),
        "by_component": {name: usd(amount) for name, amount in parts.items()},
        "by_feature": (features := _by_feature(view, parts["infrastructure"] or 0)),
        "by_workflow": _by_workflow(features, view.info.profile.cost.workflows),
        "failed_usd": None if parts["model"] is None else usd(view.sum(M.C_FAILED)),
        "unpriced": view.sum(M.UNPRICED_MODEL) + view.sum(M.UNPRICED_RETRIES),
        "tokens": {
            "input": view.sum(M.TOKENS_IN),
            "output": view.sum(M.TOKENS_OUT),
            "cached": view.sum(M.TOKENS_CACHED),
        },
        "usage_vs_formula_ratio": _usage_vs_formula(view),
        "budget_usd": view.info.profile.cost.budget_usd,
        "price_snapshot": view.info.book.snapshot(),
    }


def _usage_vs_formula(view: View) -> float | None:
    """Input tokens as billed over what the formula of the model says, less 1; of the whole run."""
    tallies = view.summary.tallies
    expected = tallies.get("formula_input", 0)
    return rounded(tallies.get("billed_input", 0) / expected - 1) if expected else None


def _named(name: str, found: Estimate | None) -> dict[str, float | None]:
    value, low, high = found or (None, None, None)
    return {f"{name}_usd": _eight(value), f"{name}_low_usd": _eight(low), f"{name}_high_usd": _eight(high)}


def _eight(x: float | None) -> float | None:
    return None if x is None or math.isinf(x) else round(x, 8)


def break_even_usd(base: View, load: View) -> float | None:
    """Cost of one bad answer from which on the cheaper, worse answers under load are a loss.

    (C_0 - C_l) / (q_0 - q_l); None unless load makes answers both cheaper and worse.
    """
    costs = [bill(v).per_query for v in (base, load)]
    qualities = [v.quality() for v in (base, load)]
    if costs[0] is None or costs[1] is None or qualities[0] is None or qualities[1] is None:
        return None
    saved, lost = costs[0].value - costs[1].value, qualities[0].value - qualities[1].value
    return round(saved / lost, 8) if saved > 0 and lost > 0 else None


def _money(view: View) -> tuple[dict[str, int | None], int | None]:
    """Micro-dollars by component, and their sum; None where any price is unknown."""
    parts: dict[str, int | None] = {
        name: view.sum(column) for name, column in zip(COMPONENTS, COST_COLUMNS, strict=False)
    }
    parts["infrastructure"] = view.info.book.infrastructure(view.duration_ns)
    if view.sum(M.UNPRICED_MODEL):
        parts["model"] = None
    if view.sum(M.UNPRICED_RETRIES):
        parts["retries"] = None
    known = [v for v in parts.values() if v is not None]
    return parts, sum(known) if len(known) == len(parts) else None


def good_queries(view: View) -> float | None:
    """Estimated number of requests answered within their objective *and* right.

    Per task, the number within the objective (known) times the weighted share of passes among those of
    them that were sampled. None if nothing was scored.
    """
    within, share = _within_and_share(view)
    if share is None:
        return 0.0 if view.sum(M.N_SCORED) and within.sum() == 0 else None
    return float((within * share).sum())


def _within_and_share(view: View) -> tuple[Ints, Floats | None]:
    """By task: requests within their objective, and the share of passes among the sampled ones of them."""
    t = view.by_task
    w = t[:, M.W_SLO]
    if w.sum() <= 0:
        return t[:, M.WITHIN_SLO], None
    overall = t[:, M.W_SLO_PASS].sum() / w.sum()
    return t[:, M.WITHIN_SLO], np.where(w > 0, t[:, M.W_SLO_PASS] / np.maximum(w, 1), overall)


def _good_by_cell(view: View) -> Floats | None:
    """Good requests by cell: sums to ``good_queries``, and varies between cells as the estimate does."""
    within, share = _within_and_share(view)
    if share is None:
        return None
    scale = within / np.maximum(view.by_task[:, M.W_SLO], 1)
    p, data = share[view.task], view.data
    deviation = data[:, M.W_SLO_PASS] - p * data[:, M.W_SLO]
    out: Floats = p * data[:, M.WITHIN_SLO] + scale[view.task] * deviation
    return out


def _per(view: View, units: Floats | None, infrastructure: int, confidence: float) -> Estimate | None:
    """Dollars per unit: a ratio of sums, each over the same clusters."""
    if units is None or units.sum() <= 0:
        return None
    cost = view.data[:, list(COST_COLUMNS)].sum(axis=1).astype(float)
    found = []
    for cluster, groups in view.clusterings:
        n = len(groups)
        spent = np.bincount(cluster, cost, n) + infrastructure / n
        found.append(clustered_ratio(spent / 1e6, np.bincount(cluster, units, n), groups, confidence))
    return max(found, key=lambda e: e.high - e.low)


def _by_feature(view: View, infrastructure: int) -> dict[str, float | None]:
    """Cost by task; machines by share of service time. The parts add up to the total exactly."""
    t = view.by_task
    machines = spread(infrastructure, t[:, M.SERVICE_US].tolist())
    out: dict[str, float | None] = {}
    for k, task in enumerate(view.info.tasks):
        row: Ints = t[k]
        unknown = row[M.UNPRICED_MODEL] or row[M.UNPRICED_RETRIES]
        out[task] = None if unknown else usd(int(sum(int(row[c]) for c in COST_COLUMNS)) + machines[k])
    return out


def _by_workflow(
    features: Mapping[str, float | None], workflows: Mapping[str, Sequence[str]]
) -> dict[str, float | None] | None:
    """Cost by workflow as the profile declares them, what belongs to none under ``other``; None without any.

    Added up in micro-dollars, so that the parts make the total exactly.
    """
    if not workflows:
        return None
    of = {task: name for name, tasks in workflows.items() for task in tasks}
    sums: dict[str, int | None] = {}
    for task, amount in features.items():
        name = of.get(task, "other")
        so_far = sums.get(name, 0)
        sums[name] = None if amount is None or so_far is None else so_far + round(amount * 1e6)
    return {name: usd(amount) for name, amount in sorted(sums.items())}
