"""What a step showed: from the figures of its run to one entry of the search's record.

Not aware of how steps are chosen, nor of processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from mmload.intervals import CONFIDENCE, certifying_n
from mmload.model import CheckVerdict
from mmload.profile import Gates
from mmload.search.steps import Kind, Seen, Step
from mmload.summary import GATES, Evidence
from mmload.summary.levels import level_limits

BLIND: Final = frozenset(name for name, g in GATES.items() if g.dimension in ("latency", "throughput"))
"""Gates of a tool that never looks at an answer."""
_TRIALS: Final = frozenset(
    {"quality_min", "schema_valid_min", "critical_hallucination_max", "over_slo_max", "error_max"}
)


def needed(gates: Gates) -> int:
    """Requests without which some gate could not pass: a percentile must be certifiable, and a share of at
    most e is shown at best by n trials without a hit, (1 - e)^n <= 5% (Clopper and Pearson 1934)."""
    found = [1]
    for name, limit in level_limits(gates).items():
        quantile = GATES[name].quantile
        if quantile is not None:
            found.append(certifying_n(quantile))
        elif name in _TRIALS:
            allowed = limit if GATES[name].upper else 1 - limit
            if 0 < allowed < 1:
                found.append(math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-allowed)))
    return max(found)


def level_of(
    step: Step,
    figures: Mapping[str, Any],
    gates: Gates,
    number: int,
    minutes: float,
    settled_by: str | None = None,
) -> dict[str, Any]:
    """One level as ``capacity.json`` holds it; ``number`` counts the steps from 1, ``minutes`` is what it
    took, ``settled_by`` the gate whose certain failure ended it early.

    Every ``_low`` and ``_high`` is what the gates are judged by: one-sided 95% bounds, of quality the 95%
    interval.
    """
    evidence = {name: Evidence(**e) for name, e in figures["evidence"].items()}
    evidence["quality_min"] = _two_sided(evidence["quality_min"], figures["quality"])
    judged = {name: _gate(name, limit, evidence[name]) for name, limit in level_limits(gates).items()}
    if settled_by is not None:
        judged[settled_by] |= {"verdict": "fail", "holds": False, "more_needed": None}
    validity, counts = figures["validity"], figures["counts"]
    sent, ok = counts["sent"], counts["ok"]
    latency = figures["latency_ms"]["e2e"]
    return {
        "number": number,
        "step": step.kind.value,
        "rpm": step.rpm,
        "replicates": step.replicates,
        "seconds": step.seconds,
        "ended_early": settled_by is not None,
        "valid": bool(validity["valid"]),
        "reasons": list(validity["reasons"]),
        "verdict": _verdict(judged).value,
        "limited_by": limited_by(judged),
        "holds": all(g["holds"] for g in judged.values()),
        "more": round(_to_settle(judged), 3),
        "fast": all(g["holds"] for name, g in judged.items() if name in BLIND),
        "gates": judged,
        "achieved_rpm": round(step.rpm * ok / sent, 2) if sent else None,
        "good_rpm": _good_rpm(step, figures),
        "in_flight": _in_flight(step, ok, sent, latency["mean"]),
        "n_scored": figures["quality"]["n_scored"],
        "replicate_quality": [
            p["quality"]["score"] for p in figures["phases"] if not p["warmup"] and step.replicates > 1
        ],
        **_bounds("quality", evidence["quality_min"]),
        **_bounds("e2e_p95_ms", evidence["e2e_p95_ms"]),
        **_bounds("error_ratio", evidence["error_max"]),
        **_bounds("over_slo_ratio", evidence["over_slo_max"]),
        **_bounds("quality_loss", evidence["quality_loss_max"]),
        **_bounds("per_query_usd", evidence["per_query_usd_max"]),
        **_bounds("per_good_query_usd", evidence["per_good_query_usd_max"]),
        "baseline_findings": list(figures["quality"]["baseline_delta"].get("findings") or []),
        "requests": sum(p["counts"]["sent"] for p in figures["phases"]),
        "minutes": round(minutes, 4),
        "usd": _usd(figures),
    }


def _usd(figures: Mapping[str, Any]) -> float | None:
    """Of every request that was sent, warm-up too: that is spent as well."""
    parts = [p["cost"]["total_usd"] for p in figures["phases"]]
    known = [p for p in parts if p is not None]
    return round(sum(known), 6) if len(known) == len(parts) else None


def _two_sided(e: Evidence, quality: Mapping[str, Any]) -> Evidence:
    """The wider interval: means of replicates under a ladder are skewed. In simulations of a level exactly at
    its threshold Student's one-sided 95% bound passed it in 6 to 9% of the cases, this one in 3 to 5%.
    """
    return replace(e, low=quality["low"], high=quality["high"])


def _bounds(name: str, e: Evidence) -> dict[str, Any]:
    return {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}


def _good_rpm(step: Step, figures: Mapping[str, Any]) -> float | None:
    """Right and in time, at the declared rate: the chance of the arrival count is taken out."""
    good, offered = figures["throughput"]["good_rpm"], figures["throughput"]["offered_rpm"]
    return round(step.rpm * good / offered, 2) if good is not None and offered else None


def _in_flight(step: Step, ok: int, sent: int, mean_ms: float | None) -> float | None:
    """Requests in the pipeline on average, by Little's law: rate times mean latency."""
    if not sent or mean_ms is None:
        return None
    return round(step.rpm * ok / sent / 60 * mean_ms / 1000, 4)


def _gate(name: str, limit: float, e: Evidence) -> dict[str, Any]:
    upper = GATES[name].upper
    found = e.against(limit, upper)
    holds = found is CheckVerdict.PASS
    if found is CheckVerdict.INCONCLUSIVE:
        # A percentile is judged by what lies at or below it where too few can certify it.
        value = e.value if e.value is not None else e.low if upper else e.high
        holds = value is None or (value <= limit if upper else value >= limit)
    return {
        "limit": limit,
        "more": _more(e, limit, upper == holds),
        "value": e.value,
        "low": e.low,
        "high": e.high,
        "verdict": found.value,
        "holds": holds,
        "more_needed": e.more_needed(limit, upper) if found is CheckVerdict.INCONCLUSIVE else None,
    }


def _to_settle(judged: Mapping[str, Mapping[str, Any]]) -> float:
    """So many times its requests would settle a level as it leans: every gate passes, or some gate fails."""
    failing = [g["more"] for g in judged.values() if not g["holds"]]
    return min(failing) if failing else max((g["more"] for g in judged.values()), default=1.0)


def _more(e: Evidence, limit: float, high: bool) -> float:
    """So many times the observations would bring a bound (``high`` or low) to the limit: the distance to the
    value shrinks with their root; without a single miss, with their number."""
    bound = e.high if high else e.low
    if e.value is None or bound is None:
        return 1.0
    gap, room = abs(bound - e.value), abs(limit - e.value)
    if gap <= room:
        return 1.0
    ratio = min(gap / max(room, 1e-9), 1e3)
    return ratio if e.value in (0.0, 1.0) else ratio * ratio


def _verdict(judged: Mapping[str, Mapping[str, Any]]) -> CheckVerdict:
    found = {g["verdict"] for g in judged.values()}
    for worst in (CheckVerdict.FAIL, CheckVerdict.INCONCLUSIVE):
        if worst.value in found:
            return worst
    return CheckVerdict.PASS


def limited_by(judged: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The gate that gives way: one that failed, before one that seems to, before one that is unsettled."""
    for wanted in (
        lambda g: g["verdict"] == "fail",
        lambda g: not g["holds"],
        lambda g: g["verdict"] == "inconclusive",
    ):
        for name in GATES:
            if name in judged and wanted(judged[name]):
                return name
    return None


_OF_STRETCH: Final = {
    "quality_min": "quality",
    "over_slo_max": "over_slo_ratio",
    "error_max": "error_ratio",
    "e2e_p95_ms": "e2e_p95_ms",
}


def hysteresis(figures: Mapping[str, Any], step: Step, gates: Gates) -> dict[str, Any]:
    """The rate of the answer before and after an overload: whether what holds going up holds coming down.

    ``missed_up`` and ``missed_down``: gates whose limit the figure of that stretch misses, by best guess.
    """
    phase = next(p for p in figures["phases"] if not p["warmup"])
    return {
        "missed_up": _missed(phase["burst"]["before"], gates),
        "missed_down": _missed(phase["burst"]["after"], gates),
        "rpm": step.rpm,
        "over_rpm": step.over_rpm,
        "recovery_s": phase["recovery_s"],
        "peak_backlog": phase["peak_backlog"],
        **phase["burst"],
    }


def _missed(stretch: Mapping[str, Any], gates: Gates) -> list[str]:
    limits = level_limits(gates)
    told = {n: (stretch[key], limits[n]) for n, key in _OF_STRETCH.items() if n in limits}
    return [
        name
        for name, (value, limit) in told.items()
        if value is not None and (value > limit if GATES[name].upper else value < limit)
    ]


def seen_of(level: Mapping[str, Any]) -> Seen:
    """The same, as the search takes it."""
    step = Step(
        Kind(level["step"]),
        level["rpm"],
        level["replicates"],
        level["seconds"],
        float(level.get("over_rpm") or 0.0),
    )
    return Seen(
        step,
        CheckVerdict(level["verdict"]),
        bool(level["holds"]),
        bool(level["fast"]),
        bool(level["valid"]),
        int(level["requests"]),
        float(level["minutes"]),
        level["usd"],
        float(level["more"]),
    )
