"""What a search found, from its levels: ``capacity.json``. Pure; not aware of how they were driven.

The document is described in docs/howto-capacity.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mmload.model import CheckVerdict, Verdict, counted
from mmload.profile import Profile
from mmload.scorecard import matrix
from mmload.search.level import level_of, limited_by, seen_of
from mmload.search.scalability import fit, fleet, fleet_assumptions, knee
from mmload.search.steps import Kind, Seen, Settings, Stop, confirmed, failing, spent
from mmload.summary import Evidence
from mmload.summary.levels import level_limits

__all__ = ["SCHEMA_VERSION", "answer", "level_of", "verdict_of"]

SCHEMA_VERSION: Final = "1.0.0"


def answer(
    profile: Profile,
    s: Settings,
    levels: Sequence[Mapping[str, Any]],
    ended: Stop | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole document. ``ended`` is None while the search goes on or if it was interrupted; ``about`` has
    ``target, started_at, quick, interrupted, mmload_version``."""
    seen = [seen_of(level) for level in levels]
    best, failed = confirmed(seen), failing(seen)
    top = _level_of(levels, best)
    limiting = _limiting(levels, best)
    value = top["achieved_rpm"] if top else None
    at_quality = {
        "value": value,
        "low": value,
        "high": max(failed.step.rpm, value or 0.0) if failed else None,
        "limited_by": limiting,
    }
    alone = latency_only(levels)
    peak = profile.expected_peak_rpm
    minutes, requests, usd = spent(seen)
    gates = _gates(profile, at_quality)
    found = {
        "schema_version": SCHEMA_VERSION,
        "profile": profile.name,
        "matrix": matrix().identity,
        **about,
        "rpm_at_quality": at_quality,
        "offered_rpm": best.step.rpm if best else None,
        "good_rpm": top["good_rpm"] if top else None,
        "latency_only_rpm": alone["value"],
        "latency_only": alone,
        "silent_degradation_ratio": round(alone["value"] / value, 3) if value and alone["value"] else None,
        "expected_peak_rpm": peak,
        "headroom_ratio": round(value / peak, 3) if value and peak else None,
        "knee_rpm": knee([lv for lv in levels if lv["step"] != Kind.DOWN], profile.capacity.loss),
        "knee_loss": profile.capacity.loss,
        "precision_ratio": _precision(at_quality),
        "limits": level_limits(profile.gates),
        "gates": gates,
        "levels": list(levels),
        "hysteresis": next((lv["hysteresis"] for lv in levels if lv.get("hysteresis")), None),
        "scalability": fit(_points(levels)),
        "spent": {
            "requests": requests,
            "minutes": round(minutes, 2),
            "usd": None if usd is None else round(usd, 4),
        },
        "budget": {"requests": s.max_requests, "minutes": s.max_minutes, "usd": s.max_usd},
        "ended": None if ended is None else {"reason": ended.reason, "complete": ended.complete},
    }
    found["fleet"] = _fleet(profile, value)
    found["verdict"] = verdict_of(seen, gates, ended).value
    found["notes"] = list(_notes(profile, s, found, levels, best, limiting))
    return found


def verdict_of(seen: Sequence[Seen], gates: Sequence[Mapping[str, Any]], ended: Stop | None) -> Verdict:
    """Go: a rate was confirmed and the gates on it hold. No-go: such a gate failed, or even the lowest rate
    failed with certainty. Invalid: the generator was the limit before any rate was confirmed."""
    verdicts = {gate["verdict"] for gate in gates}
    if confirmed(seen) is not None:
        if "fail" in verdicts:
            return Verdict.NO_GO
        return Verdict.INCONCLUSIVE if "inconclusive" in verdicts else Verdict.GO
    valid = [x for x in seen if x.valid]
    if seen and not seen[-1].valid:
        return Verdict.INVALID
    lowest = min(valid, key=lambda x: x.step.rpm, default=None)
    if lowest is not None and lowest.verdict is CheckVerdict.FAIL and ended is not None and ended.complete:
        return Verdict.NO_GO
    return Verdict.NO_GO if "fail" in verdicts else Verdict.INCONCLUSIVE


def latency_only(levels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What latency and errors alone would have called the capacity: the highest rate below the first that is
    not fast. ``high`` is that first, null if none was seen: the truth then lies beyond."""
    steady = [lv for lv in levels if lv["valid"] and lv["step"] != Kind.DOWN]
    slow = min((lv["rpm"] for lv in steady if not lv["fast"]), default=None)
    fast = [lv for lv in steady if lv["fast"] and (slow is None or lv["rpm"] < slow)]
    best = max(fast, key=lambda lv: float(lv["rpm"]), default=None)
    return {"value": best["achieved_rpm"] if best else None, "high": slow}


def _level_of(levels: Sequence[Mapping[str, Any]], best: Seen | None) -> Mapping[str, Any] | None:
    """The level that confirmed the answer."""
    if best is None:
        return None
    return next(
        lv
        for lv in levels
        if lv["step"] == Kind.CONFIRM
        and lv["rpm"] == best.step.rpm
        and lv["verdict"] == "pass"
        and lv["valid"]
    )


def _limiting(levels: Sequence[Mapping[str, Any]], best: Seen | None) -> str | None:
    """The gate that gives way first: of the lowest rate above the answer that fails, or seems to."""
    above = [
        lv
        for lv in levels
        if lv["valid"] and lv["step"] != Kind.DOWN and (best is None or lv["rpm"] > best.step.rpm)
        and (lv["verdict"] == "fail" or not lv["holds"])
    ]  # fmt: skip
    if not above and best is None:
        above = [lv for lv in levels if lv["valid"] and lv["verdict"] != "pass"]
    if not above:
        return None
    first = min(
        above,
        key=lambda lv: (lv["verdict"] != "fail" and best is not None, float(lv["rpm"])),
    )
    return limited_by(first["gates"])


def _precision(at_quality: Mapping[str, Any]) -> float | None:
    """Width of the interval as a share of the answer."""
    value, low, high = at_quality["value"], at_quality["low"], at_quality["high"]
    return round((high - low) / value, 4) if value and high is not None else None


def _gates(profile: Profile, at_quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gates on the answer itself."""
    limits = {"rpm_at_quality_min": profile.gates.rpm_at_quality_min}
    wanted, peak = profile.capacity.headroom_min, profile.expected_peak_rpm
    if wanted is not None and peak is not None:
        limits["headroom_min"] = wanted * peak
    found = []
    for name, limit in limits.items():
        if limit is None:
            continue
        e = Evidence(at_quality["value"], at_quality["low"], at_quality["high"], 1)
        bounds = {key: at_quality[key] for key in ("value", "low", "high")}
        verdict = e.against(limit, upper=False).value
        found.append({"name": name, "limit": limit, **bounds, "verdict": verdict})
    return found


def _points(levels: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    return [
        (float(lv["in_flight"]), float(lv["achieved_rpm"]))
        for lv in levels
        if lv["valid"] and lv["step"] != Kind.DOWN and lv["in_flight"] and lv["achieved_rpm"]
    ]


def replica_price(profile: Profile) -> float | None:
    """Dollars an hour of one replica: declared, or its share of the declared infrastructure."""
    own = profile.capacity.replica_usd_per_hour
    if own is not None:
        return own
    shared = profile.cost.infrastructure_usd_per_hour
    return shared / profile.capacity.replicas if shared else None


def _fleet(profile: Profile, rpm: float | None) -> list[dict[str, Any]]:
    c, peak = profile.capacity, profile.expected_peak_rpm
    peaks = list(c.fleet_rpm) or ([peak, 2 * peak, 5 * peak] if peak else [])
    return fleet(rpm, c.replicas, replica_price(profile), peaks, c.fleet_headroom) if rpm else []


def _notes(
    profile: Profile,
    s: Settings,
    found: Mapping[str, Any],
    levels: Sequence[Mapping[str, Any]],
    best: Seen | None,
    limiting: str | None,
) -> list[str]:
    c = profile.capacity
    notes = []
    ended = found["ended"]
    if found.get("interrupted"):
        notes.append("The search was interrupted; this is what had been measured. Go on with --resume.")
    elif ended is not None and not ended["complete"]:
        notes.append(f"The search stopped early: {ended['reason']}.")
    notes += _about_precision(found, best, s.precision)
    if best is not None and limiting is not None:
        notes += _about_misses(levels, best)
    notes += _about_baseline(levels)
    alone = found["latency_only"]
    if alone["value"] is not None and alone["high"] is None:
        notes.append(
            "Latency gave way at no rate that was tried: latency alone would allow at least as much."
        )
    law = found["scalability"]
    if law is not None:
        turn = f"turns at {law['peak_rpm']:,.0f} rpm" if law["peak_rpm"] else "does not turn"
        notes.append(
            f"The universal scalability law fitted to {law['points']} measured points (contention "
            f"{law['contention']:.3g}, coherency {law['coherency']:.3g}) {turn} and misses the points by "
            f"{law['relative_error']:.0%}; it knows nothing of quality and decides nothing."
        )
    if found["fleet"]:
        notes += fleet_assumptions(c.replicas, c.fleet_headroom, replica_price(profile))
    return notes


def _about_precision(found: Mapping[str, Any], best: Seen | None, precision: float) -> list[str]:
    at, spent_ = found["rpm_at_quality"], found["spent"]
    paid = f"{counted(spent_['requests'], 'request')} and {spent_['minutes']:.1f} minutes"
    if best is None:
        return [f"{paid} confirmed no rate."] if spent_["requests"] else []
    confirming = f"{counted(best.step.replicates, 'fresh phase')} of {best.step.seconds:g} s"
    if at["high"] is None:
        return [f"{paid} bought a lower bound, from {confirming}; no higher rate failed with certainty."]
    width = found["precision_ratio"]
    bought = f"{paid} bought an interval as wide as {width:.0%} of the answer; {confirming} confirmed it."
    near = (1 + 2 * precision) * (1 + precision) - 1
    if width <= near:
        return [bought]
    return [
        bought,
        f"The steps aimed at {near:.0%} or less; the rates between are too close to a limit for phases of "
        f"{best.step.seconds:g} s to tell. Longer ones would (capacity.replicate_s, and capacity.max_minutes "
        "with it).",
    ]


def _about_baseline(levels: Sequence[Mapping[str, Any]]) -> list[str]:
    """That the unloaded phase disagrees with itself: every loss of quality is as uncertain."""
    said = [(lv["number"], finding) for lv in levels for finding in lv.get("baseline_findings") or []]
    if not said:
        return []
    return [f"In {len(said)} of {len(levels)} steps, first in step {said[0][0]}: {said[0][1]}."]


def _about_misses(levels: Sequence[Mapping[str, Any]], best: Seen) -> list[str]:
    missed = [
        lv
        for lv in levels
        if lv["step"] == Kind.CONFIRM
        and lv["valid"]
        and lv["rpm"] > best.step.rpm
        and lv["verdict"] == "inconclusive"
    ]
    notes = []
    for level in missed[:2]:
        more = [g["more_needed"] for g in level["gates"].values() if g["more_needed"]]
        if more:
            notes.append(
                f"{level['rpm']:g} rpm stayed undecided; about {counted(max(more), 'more request')} there "
                "would settle it, if its figures stay as they are."
            )
    return notes
