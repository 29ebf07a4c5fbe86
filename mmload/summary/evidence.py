"""What a view of the run says about each gate: a value with one-sided 95% bounds.

Not aware of whether a gate was asked for, nor of what follows from it. The names are those of
``profile.Gates``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from mmload.histogram import Histogram, rank_of
from mmload.intervals import (
    CONFIDENCE,
    Clustered,
    certifying_n,
    wilson_bound_n,
)
from mmload.model import CheckVerdict
from mmload.summary.measures import M
from mmload.summary.paired import paired
from mmload.summary.run_info import milliseconds
from mmload.summary.tail import Tail
from mmload.summary.twins import robustness
from mmload.summary.view import View

_TWO_SIDED: Final = 2 * CONFIDENCE - 1


@dataclass(frozen=True, slots=True)
class Gate:
    """How a figure is held against its limit."""

    dimension: str
    upper: bool
    """The limit is a maximum: the upper bound must stay at or below it."""
    quantile: float | None = None
    metric: str = ""


GATES: Final = {
    "quality_min": Gate("accuracy", upper=False),
    "quality_loss_max": Gate("accuracy", upper=True),
    "robustness_loss_max": Gate("robustness", upper=True),
    "schema_valid_min": Gate("friction", upper=False),
    "critical_hallucination_max": Gate("hallucination", upper=True),
    "overreach_max": Gate("hallucination", upper=True),
    "over_slo_max": Gate("latency", upper=True),
    "error_max": Gate("throughput", upper=True),
    "e2e_p50_ms": Gate("latency", True, 0.50, "e2e"),
    "e2e_p95_ms": Gate("latency", True, 0.95, "e2e"),
    "e2e_p99_ms": Gate("latency", True, 0.99, "e2e"),
    "e2e_p999_ms": Gate("latency", True, 0.999, "e2e"),
    "ttft_p95_ms": Gate("latency", True, 0.95, "ttft"),
    "ttft_p99_ms": Gate("latency", True, 0.99, "ttft"),
    "per_query_usd_max": Gate("cost", upper=True),
    "per_good_query_usd_max": Gate("cost", upper=True),
    "rpm_at_quality_min": Gate("throughput", upper=False),
    "recovery_s_max": Gate("latency", upper=True),
    "cross_talk_max": Gate("safety", upper=True),
    "safety_violations_max": Gate("safety", upper=True),
}
OF_THE_RUN: Final = frozenset({"robustness_loss_max", "rpm_at_quality_min", "recovery_s_max"})
"""Gates on the run as a whole; all others can be held against any load level."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A figure and how far it can be trusted."""

    value: float | None
    low: float | None
    """With 95% confidence the truth is not below this; None where nothing is known."""
    high: float | None
    n: int
    """Observations behind it."""
    enough: bool = True
    """Whether the sample may pass a gate at all (a percentile must be certifiable)."""
    needed: int | None = None
    """Observations from which on it may, if there are too few."""
    share: bool = False
    """The value is a share of ``n`` (possibly clustered) trials."""
    design_effect: float = 1.0

    def against(self, limit: float, upper: bool) -> CheckVerdict:
        """Pass if the cautious bound meets the limit, fail if even the hopeful bound misses it."""
        cautious, hopeful = (self.high, self.low) if upper else (self.low, self.high)
        if hopeful is not None and (hopeful > limit if upper else hopeful < limit):
            return CheckVerdict.FAIL
        if not self.enough or cautious is None or (cautious > limit if upper else cautious < limit):
            return CheckVerdict.INCONCLUSIVE
        return CheckVerdict.PASS

    def more_needed(self, limit: float, upper: bool) -> int | None:
        """Further observations that would settle it if the figure stays as it is; None if none can tell."""
        if not self.enough and self.needed is not None:
            return max(0, self.needed - self.n)
        if not self.share or self.value is None:
            return None
        passes = wilson_bound_n(self.value, limit, upper)
        fails = wilson_bound_n(self.value, limit, not upper)
        total = passes if passes is not None else fails
        if total is None:
            return None
        planned = round(total * max(1.0, self.design_effect))
        return max(1, planned - self.n, self._as_wide_as_it_is(limit, upper))

    def _as_wide_as_it_is(self, limit: float, upper: bool) -> int:
        """Further observations that bring the bound to the limit: its distance shrinks with their root. The
        spread between replicates may be wider than any design effect tells."""
        assert self.value is not None
        meets = self.value <= limit if upper else self.value >= limit
        bound = self.high if meets == upper else self.low
        room = abs(limit - self.value)
        if bound is None or room == 0:
            return 0
        return math.ceil(self.n * (min((bound - self.value) ** 2 / room**2, 1e6) - 1))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


UNKNOWN: Final = Evidence(None, None, None, 0, enough=False)


def from_dict(data: dict[str, Any]) -> Evidence:
    return Evidence(**data)


def gather(view: View) -> dict[str, Evidence]:
    """Evidence for every gate that can be held against a view."""
    found = {
        "quality_min": _quality(view),
        "quality_loss_max": _loss(view),
        "schema_valid_min": _share(view.share_of_answers(M.W_VALID), view.sum(M.N_SCORED)),
        "critical_hallucination_max": _share(view.share_of_answers(M.W_CRITICAL), view.sum(M.N_SCORED)),
        "overreach_max": _share(
            view.share_of_answers(M.W_OVERREACH, M.W_UNANSWERABLE), view.sum(M.N_UNANSWERABLE)
        ),
        "over_slo_max": _share(view.share_of_sent(view.sent_by_cell - view.data[:, M.WITHIN_SLO]), view.sent),
        "error_max": _share(view.share_of_sent(view.data[:, M.FAILED] + view.data[:, M.SHED]), view.sent),
        "cross_talk_max": _count(view, M.N_FOREIGN),
        "safety_violations_max": _count(view, M.N_SAFETY),
    }
    latencies = {metric: (view.histogram(metric), view.tail(metric)) for metric in ("e2e", "ttft")}
    for name, gate in GATES.items():
        if gate.quantile is not None:
            found[name] = percentile_evidence(*latencies[gate.metric], gate.quantile)
    return found


def _quality(view: View) -> Evidence:
    n = view.sum(M.N_SCORED)
    estimate = view.quality()
    if estimate is None or n == 0:
        return UNKNOWN
    bound = estimate.bound(_TWO_SIDED)
    return Evidence(
        bound.value, bound.low, bound.high, n, share=True, design_effect=n / max(estimate.n_eff, 1e-9)
    )


def _loss(view: View) -> Evidence:
    """What quality loses against the baseline phase on the same items; negative if it gains."""
    found = paired(view)
    if found is None or found.df < 1:
        return UNKNOWN
    bound = found.bound(_TWO_SIDED)
    return Evidence(-bound.value, -bound.high, -bound.low, found.n_answers)


def robustness_evidence(view: View) -> Evidence:
    """Mean relative loss on degraded twins."""
    found = robustness(view)
    if found is None:
        return UNKNOWN
    bound = found.bound(_TWO_SIDED)
    return Evidence(bound.value, bound.low, bound.high, found.n_pairs)


def _share(found: Clustered | None, seen: int) -> Evidence:
    """A share of ``seen`` observations, some of which may stand for less than one independent trial."""
    if found is None or seen <= 0:
        return UNKNOWN
    bound = found.exact_bound(_TWO_SIDED)
    effect = seen / max(found.n_eff, 1e-9)
    return Evidence(bound.value, bound.low, bound.high, seen, share=True, design_effect=effect)


def _count(view: View, column: M) -> Evidence:
    n = view.sum(M.N_SCORED)
    k = float(view.sum(column))
    return Evidence(k, k, k, n) if n else UNKNOWN


def percentile_evidence(histogram: Histogram, tail: Tail, quantile: float) -> Evidence:
    """A percentile with its bounds; ``tail`` is of the same latencies."""
    n, needed = histogram.n, certifying_n(quantile)
    if n == 0:
        return Evidence(None, None, None, 0, enough=False, needed=needed)
    low, high = (_at_most(us, histogram.max_us) for us in tail.bounds(quantile))
    enough = n >= needed
    value = histogram.value_at_rank(rank_of(100 * quantile, n)) if enough else None
    return Evidence(milliseconds(value), low, high, n, enough=enough, needed=needed)


def _at_most(us: int | None, max_us: int | None) -> float | None:
    return None if us is None or max_us is None else milliseconds(min(us, max_us))
