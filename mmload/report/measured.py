"""What a report is drawn from: the figures, the series, and the plan that they answer.

Answers questions that several charts ask (where phases and bursts lie, which objective applies, how
many seconds one point covers). Not aware of how anything was measured, nor of any output format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmload.model import NS_PER_S, PhasePlan
from mmload.profile import Phase, Profile
from mmload.report.wording import known


@dataclass(frozen=True)
class Span:
    """A stretch of a run in seconds from its start."""

    name: str
    start_s: float
    end_s: float
    warmup: bool = False
    group: str = ""


@dataclass(frozen=True)
class Measured:
    figures: Mapping[str, Any]
    """``summary.json`` of the contract, section 4."""
    series: Mapping[str, Any]
    profile: Profile
    run_info: Mapping[str, Any] = field(default_factory=dict)
    """The ``RUN`` frame of the journal; may hold ``bursts`` and ``cut``."""
    environment: Mapping[str, Any] = field(default_factory=dict)

    def part(self, *path: str) -> dict[str, Any]:
        """A nested object of the figures, or an empty one."""
        found: Any = self.figures
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return dict(found) if isinstance(found, Mapping) else {}

    def entries(self, key: str) -> list[dict[str, Any]]:
        """A list of objects of the figures, or an empty one."""
        found = self.figures.get(key)
        return [dict(entry) for entry in found] if isinstance(found, Sequence) else []

    def second(self, key: str) -> list[Any]:
        """One column of the per-second series, as long as its time axis."""
        seconds = self.series.get("seconds") or {}
        length = len(seconds.get("t_s") or [])
        column = list(seconds.get(key) or [])[:length]
        return column + [None] * (length - len(column))

    @property
    def slo_ms(self) -> float:
        """The objective drawn as a line: the default one, or the strictest when there is none."""
        slo = self.profile.slo
        return slo["default"].e2e_ms if "default" in slo else min(s.e2e_ms for s in slo.values())

    def phases(self) -> list[Span]:
        """Phases as planned, in order; without the plan, those of the figures."""
        planned = [PhasePlan(*p) for p in self.run_info.get("phases") or []]
        if planned:
            return [
                Span(p.name, p.start_ns / NS_PER_S, p.end_ns / NS_PER_S, p.warmup, p.group) for p in planned
            ]
        return [
            Span(
                p["name"],
                p["start_s"],
                p["start_s"] + p["duration_s"],
                bool(p.get("warmup")),
                p.get("group", ""),
            )
            for p in self.entries("phases")
            if known(p.get("start_s")) and known(p.get("duration_s"))
        ]

    def bursts(self) -> list[Span]:
        """Windows of bursts, from the run's own list or from the profile."""
        listed = self.run_info.get("bursts")
        if listed is not None:
            return [Span("burst", float(start), float(end)) for start, end in listed]
        by_name = {phase.name: phase for phase in self.profile.phase if phase.shape == "burst"}
        return [
            window
            for span in self.phases()
            if span.group in by_name
            for window in _windows(span, by_name[span.group])
        ]

    def bins(self, most: int) -> list[slice]:
        """Cut the per-second series into at most ``most`` stretches of equal length."""
        length = len(self.second("t_s"))
        size = max(1, math.ceil(length / most))
        return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _windows(span: Span, phase: Phase) -> list[Span]:
    length = phase.burst_s or phase.duration_s / 6
    start = phase.burst_start_s if phase.burst_start_s is not None else phase.duration_s / 3
    found = []
    while start < phase.duration_s:
        found.append(Span("burst", span.start_s + start, min(span.start_s + start + length, span.end_s)))
        if phase.burst_every_s is None:
            break
        start += phase.burst_every_s
    return found


def mean(values: Sequence[Any]) -> float | None:
    """Mean of what is known; ``None`` when nothing is."""
    seen = [float(v) for v in values if known(v)]
    return sum(seen) / len(seen) if seen else None


def median(values: Sequence[Any]) -> float | None:
    seen = sorted(float(v) for v in values if known(v))
    if not seen:
        return None
    half = len(seen) // 2
    return seen[half] if len(seen) % 2 else (seen[half - 1] + seen[half]) / 2


def highest(values: Sequence[Any]) -> float | None:
    return max((float(v) for v in values if known(v)), default=None)
