"""The unloaded baseline against itself: what it cannot tell apart, load cannot be blamed for.

Two ways to disagree: at random (an item's answers differ, the noise floor), and over time (the last answers
to the same items are worse or better than the first). Not aware of answers under load.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload.histogram import Ints
from mmload.intervals import CONFIDENCE, Estimate, mcnemar, student_p, t_quantile
from mmload.summary.run_info import RunInfo
from mmload.summary.sums import Summary
from mmload.summary.view import rounded

Floats = npt.NDArray[np.float64]
_CERTAIN: Final = 0.01
"""A baseline that does not drift is called unstable in at most so many runs."""
_LEAST_ITEMS: Final = 20


class Stability(NamedTuple):
    noise_floor: float | None
    """How often two answers to the same item disagree; None if no item was asked twice."""
    smallest_loss: float | None
    """With 95% confidence the baseline's own chance stays below this: no smaller loss can be told."""
    drift: Estimate | None
    """Last answers less first ones, mean over items that were asked at two times; None of fewer than 20."""
    p_value: float | None
    n_items: int
    n_answers: int

    @property
    def drifts(self) -> bool:
        return self.p_value is not None and self.p_value < _CERTAIN


def baseline_rows(summary: Summary, info: RunInfo) -> tuple[Ints, Ints, Ints]:
    """(time, item, (scored, passed)) of the baseline phase; time counts its phases and blocks."""
    name = info.profile.quality.baseline
    phases = [p.number for p in info.phases if p.group == name] if name is not None else []
    keys, rows = summary.item_scores.arrays()
    mine = np.isin(keys >> 40, phases)
    return keys[mine] >> 32, keys[mine] & 0xFFFFFFFF, rows[mine]


def stability(summary: Summary, info: RunInfo) -> Stability | None:
    """None without a baseline that was scored."""
    time, item, rows = baseline_rows(summary, info)
    n, passed = (np.bincount(item, rows[:, k], len(info.items)).astype(float) for k in (0, 1))
    if not n.any():
        return None
    floor = _noise_floor(n, passed)
    drift, p = _drift(time, item, rows)
    return Stability(floor, _smallest_loss(floor, n[n > 0]), drift, p, int((n > 0).sum()), int(n.sum()))


def _noise_floor(n: Floats, passed: Floats) -> float | None:
    """Unbiased chance that two answers to one item disagree, mean over items asked at least twice."""
    twice = n >= 2
    if not twice.any():
        return None
    n, k = n[twice], passed[twice]
    return float((2 * k * (n - k) / (n * (n - 1))).mean())


def _smallest_loss(floor: float | None, n: Floats) -> float | None:
    """One-sided 95% bound of the chance in the baseline's mean: the variance of one answer is half of the
    chance that two disagree, that of an item's mean so much over its answers."""
    if floor is None:
        return None
    error = math.sqrt(floor / 2 * float((1 / n).sum())) / len(n)
    return t_quantile(CONFIDENCE, 1e9) * error


def _drift(time: Ints, item: Ints, rows: Ints) -> tuple[Estimate | None, float | None]:
    """Each item votes once: its last answers against its first, and what lies between counts for nothing."""
    order = np.lexsort((time, item))
    time, item, share = time[order], item[order], (rows[:, 1] / np.maximum(rows[:, 0], 1))[order]
    _, first = np.unique(item, return_index=True)
    last = np.append(first[1:], len(item)) - 1
    apart = time[last] > time[first] if len(item) else np.zeros(0, bool)
    change = share[last[apart]] - share[first[apart]]
    if len(change) < _LEAST_ITEMS:
        return None, None
    value, error = float(change.mean()), float(change.std(ddof=1)) / math.sqrt(len(change))
    half = t_quantile((1 + CONFIDENCE) / 2, len(change) - 1) * error
    lost, gained = int((change < 0).sum()), int((change > 0).sum())
    p = max(student_p(value, error, len(change) - 1), mcnemar(lost, gained))
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half)), p


def findings(found: Stability | None, loss_max: float | None) -> list[str]:
    """Why the baseline is not to be relied on, each a sentence with its remedy. ``loss_max``: the gate on
    quality lost under load, None if there is none."""
    if found is None:
        return []
    said = []
    if found.drifts and found.drift is not None:
        value = found.drift.value
        said.append(
            "the unloaded baseline disagrees with itself: the last answers to its items pass "
            f"{100 * abs(value):.1f} points {'less' if value < 0 else 'more'} often than the first "
            f"(p = {found.p_value:.2g}), so that the quality lost under load is uncertain by as much; let "
            "the target warm up for longer, and keep it from changing while it is measured"
        )
    least = found.smallest_loss
    if loss_max is not None and least is not None and least > loss_max:
        said.append(
            f"the unloaded baseline is too noisy for gates.quality_loss_max = {loss_max:g}: two answers to "
            f"the same item disagree in {found.noise_floor:.0%} of the cases, and with {found.n_answers:,} "
            f"answers to {found.n_items:,} items that alone moves it by {100 * least:.1f} points; ask its "
            "items more often, or make the target repeat itself (temperature 0)"
        )
    return said


def stability_figures(found: Stability | None, loss_max: float | None) -> dict[str, Any]:
    """What ``baseline_delta`` of ``summary.json`` says of the baseline alone."""
    if found is None:
        return {}
    drift = found.drift
    return {
        "noise_floor": rounded(found.noise_floor),
        "smallest_loss": rounded(found.smallest_loss),
        "drift": rounded(drift.value) if drift else None,
        "drift_low": rounded(drift.low) if drift else None,
        "drift_high": rounded(drift.high) if drift else None,
        "drift_p_value": rounded(found.p_value),
        "findings": findings(found, loss_max),
    }
