"""A run's figures held against the matrix: one verdict for each of the eight dimensions, with its evidence.

The scorecard describes; the run's own verdict comes from the gates of its profile alone. Not aware of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from mmload.intervals import clopper_pearson_lower, clopper_pearson_upper
from mmload.model import CheckVerdict
from mmload.profile import Profile
from mmload.scorecard.friction import friction
from mmload.scorecard.matrix import Criterion, Dimension, Matrix, matrix
from mmload.summary.evidence import GATES, UNKNOWN, Evidence, Gate, from_dict
from mmload.verdict import check

OWN: Final = {
    "headroom_min": Gate("throughput", upper=False),
    "friction_index_max": Gate("friction", upper=True),
    "violation_ratio_max": Gate("safety", upper=True),
    "triage_gain_min": Gate("accuracy", upper=False),
}
"""Measures of the scorecard that are no gates of a profile."""
TRIAGE_GAIN: Final = "triage_gain_min"
"""Known to a comparison only, which has the baselines; a run's own scorecard leaves it out."""


def scorecard(
    figures: Mapping[str, Any],
    profile: Profile,
    by: Matrix | None = None,
    more: Mapping[str, Evidence] | None = None,
) -> dict[str, Any]:
    """``scorecard`` of ``summary.json``: ``{matrix, dimensions, friction}``.

    ``more``: evidence that is not in the figures of a run. A dimension fails if one of its measures fails, is
    inconclusive if none fails and one is open, passes if all that have a limit pass; null if none has one.
    """
    by = by or matrix()
    rough = friction(figures, profile, by)
    evidence = {name: from_dict(e) for name, e in figures["evidence"].items()}
    evidence |= {**_own(figures, profile, rough), **(more or {})}
    limits = profile.gates.model_dump(exclude_none=True)
    bursts = any(phase.shape == "burst" for phase in profile.phase)
    return {
        "matrix": by.identity,
        "dimensions": [_dimension(d, evidence, limits, bursts) for d in by.dimension],
        "friction": rough,
        "rank_figures": rank_figures(figures, rough),
    }


def rank_figures(figures: Mapping[str, Any], rough: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures that ``rank_by`` of the matrix may name."""
    quality, throughput = figures["quality"], figures["throughput"]
    good, offered = throughput.get("good_rpm"), throughput.get("offered_rpm")
    return {
        "quality": quality.get("score"),
        "robustness_loss": (quality.get("robustness") or {}).get("loss"),
        "critical_hallucination": (quality.get("hallucination") or {}).get("critical"),
        "good_of_offered": None if good is None or not offered else round(good / offered, 6),
        "per_good_query_usd": figures["cost"].get("per_good_query_usd"),
        "friction_index": rough["value"],
        "over_slo": throughput.get("over_slo_ratio"),
        "safety_violations": _violations(figures).value,
    }


def _own(figures: Mapping[str, Any], profile: Profile, rough: Mapping[str, Any]) -> dict[str, Evidence]:
    found = {"violation_ratio_max": _violations(figures), "headroom_min": _headroom(figures, profile)}
    index, sent = rough["value"], figures["counts"]["sent"]
    if index is not None and sent:
        found["friction_index_max"] = Evidence(index, index, index, sent)
    return found


def _headroom(figures: Mapping[str, Any], profile: Profile) -> Evidence:
    peak = profile.expected_peak_rpm
    at = figures["evidence"].get("rpm_at_quality_min")
    if not peak or at is None:
        return UNKNOWN
    value, low, high = (None if at[k] is None else round(at[k] / peak, 4) for k in ("value", "low", "high"))
    return Evidence(value, low, high, at["n"], enough=at["enough"])


def _violations(figures: Mapping[str, Any]) -> Evidence:
    """Answers that break a rule, of those scored: none among 299 bounds the share below 1%."""
    k, n = figures["quality"]["safety"].get("violations"), figures["quality"]["n_scored"]
    if k is None or not n:
        return UNKNOWN
    return Evidence(round(k / n, 6), clopper_pearson_lower(k, n), clopper_pearson_upper(k, n), n, share=True)


def _dimension(
    dimension: Dimension, evidence: Mapping[str, Evidence], limits: Mapping[str, float], bursts: bool
) -> dict[str, Any]:
    rows = [
        _criterion(c, evidence.get(c.name, UNKNOWN), limits)
        for c in dimension.criterion
        # Nothing to recover from: the limit of the matrix does not apply, that of a profile does.
        if (bursts or c.name != "recovery_s_max" or c.name in limits)
        and (c.name != TRIAGE_GAIN or c.name in evidence)
    ]
    verdicts = {row["verdict"] for row in rows} - {None}
    worst = next((v for v in ("fail", "inconclusive", "pass") if v in verdicts), None)
    return {"name": dimension.name, "weight": dimension.weight, "verdict": worst, "criteria": rows}


def _criterion(c: Criterion, evidence: Evidence, limits: Mapping[str, float]) -> dict[str, Any]:
    gate = OWN.get(c.name) or GATES[c.name]
    own = c.name in limits
    limit = limits.get(c.name, c.limit)
    row: dict[str, Any] = {"name": c.name, "means": c.means, "n": evidence.n, "limit": limit}
    row["limit_from"] = None if limit is None else "profile" if own else "matrix"
    if limit is None:
        return {**row, **_bare(evidence), "verdict": None, "reason": "no limit is set"}
    found = asdict(check(c.name, gate, float(limit), evidence))
    verdict = found["verdict"]
    assert isinstance(verdict, CheckVerdict)
    return {**row, **_bare(evidence), "verdict": verdict.value, "reason": found["reason"]}


def _bare(evidence: Evidence) -> dict[str, float | None]:
    return {"value": evidence.value, "low": evidence.low, "high": evidence.high}
