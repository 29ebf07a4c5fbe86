"""``summary.json``: every figure of a run, from its summary. Contract, section 4.

Not aware of files nor of the verdict, which is put in by ``mmload.verdict``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mmload.histogram import Ints
from mmload.model import NS_PER_S, PhasePlan
from mmload.price import COMPONENTS, spread, usd
from mmload.summary.evidence import UNKNOWN, Evidence, gather
from mmload.summary.levels import (
    JudgedLevel,
    Recovery,
    judge_levels,
    latency_only_rpm,
    recovery,
    rpm_at_quality,
)
from mmload.summary.measures import COST_COLUMNS, M
from mmload.summary.quality import quality_figures, ratio, slice_figures
from mmload.summary.run_info import RunInfo, milliseconds
from mmload.summary.sums import Summary
from mmload.summary.validity import Ending, missing, validity_figures
from mmload.summary.view import Cells, View, latency_figures

SCHEMA_VERSION: Final = "1.0.0"


def figures(summary: Summary, info: RunInfo, ending: Ending | None = None) -> dict[str, Any]:
    """All figures; ``gates`` is empty and ``verdict`` null until ``verdict.conclude`` fills them."""
    ending = ending or Ending()
    cells = Cells(summary)
    stop = ending.stopped_ns(info)
    view = View.of_phases(summary, info, cells, info.measured, stop)
    gone = missing(view, ending)
    levels = judge_levels(summary, info, cells, stop)
    recoveries = {p.number: recovery(summary, info, cells, p) for p in info.measured}
    at_quality = rpm_at_quality(levels, info.profile.gates)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _run(info, ending),
        "validity": validity_figures(view, ending, gone),
        "counts": _counts(view, ending, gone),
        "latency_ms": latency_figures(view),
        "throughput": {
            **_throughput(view, gone),
            "rpm_at_quality": at_quality,
            "latency_only_rpm": latency_only_rpm(levels),
            "headroom_ratio": _headroom(at_quality["value"], info.profile.expected_peak_rpm),
            "levels": [level.as_dict() for level in levels],
        },
        "quality": quality_figures(view, slice_figures(summary, info)),
        "cost": _cost(view),
        "stages": _stages(summary),
        "phases": [_phase(summary, info, cells, p, ending, recoveries.get(p.number)) for p in info.phases],
        "evidence": {
            name: e.as_dict()
            for name, e in _evidence(view, at_quality, levels, list(recoveries.values())).items()
        },
        "gates": [],
        "verdict": None,
    }


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
        "matrix_version": h.get("matrix_version"),
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
        "errors": dict(sorted(errors.items(), key=lambda kv: (-kv[1], kv[0]))),
    }


def _throughput(view: View, gone: int) -> dict[str, Any]:
    return {
        "offered_rpm": _two(view.rpm(view.sum(M.PLANNED) + gone)),
        "achieved_rpm": _two(view.rpm(view.sum(M.OK))),
        "slo_rpm": _two(view.rpm(view.sum(M.WITHIN_SLO))),
        "good_rpm": _two(_good_rpm(view)),
        "over_slo_ratio": ratio(view.sent - view.sum(M.WITHIN_SLO), view.sent),
    }


def _two(x: float | None) -> float | None:
    return None if x is None else round(x, 2)


def good_queries(view: View) -> float | None:
    """Estimated number of requests answered within their objective *and* right.

    Per task, the number within the objective (known) times the weighted share of passes among those of
    them that were sampled. None if nothing was scored.
    """
    t = view.by_task
    w, within = t[:, M.W_SLO], t[:, M.WITHIN_SLO]
    if w.sum() <= 0:
        return 0.0 if view.sum(M.N_SCORED) and within.sum() == 0 else None
    overall = t[:, M.W_SLO_PASS].sum() / w.sum()
    share = np.where(w > 0, t[:, M.W_SLO_PASS] / np.maximum(w, 1), overall)
    return float((within * share).sum())


def _good_rpm(view: View) -> float | None:
    good = good_queries(view)
    return None if good is None else view.rpm(good)


def _headroom(rpm: float | None, peak: float | None) -> float | None:
    return None if rpm is None or peak is None else round(rpm / peak, 3)


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


def _cost(view: View) -> dict[str, Any]:
    parts, total = _money(view)
    good = good_queries(view)
    return {
        "total_usd": usd(total),
        "per_query_usd": _per(total, view.sent),
        "per_good_query_usd": _per(total, good),
        "by_component": {name: usd(amount) for name, amount in parts.items()},
        "by_feature": _by_feature(view, parts["infrastructure"] or 0),
        "failed_usd": None if parts["model"] is None else usd(view.sum(M.C_FAILED)),
        "unpriced": view.sum(M.UNPRICED_MODEL) + view.sum(M.UNPRICED_RETRIES),
        "tokens": {
            "input": view.sum(M.TOKENS_IN),
            "output": view.sum(M.TOKENS_OUT),
            "cached": view.sum(M.TOKENS_CACHED),
        },
        "budget_usd": view.info.profile.cost.budget_usd,
        "price_snapshot": view.info.book.snapshot(),
    }


def _per(total: int | None, n: float | None) -> float | None:
    return None if total is None or not n else round(total / n / 1e6, 8)


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


def _stages(summary: Summary) -> dict[str, Any]:
    """Time per stage as the target tells it; ``share`` of the service time of the requests that tell."""
    served = summary.tallies.get("staged_service_us", 0)
    out = {}
    for number, name in sorted(summary.stage_names.items(), key=lambda kv: kv[1]):
        histogram = summary.stages.histogram(number, number)
        p50, p95, p99 = histogram.percentiles((50, 95, 99))
        out[name] = {
            "n": histogram.n,
            "p50": milliseconds(p50),
            "p95": milliseconds(p95),
            "p99": milliseconds(p99),
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
        "cost": _cost(view),
        "recovery_s": after.seconds if after else None,
        "peak_backlog": after.peak_backlog if after else None,
    }


def _evidence(
    view: View, at_quality: dict[str, Any], levels: Sequence[JudgedLevel], recoveries: list[Recovery | None]
) -> dict[str, Evidence]:
    found = gather(view)
    found["rpm_at_quality_min"] = _rpm_evidence(at_quality, levels)
    found["recovery_s_max"] = _recovery_evidence([r for r in recoveries if r])
    total = _money(view)[1]
    good = good_queries(view)
    per_query, per_good = _per(total, view.sent), _per(total, good)
    if per_query is not None:
        found["per_query_usd_max"] = Evidence(per_query, per_query, per_query, view.sent)
    if per_good is not None and per_query is not None:
        quality = view.quality(M.W_SLO_PASS, M.W_SLO)
        bound = quality.bound(0.90) if quality else None
        low = per_good * bound.value / bound.high if bound and bound.high > 0 else per_good
        high = per_good * bound.value / bound.low if bound and bound.low > 0 else None
        found["per_good_query_usd_max"] = Evidence(per_good, low, high, view.sum(M.N_SCORED))
    return {**dict.fromkeys(("per_query_usd_max", "per_good_query_usd_max"), UNKNOWN), **found}


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
