"""Requests per minute at quality: the highest offered load at which every gate holds.

Not aware of how a level came about, nor of the verdict on the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmload.model import CheckVerdict
from mmload.profile import Gates
from mmload.summary.evidence import GATES, OF_THE_RUN, Evidence, gather
from mmload.summary.measures import M
from mmload.summary.run_info import RunInfo
from mmload.summary.sums import Summary
from mmload.summary.view import Cells, View, rounded


@dataclass(frozen=True)
class JudgedLevel:
    """A level with what it says of each gate that the profile sets."""

    name: str
    view: View
    offered_rpm: float
    achieved_rpm: float
    evidence: dict[str, Evidence]
    verdicts: dict[str, CheckVerdict]

    @property
    def verdict(self) -> CheckVerdict:
        found = set(self.verdicts.values())
        for worst in (CheckVerdict.FAIL, CheckVerdict.INCONCLUSIVE):
            if worst in found:
                return worst
        return CheckVerdict.PASS

    @property
    def limited_by(self) -> str | None:
        """The gate that gives way: a failed one before an unsettled one, in the order of ``GATES``."""
        for kind in (CheckVerdict.FAIL, CheckVerdict.INCONCLUSIVE):
            for name in GATES:
                if self.verdicts.get(name) == kind:
                    return name
        return None

    def as_dict(self) -> dict[str, Any]:
        quality, p95 = self.evidence["quality_min"], self.evidence["e2e_p95_ms"]
        return {
            "name": self.name,
            "rpm": round(self.offered_rpm, 2),
            "achieved_rpm": round(self.achieved_rpm, 2),
            "duration_s": round(self.view.duration_s, 3),
            "replicates": len(self.view.windows),
            "verdict": self.verdict.value,
            "limited_by": self.limited_by,
            "quality": rounded(quality.value),
            "quality_low": rounded(quality.low),
            "quality_high": rounded(quality.high),
            "quality_loss": rounded(self.evidence["quality_loss_max"].value),
            "n_scored": quality.n,
            "e2e_p95_ms": p95.value,
            "error_ratio": rounded(self.evidence["error_max"].value),
            "over_slo_ratio": rounded(self.evidence["over_slo_max"].value),
        }


def judge_levels(summary: Summary, info: RunInfo, cells: Cells, end_ns: int) -> list[JudgedLevel]:
    """All levels that were run, by rising offered load. Gates on cost and on the whole run do not count."""
    limits = level_limits(info.profile.gates)
    found = []
    for level in info.levels():
        view = View(summary, info, cells, level.windows, end_ns, whole=False)
        offered, achieved = view.rpm(view.offered()), view.rpm(view.sum(M.OK))
        if offered is None or achieved is None or view.sum(M.PLANNED) == 0:
            continue
        evidence = gather(view)
        verdicts = {name: evidence[name].against(limit, GATES[name].upper) for name, limit in limits.items()}
        found.append(JudgedLevel(level.name, view, offered, achieved, evidence, verdicts))
    return sorted(found, key=lambda level: (level.offered_rpm, level.name))


def level_limits(gates: Gates) -> dict[str, float]:
    """The gates of the profile that any load level can be held against."""
    limits = gates.model_dump(exclude_none=True)
    return {
        name: float(limits[name])
        for name, gate in GATES.items()
        if name in limits and name not in OF_THE_RUN and gate.dimension != "cost"
    }


def rpm_at_quality(levels: Sequence[JudgedLevel], gates: Gates) -> dict[str, Any]:
    """The achieved rate of the highest level that passes with every level below it.

    ``low`` is that rate; ``high`` is the lowest offered rate that *failed*, null if none did: the truth
    lies between. ``limited_by`` is the gate that first gave way, or why there is no number. Ascending
    levels stopped at the first that does not pass need no correction for many looks (fixed sequence).
    """
    if gates.quality_min is None:
        return {"value": None, "low": None, "high": None, "limited_by": "no quality gate is set"}
    best: JudgedLevel | None = None
    limit: str | None = None
    for level in levels:
        if level.verdict != CheckVerdict.PASS:
            limit = level.limited_by
            break
        if best is None or level.achieved_rpm > best.achieved_rpm:
            best = level
    failed = [level.offered_rpm for level in levels if level.verdict == CheckVerdict.FAIL]
    value = round(best.achieved_rpm, 2) if best else None
    high = round(min(failed), 2) if failed else None
    if value is not None and high is not None:
        high = max(high, value)
    return {"value": value, "low": value, "high": high, "limited_by": limit}


def latency_only_rpm(levels: Sequence[JudgedLevel]) -> float | None:
    """What a tool that never looks at an answer would call the capacity: latency and error gates only."""
    blind = {name for name, gate in GATES.items() if gate.dimension in ("latency", "throughput")}
    best = None
    for level in levels:
        if any(v != CheckVerdict.PASS for name, v in level.verdicts.items() if name in blind):
            break
        best = max(best or 0.0, level.achieved_rpm)
    return None if best is None else round(best, 2)
