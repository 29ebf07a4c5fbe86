"""Every figure by slice (task, image size, prompt size, format, variant, language...), the worst first.

Not aware of gates. A slice is compared with all other answers; with dozens of slices some differ by
chance, so p values are adjusted for looking at all of them (Holm).
"""

from __future__ import annotations

import math
from typing import Any

from mmload.histogram import Ints
from mmload.intervals import Estimate, holm, two_sided_p, wilson
from mmload.summary.measures import W_ONE, S
from mmload.summary.run_info import RunInfo
from mmload.summary.sums import Summary
from mmload.summary.view import percentiles, ratio, rounded


def weighted_wilson(w_pass: int, w: int, w2: int, design_effect: float = 1.0) -> Estimate | None:
    """Wilson's interval on Kish's effective number of answers over the design effect of their clusters."""
    if w <= 0:
        return None
    n = w * w / (w2 * W_ONE) / max(1.0, design_effect)
    return wilson(w_pass / w * n, n)


def slice_rows(summary: Summary, info: RunInfo, design_effect: float) -> list[dict[str, Any]]:
    """One row per slice, worst quality first, those without a score last.

    ``delta`` is the slice's quality less that of all other answers, ``p_adjusted`` the Holm-adjusted
    p value of it being chance (two proportions, variance times ``design_effect``).
    """
    rows = []
    for number, (dimension, value) in enumerate(info.slices):
        row = summary.slices.get(number)
        if row is not None and row[S.SENT]:
            rows.append(_row(summary, number, dimension, value, row, design_effect))
    totals = _totals(summary, info)
    tested = []
    for entry in rows:
        row = entry.pop("_sums")
        entry["delta"], p = _against_rest(row, totals[entry["by"]] - row, design_effect)
        entry["p_adjusted"] = None
        if p is not None:
            tested.append((entry, p))
    for (entry, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        entry["p_adjusted"] = rounded(p)
    return sorted(rows, key=lambda s: (s["quality"] is None, s["quality"] or 0.0, s["by"], s["value"]))


def by_slice(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """``by_slice`` of ``summary.json``: dimension -> value -> figures."""
    out: dict[str, Any] = {}
    for row in sorted(rows, key=lambda s: (s["by"], s["value"])):
        figures = {"score" if k == "quality" else k: v for k, v in row.items() if k not in ("by", "value")}
        out.setdefault(row["by"], {})[row["value"]] = figures
    return out


def _row(
    summary: Summary, number: int, dimension: str, value: str, row: Ints, design_effect: float
) -> dict[str, Any]:
    estimate = weighted_wilson(int(row[S.W_PASS]), int(row[S.W]), int(row[S.W2]), design_effect)
    latency = summary.slice_latency.histogram(number, number)
    return {
        "by": dimension,
        "value": value,
        "n": int(row[S.SENT]),
        "n_scored": int(row[S.N_SCORED]),
        "quality": rounded(estimate.value) if estimate else None,
        "low": rounded(estimate.low) if estimate else None,
        "high": rounded(estimate.high) if estimate else None,
        "e2e_p95_ms": percentiles(latency)["p95"],
        "error_ratio": ratio(int(row[S.SENT] - row[S.OK]), int(row[S.SENT])),
        "over_slo_ratio": ratio(int(row[S.SENT] - row[S.WITHIN_SLO]), int(row[S.SENT])),
        "critical_ratio": ratio(int(row[S.W_CRITICAL]), int(row[S.W])),
        "per_query_usd": _per_query(row),
        "_sums": row,
    }


def _per_query(row: Ints) -> float | None:
    """Dollars per request sent, without machines; None if a price is unknown."""
    return None if row[S.UNPRICED] else round(int(row[S.COST]) / 1e6 / int(row[S.SENT]), 8)


def _totals(summary: Summary, info: RunInfo) -> dict[str, Ints]:
    """Sums over all values of each dimension."""
    out: dict[str, Ints] = {}
    for number, (dimension, _) in enumerate(info.slices):
        row = summary.slices.get(number)
        if row is not None:
            out[dimension] = out[dimension] + row if dimension in out else row.copy()
    return out


def _against_rest(row: Ints, rest: Ints, design_effect: float) -> tuple[float | None, float | None]:
    """(difference to the rest, its unadjusted p value); None where either has no score."""
    if row[S.W] <= 0 or rest[S.W] <= 0:
        return None, None
    a, b = row[S.W_PASS] / row[S.W], rest[S.W_PASS] / rest[S.W]
    pooled = (row[S.W_PASS] + rest[S.W_PASS]) / (row[S.W] + rest[S.W])
    share = row[S.W2] / row[S.W] ** 2 + rest[S.W2] / rest[S.W] ** 2
    variance = pooled * (1 - pooled) * float(share) * W_ONE * max(1.0, design_effect)
    p = 1.0 if variance <= 0 else two_sided_p(float(a - b) / math.sqrt(variance))
    return rounded(float(a - b)), p
