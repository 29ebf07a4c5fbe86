"""Whether a planned run is long enough for what its gates ask, before it is sent.

Not aware of how gates are judged afterwards; it knows how many requests each needs at the very best.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mmload.intervals import CERTIFY, CONFIDENCE, certifying_n
from mmload.profile import Gates, Profile
from mmload.schedule.estimate import Estimate, PhaseEstimate

_PERCENTILES: Final = {
    "e2e_p50_ms": 0.50,
    "e2e_p95_ms": 0.95,
    "e2e_p99_ms": 0.99,
    "e2e_p999_ms": 0.999,
    "ttft_p95_ms": 0.95,
    "ttft_p99_ms": 0.99,
}
_OF_THE_RUN: Final = ("rpm_at_quality_min", "recovery_s_max")
_SCORED: Final = (
    "quality_min",
    "schema_valid_min",
    "critical_hallucination_max",
    "cross_talk_max",
    "safety_violations_max",
)


@dataclass(frozen=True, slots=True)
class Certainty:
    """What the plan can say about one gate."""

    gate: str
    certifiable: bool
    needed: int | None
    """Observations needed if not one of them goes wrong."""
    planned: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class _Counts:
    requests: int
    streamed: int
    scored: float
    unanswerable: float


def certainties(profile: Profile, plan: Estimate, bursts: int) -> list[Certainty]:
    """One for each gate that the profile sets. ``bursts``: burst windows outside of warm-up."""
    measured = [phase for phase in plan.phases if not phase.warmup]
    counts = _counts(measured)
    limits = profile.gates.model_dump(exclude_none=True)
    found = []
    for gate, limit in limits.items():
        if gate == "recovery_s_max":
            reason = "" if bursts else "no phase has a burst to recover from"
            found.append(Certainty(gate, bursts > 0, 1, bursts, reason))
        elif gate == "rpm_at_quality_min":
            found.append(_at_quality(profile.gates, measured))
        elif gate.endswith("_usd_max"):
            found.append(_priced(gate, profile, counts, priced=plan.usd is not None))
        else:
            found.append(_counted(gate, float(limit), counts))
    return found


def best_percentile(n: int) -> str:
    """The highest of the usual percentiles that so many requests certify, or nothing."""
    quantiles = {"p99.9": 0.999, "p99": 0.99, "p95": 0.95, "p90": 0.90, "p50": 0.50}
    return next((name for name, q in quantiles.items() if n >= certifying_n(q)), "")


def _counts(phases: Sequence[PhaseEstimate]) -> _Counts:
    return _Counts(
        sum(p.requests for p in phases),
        sum(p.streamed for p in phases),
        sum(p.scored for p in phases),
        sum(p.scored_unanswerable for p in phases),
    )


def _counted(gate: str, limit: float, counts: _Counts) -> Certainty:
    planned, of_what = _observations(gate, counts)
    needed = _needed(gate, limit)
    if needed is None:
        return Certainty(
            gate, False, None, planned, f"no number of {of_what} can show {limit:g} with certainty"
        )
    if planned >= needed:
        return Certainty(gate, True, needed, planned, "")
    at = f"at {CERTIFY:.0%} confidence" if gate in _PERCENTILES else "even if none goes wrong"
    return Certainty(gate, False, needed, planned, f"{planned:,} {of_what} planned, {needed:,} needed {at}")


def _observations(gate: str, counts: _Counts) -> tuple[int, str]:
    if gate.startswith("ttft"):
        return counts.streamed, "streamed requests"
    if gate == "overreach_max":
        return int(counts.unanswerable), "scored answers to unanswerable items"
    if gate in _SCORED:
        return int(counts.scored), "scored answers"
    return counts.requests, "requests"


def _needed(gate: str, limit: float) -> int | None:
    """Observations for a gate to pass at all.

    A share of at most ``limit`` is shown, at best, by n trials without a hit: (1 - limit)^n <= 1 -
    confidence (Clopper and Pearson 1934, k = 0).
    """
    if gate in _PERCENTILES:
        return certifying_n(_PERCENTILES[gate])
    if gate in ("cross_talk_max", "safety_violations_max"):
        return 1
    allowed = 1.0 - limit if gate.endswith("_min") else limit
    if allowed >= 1.0:
        return 1
    if allowed <= 0.0:
        return None
    return math.ceil(math.log(1.0 - CONFIDENCE) / math.log1p(-allowed) - 1e-9)


def _at_quality(gates: Gates, measured: Sequence[PhaseEstimate]) -> Certainty:
    """A level counts only if every other gate can be certified at that level alone."""
    levels: dict[str, list[PhaseEstimate]] = defaultdict(list)
    for phase in measured:
        levels[phase.group].append(phase)
    limits = {g: float(v) for g, v in gates.model_dump(exclude_none=True).items() if g not in _OF_THE_RUN}
    limits = {g: v for g, v in limits.items() if not g.endswith("_usd_max")}
    able = 0
    lacking: set[str] = set()
    for phases in levels.values():
        failed = [g for g, limit in limits.items() if not _counted(g, limit, _counts(phases)).certifiable]
        able += not failed
        lacking.update(failed)
    reason = "" if able else f"no level alone is long enough for {', '.join(sorted(lacking))}"
    return Certainty("rpm_at_quality_min", able > 0, 1, able, reason)


def _priced(gate: str, profile: Profile, counts: _Counts, priced: bool) -> Certainty:
    if not priced:
        reason = f"[cost.models] has no price for {profile.target.model}"
        return Certainty(gate, False, None, counts.requests, reason)
    if gate == "per_good_query_usd_max" and counts.scored < 1:
        return Certainty(gate, False, 1, 0, "no answer is scored, so none is known to be good")
    return Certainty(gate, True, 1, counts.requests, "")
