"""Bursts: what they did while they lasted, what was left of it afterwards, and how long that took.

Not aware of gates, nor of how the load was made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmload.model import NS_PER_S, PhasePlan
from mmload.summary.measures import F, M
from mmload.summary.run_info import RunInfo, Window
from mmload.summary.sums import Summary
from mmload.summary.view import Cells, View, percentiles, ratio, rounded

_RECOVERED_S: Final = 10.0
_RECOVERED_SHARE: Final = 0.05


@dataclass(frozen=True)
class Recovery:
    """What followed the bursts of one phase: the worst of them."""

    seconds: float | None
    """From the end of the burst until the objective held again for 10 s; None if it never did."""
    watched_s: float
    """How long it was watched for, where it never did."""
    peak_backlog: int


def recovery(summary: Summary, info: RunInfo, cells: Cells, plan: PhasePlan) -> Recovery | None:
    """Recovery of a burst phase; None for other shapes.

    Back within the objective: of the requests due in the 10 s from there on, at most 5% missed their
    objective, failures and sheds among them.
    """
    bursts = info.bursts(plan)
    if not bursts:
        return None
    mine = cells.phase == plan.number
    first, last = plan.start_ns // info.bin_ns, -(-plan.end_ns // info.bin_ns)
    size = last - first
    place = cells.bin[mine] - first
    sent, missed = np.zeros(size), np.zeros(size)
    data = cells.data[mine]
    np.add.at(sent, place, data[:, M.PLANNED] - data[:, M.NOT_SENT])
    np.add.at(missed, place, data[:, M.PLANNED] - data[:, M.NOT_SENT] - data[:, M.WITHIN_SLO])
    worst: float | None = 0.0
    watched = 0.0
    for k, (_, end_s) in enumerate(bursts):
        until = bursts[k + 1][0] if k + 1 < len(bursts) else plan.end_ns / NS_PER_S
        found = _time_to_recover(
            sent, missed, end_s / info.bin_s - first, until / info.bin_s - first, info.bin_s
        )
        if found is None:
            worst, watched = None, max(watched, until - end_s)
        elif worst is not None:
            worst = max(worst, found)
    return Recovery(worst, watched, peak_backlog(summary, first, last))


def _time_to_recover(sent: Any, missed: Any, end: float, until: float, bin_s: float) -> float | None:
    width = max(1, round(_RECOVERED_S / bin_s))
    for start in range(round(end), round(until) - width + 1):
        n, over = sent[start : start + width].sum(), missed[start : start + width].sum()
        if n > 0 and over <= _RECOVERED_SHARE * n:
            return round(max(0.0, start - end) * bin_s, 3)
    return None


def peak_backlog(summary: Summary, first: int, last: int) -> int:
    """Most requests that were due, not ended and not dropped at the end of any bin of ``[first, last)``."""
    keys, rows = summary.flow.arrays()
    owed = np.cumsum(rows[:, F.DUE] - rows[:, F.ENDED] - rows[:, F.DROPPED])
    inside = (keys >= first) & (keys < last)
    return int(max(0, owed[inside].max(initial=0)))


def burst_figures(
    summary: Summary, info: RunInfo, cells: Cells, plan: PhasePlan, end_ns: int
) -> dict[str, Any] | None:
    """``before``, ``during`` and ``after`` the bursts of a phase, and what differs between before and after,
    at one base rate: a pipeline that is worse on the way down than on the way up has not recovered.

    None for other shapes. ``after`` ends with the phase or at the next burst.
    """
    bursts = info.bursts(plan)
    if not bursts:
        return None
    last = plan.end_ns / NS_PER_S
    starts = [b for b, _ in bursts]
    spans = {
        "before": [(plan.start_ns / NS_PER_S, starts[0])],
        "during": bursts,
        "after": [(e, b) for (_, e), b in zip(bursts, [*starts[1:], last], strict=True)],
    }
    views = {}
    for name, stretches in spans.items():
        windows = [_window(info, plan, start, end) for start, end in stretches if end > start]
        views[name] = View(summary, info, cells, windows, end_ns, whole=False)
    found: dict[str, Any] = {name: _stretch(view) for name, view in views.items()}
    return {**found, "quality_change": _change(found["before"], found["after"])}


def _window(info: RunInfo, plan: PhasePlan, start_s: float, end_s: float) -> Window:
    return Window(plan.number, *info.bins_of(round(start_s * NS_PER_S), round(end_s * NS_PER_S)))


def _stretch(view: View) -> dict[str, Any]:
    sent = view.sent
    quality = view.quality() if view.sum(M.N_SCORED) else None
    value, low, high = quality.bound(0.95) if quality is not None else (None, None, None)
    lost = view.sum(M.FAILED) + view.sum(M.SHED)
    return {
        "duration_s": round(view.duration_s, 3),
        "sent": sent,
        "error_ratio": ratio(lost, sent),
        "over_slo_ratio": ratio(sent - view.sum(M.WITHIN_SLO), sent),
        "e2e_p95_ms": percentiles(view.histogram("e2e"))["p95"],
        "quality": rounded(value),
        "quality_low": rounded(low),
        "quality_high": rounded(high),
    }


def _change(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float | None]:
    """After less before, with its 95% interval: the half widths of two independent means add as squares."""
    if before["quality"] is None or after["quality"] is None:
        return {"value": None, "low": None, "high": None}
    value = after["quality"] - before["quality"]
    down = math.hypot(after["quality"] - after["quality_low"], before["quality_high"] - before["quality"])
    up = math.hypot(after["quality_high"] - after["quality"], before["quality"] - before["quality_low"])
    return {
        "value": rounded(value),
        "low": rounded(max(-1.0, value - down)),
        "high": rounded(min(1.0, value + up)),
    }
