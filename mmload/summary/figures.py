"""``summary.json``: every figure of a run, from its summary. Contract, section 4.

Not aware of files nor of the verdict, which is put in by ``mmload.verdict``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from mmload.intervals import CONFIDENCE
from mmload.model import NS_PER_S, PhasePlan
from mmload.price import usd
from mmload.summary.benchmarks import benchmark_figures, conflict_figures
from mmload.summary.bursts import Recovery, burst_figures, recovery
from mmload.summary.evidence import UNKNOWN, Evidence, gather, robustness_evidence
from mmload.summary.judge import Judged, judge_figures
from mmload.summary.levels import JudgedLevel, judge_levels, latency_only_rpm, rpm_at_quality
from mmload.summary.measures import M
from mmload.summary.money import bill, break_even_usd, cost_figures, good_queries
from mmload.summary.quality import quality_figures
from mmload.summary.run_info import RunInfo
from mmload.summary.server_side import ServerSide, server_figures
from mmload.summary.sessions import session_figures
from mmload.summary.slices import by_slice, slice_rows
from mmload.summary.sums import Summary
from mmload.summary.twins import robustness_figures
from mmload.summary.validity import Ending, missing, validity_figures
from mmload.summary.view import Cells, View, latency_figures, percentiles, ratio

SCHEMA_VERSION: Final = "1.2.0"
_COST_GATES: Final = ("per_query_usd_max", "per_good_query_usd_max")


def figures(
    summary: Summary,
    info: RunInfo,
    ending: Ending | None = None,
    judged: Judged | None = None,
    server: ServerSide | None = None,
) -> dict[str, Any]:
    """All figures; ``gates`` is empty and ``verdict`` null until ``verdict.conclude`` fills them."""
    ending = ending or Ending()
    cells = Cells(summary)
    stop = ending.stopped_ns(info)
    view = View.of_phases(summary, info, cells, info.measured, stop)
    gone = missing(view, ending)
    levels = judge_levels(summary, info, cells, stop)
    recoveries = {p.number: recovery(summary, info, cells, p) for p in info.measured}
    baseline = [p for p in info.phases if p.group == info.profile.quality.baseline]
    calm = View.of_phases(summary, info, cells, baseline, stop) if baseline else None
    at_quality = rpm_at_quality(levels, info.profile.gates)
    counts, latency = _counts(view, ending, gone), latency_figures(view)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _run(info, ending),
        "validity": validity_figures(view, ending, gone),
        "counts": counts,
        "latency_ms": latency,
        "throughput": {
            **_throughput(view, gone),
            "rpm_at_quality": at_quality,
            "latency_only_rpm": latency_only_rpm(levels),
            "headroom_ratio": _headroom(at_quality["value"], info.profile.expected_peak_rpm),
            "levels": [{**level.as_dict(), **_level_cost(level, levels, calm)} for level in levels],
        },
        "quality": {**_quality(view), "judge": judge_figures(judged, info.header.get("judge_prompt"))},
        "cost": {**cost_figures(view), "judge_usd": usd(judged.cost) if judged else None},
        "stages": _stages(summary),
        "sessions": session_figures(summary.turns, counts["errors"], info, _design_effect(view)),
        "server": server_figures(server, info, latency, counts),
        "phases": [_phase(summary, info, cells, p, ending, recoveries.get(p.number)) for p in info.phases],
        "evidence": {
            name: e.as_dict()
            for name, e in _evidence(view, at_quality, levels, list(recoveries.values())).items()
        },
        "gates": [],
        "verdict": None,
    }


def _quality(view: View) -> dict[str, Any]:
    found = quality_figures(view, by_slice(slice_rows(view.summary, view.info, _design_effect(view))))
    tallies, twins_right = view.summary.tallies, found["abstention"]["pair_accuracy"]
    found["hallucination"] |= benchmark_figures(tallies, twins_right)
    found["conflict"] = conflict_figures(tallies)
    found["robustness"] = robustness_figures(view)
    found["safety"]["by_rule"] = dict(sorted(view.summary.safety.items()))
    return found


def _design_effect(view: View) -> float:
    estimate = view.quality()
    return 1.0 if estimate is None else estimate.design_effect


def _run(info: RunInfo, ending: Ending) -> dict[str, Any]:
    h = info.header
    end_ns = ending.end.get("t_ns") if ending.end else None
    return {
        "id": h.get("run_id"),
        "profile": info.profile.name,
        "description": info.profile.description,
        "target": h.get("target"),
        "seed": info.profile.seed,
        "started_at": h.get("started_at"),
        "duration_s": round((end_ns or ending.last_ns or info.phases[-1].end_ns) / NS_PER_S, 3),
        "workers": h.get("workers"),
        "workload_fingerprint": h.get("workload_fingerprint"),
        "content_fingerprint": h.get("content_fingerprint"),
        "matrix_version": h.get("matrix_version"),
        "matrix_id": h.get("matrix_id"),
        "mmload_version": h.get("mmload_version"),
        "end_reason": ending.reason,
    }


def _counts(view: View, ending: Ending, gone: int) -> dict[str, Any]:
    phases = {w.phase for w in view.windows}
    errors: dict[str, int] = {}
    for (phase, kind), n in view.summary.errors.items():
        if phase in phases:
            errors[kind] = errors.get(kind, 0) + n
    if gone:
        kind = "local_cancelled" if ending.reason not in (None, "done") else "worker_lost"
        errors[kind] = errors.get(kind, 0) + gone
    return {
        "planned": view.sum(M.PLANNED) + gone,
        "sent": view.sent,
        "completed": view.sum(M.COMPLETED),
        "ok": view.sum(M.OK),
        "failed": view.sum(M.FAILED),
        "shed": view.sum(M.SHED),
        "not_sent": view.sum(M.NOT_SENT) + gone,
        "retried": view.sum(M.RETRIED),
        "attempts": view.sum(M.ATTEMPTS),
        "errors": dict(sorted(errors.items(), key=lambda kv: (-kv[1], kv[0]))),
    }


def _throughput(view: View, gone: int) -> dict[str, Any]:
    return {
        "offered_rpm": _two(view.rpm(view.offered(gone))),
        "achieved_rpm": _two(view.rpm(view.sum(M.OK))),
        "slo_rpm": _two(view.rpm(view.sum(M.WITHIN_SLO))),
        "good_rpm": _two(_good_rpm(view)),
        "over_slo_ratio": ratio(view.sent - view.sum(M.WITHIN_SLO), view.sent),
    }


def _two(x: float | None) -> float | None:
    return None if x is None else round(x, 2)


def _good_rpm(view: View) -> float | None:
    good = good_queries(view)
    return None if good is None else view.rpm(good)


def _level_cost(level: JudgedLevel, levels: Sequence[JudgedLevel], calm: View | None) -> dict[str, Any]:
    """Cost at a level, and what a bad answer may cost before the level is a loss against the baseline phase
    (without one, against the lowest level)."""
    found = bill(level.view)
    base = calm or levels[0].view
    return {
        "per_query_usd": None if found.per_query is None else round(found.per_query.value, 8),
        "per_good_query_usd": None if found.per_good is None else round(found.per_good.value, 8),
        "break_even_bad_answer_usd": None if base is level.view else break_even_usd(base, level.view),
    }


def _headroom(rpm: float | None, peak: float | None) -> float | None:
    return None if rpm is None or peak is None else round(rpm / peak, 3)


def _stages(summary: Summary) -> dict[str, Any]:
    """Time per stage as the target tells it; ``share`` of the service time of the requests that tell."""
    served = summary.tallies.get("staged_service_us", 0)
    out = {}
    for number, name in sorted(summary.stage_names.items(), key=lambda kv: kv[1]):
        found = percentiles(summary.stages.histogram(number, number))
        out[name] = {
            **{key: found[key] for key in ("n", "p50", "p95", "p99")},
            "share": ratio(summary.tallies.get("stage_us:" + name, 0), served),
        }
    return out


def _phase(
    summary: Summary, info: RunInfo, cells: Cells, plan: PhasePlan, ending: Ending, after: Recovery | None
) -> dict[str, Any]:
    view = View.of_phases(summary, info, cells, [plan], ending.stopped_ns(info))
    gone = missing(view, ending)
    return {
        "name": plan.name,
        "group": plan.group,
        "replicate": plan.replicate,
        "shape": plan.shape,
        "open_loop": plan.open_loop,
        "warmup": plan.warmup,
        "start_s": round(plan.start_ns / NS_PER_S, 3),
        "duration_s": round(view.duration_s, 3),
        "counts": _counts(view, ending, gone),
        "latency_ms": latency_figures(view),
        "throughput": _throughput(view, gone),
        "quality": quality_figures(view, None),
        "cost": cost_figures(view),
        "recovery_s": after.seconds if after else None,
        "peak_backlog": after.peak_backlog if after else None,
        "burst": burst_figures(summary, info, cells, plan, ending.stopped_ns(info)),
    }


def _evidence(
    view: View, at_quality: dict[str, Any], levels: Sequence[JudgedLevel], recoveries: list[Recovery | None]
) -> dict[str, Evidence]:
    found = gather(view)
    found["robustness_loss_max"] = robustness_evidence(view)
    found["rpm_at_quality_min"] = _rpm_evidence(at_quality, levels)
    found["recovery_s_max"] = _recovery_evidence([r for r in recoveries if r])
    for name, estimate in zip(_COST_GATES, bill(view).bound(2 * CONFIDENCE - 1), strict=True):
        found[name] = UNKNOWN
        if estimate is not None:
            high = None if math.isinf(estimate.high) else estimate.high
            found[name] = Evidence(estimate.value, estimate.low, high, view.sent)
    return found


def _rpm_evidence(at_quality: dict[str, Any], levels: Sequence[JudgedLevel]) -> Evidence:
    low, high = at_quality["low"], at_quality["high"]
    if at_quality["value"] is None and high is None:
        return UNKNOWN
    return Evidence(at_quality["value"], low, high, len(levels))


def _recovery_evidence(recoveries: list[Recovery]) -> Evidence:
    """Never back within the objective: at least as long as it was watched."""
    if not recoveries:
        return UNKNOWN
    if any(r.seconds is None for r in recoveries):
        return Evidence(
            None, max(r.watched_s for r in recoveries if r.seconds is None), None, len(recoveries)
        )
    worst = max(r.seconds or 0.0 for r in recoveries)
    return Evidence(worst, worst, worst, len(recoveries))
