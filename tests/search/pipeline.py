"""A pipeline whose capacity is known, in simulated time: four replicas behind the practice pipeline's ladder.

Each rung has its planted quality and its planted service time, so that degraded answers are faster. A step of
a search is played as Poisson arrivals, summed as a run is summed, and judged by the code that judges a run.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from synthetic import Stretch, make_items, make_profile

from mmload.histogram import Histogram
from mmload.model import NS_PER_S, PhasePlan
from mmload.profile import Profile, to_toml_dict
from mmload.search.level import level_of, seen_of
from mmload.search.steps import Kind, Seen, Settings, Step, Stop, decide
from mmload.serve.ladder import Ladder, Rung
from mmload.summary import Ending, RunInfo, Summary, figures
from mmload.summary.measures import W_ONE, M, key

REPLICAS = 4
SLO_S = 4.0
QUALITY = {Rung.FULL: 0.977, Rung.SHRINK: 0.970, Rung.CUT: 0.900, Rung.FALLBACK: 0.723}
SERVICE_S = {Rung.FULL: 1.25, Rung.SHRINK: 1.15, Rung.CUT: 1.05, Rung.FALLBACK: 0.50}
"""Medians; lognormal with sigma 0.2."""
GATES = {"quality_min": 0.90, "over_slo_max": 0.05, "error_max": 0.05}


@dataclass
class Outcome:
    due_s: np.ndarray
    took_s: np.ndarray
    right: np.ndarray
    shed: np.ndarray


def play(rpm: float, seconds: float, seed: int, ladder: bool = True) -> Outcome:
    """Arrivals for so long, from an idle pipeline."""
    draw = random.Random(seed)
    steps = Ladder(SLO_S, ladder)
    free = [0.0] * REPLICAS
    now, rows = 0.0, []
    while True:
        now += draw.expovariate(rpm / 60)
        if now >= seconds:
            break
        rung = steps.admit(max(0.0, free[0] - now), now)
        if rung is Rung.SHED:
            rows.append((now, 0.0, False, True))
            continue
        service = SERVICE_S[rung] * math.exp(0.2 * draw.gauss(0, 1))
        end = max(now, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        rows.append((now, end - now, draw.random() < QUALITY[rung], False))
    return Outcome(*(np.array(column) for column in zip(*rows, strict=True)))


@cache
def long_run(rpm: float, ladder: bool = True) -> tuple[float, float]:
    """(quality, share beyond the objective or shed) at a rate, over some 12,000 requests."""
    seen = play(rpm, 12_000 * 60 / rpm, seed=round(rpm), ladder=ladder)
    served = ~seen.shed
    return float(seen.right[served].mean()), float((seen.shed | (seen.took_s > SLO_S)).mean())


def crossing(holds: Any, low: float, high: float) -> float:
    """Rate at which a long run ceases to hold, by bisection to 2%."""
    assert holds(low) and not holds(high)
    while high / low > 1.02:
        middle = round(math.sqrt(low * high), 1)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return math.sqrt(low * high)


@cache
def true_capacity(quality_min: float = GATES["quality_min"], ladder: bool = True) -> float:
    def holds(rpm: float) -> bool:
        quality, over = long_run(rpm, ladder)
        return quality >= quality_min and over <= GATES["over_slo_max"]

    return crossing(holds, 40, 800)


@cache
def true_latency_only(ladder: bool = True) -> float:
    return crossing(lambda rpm: long_run(rpm, ladder)[1] <= GATES["over_slo_max"], 40, 1600)


def profile_of(gates: dict[str, float] = GATES) -> Profile:
    made = make_profile([Stretch("p", 60, 10)], gates=gates)
    data = to_toml_dict(made)
    data["slo"] = {"default": {"e2e_ms": 1000 * SLO_S}}
    return Profile.model_validate(data)


def settings(**more: Any) -> Settings:
    given: dict[str, Any] = {
        "start_rpm": 60, "growth": 1.5, "max_rpm": 3000, "step_s": 90, "warmup_s": 15, "replicates": 8,
        "replicate_s": 60, "precision": 0.08, "max_requests": 30_000, "max_minutes": 240, "needed": 59,
        "extras": True,
    }  # fmt: skip
    return Settings(**(given | more))


class Bench:
    """Plays steps as the program would drive them."""

    def __init__(self, seed: int, gates: dict[str, float] = GATES, ladder: bool = True) -> None:
        self.seed, self.ladder = seed, ladder
        self.profile = profile_of(gates)
        self.levels: list[dict[str, Any]] = []

    def search(self, s: Settings, most: int = 40) -> Stop:
        for _ in range(most):
            following = decide(s, self.seen)
            if isinstance(following, Stop):
                return following
            self.levels.append(self.step(following, s))
        raise AssertionError("the search does not end")

    @property
    def seen(self) -> list[Seen]:
        return [seen_of(level) for level in self.levels]

    def step(self, step: Step, s: Settings) -> dict[str, Any]:
        number = len(self.levels) + 1
        replicates = 3 if step.kind is Kind.DOWN else step.replicates
        traffic = s.warmup_s + step.seconds * replicates
        found = judged(self.profile, step, self.seed * 1000 + number, s.warmup_s, self.ladder)
        return level_of(step, found, self.profile.gates, number, (traffic + 4) / 60)


def judged(profile: Profile, step: Step, seed: int, warmup_s: float, ladder: bool) -> dict[str, Any]:
    """``summary.json`` of one step's run."""
    length = math.ceil(step.seconds)
    outcome = play(step.rpm, warmup_s + length * step.replicates, seed, ladder)
    phases = [
        PhasePlan(
            k, f"p.{k}", "sustained", True, False, k * length * NS_PER_S, (k + 1) * length * NS_PER_S,
            0, k << 20, 0, k, "p",
        )
        for k in range(step.replicates)
    ]  # fmt: skip
    header = {
        "profile": to_toml_dict(profile) | {
            "phase": [
                {"name": "p", "shape": "sustained", "duration_s": length, "rpm": step.rpm,
                 "repeats": step.replicates}
            ]
        },
        "phases": [list(p) for p in phases],
    }  # fmt: skip
    info = RunInfo.from_header(header, make_items(9)[:1])
    summary = Summary()
    due = outcome.due_s - warmup_s
    for plan in phases:
        mine = (due >= plan.start_ns / NS_PER_S) & (due < plan.end_ns / NS_PER_S)
        summed(summary, plan, due[mine], outcome, mine)
    ending = Ending({"reason": "done", "t_ns": phases[-1].end_ns, "workers": {}}, (), phases[-1].end_ns)
    return figures(summary, info, ending)


def summed(summary: Summary, plan: PhasePlan, due: np.ndarray, outcome: Outcome, mine: np.ndarray) -> None:
    n = len(due)
    shed, took, right = outcome.shed[mine], outcome.took_s[mine], outcome.right[mine]
    ok = ~shed
    rows = np.zeros((n, len(M)), np.int64)
    rows[:, M.PLANNED] = 1
    rows[:, M.OK] = rows[:, M.COMPLETED] = rows[:, M.N_SCORED] = ok
    rows[:, M.SHED] = shed
    within = ok & (took <= SLO_S)
    rows[:, M.WITHIN_SLO], rows[:, M.N_PASSED] = within, right
    rows[:, M.W] = rows[:, M.W2] = ok * W_ONE
    rows[:, M.W_PASS], rows[:, M.W_SLO] = right * W_ONE, within * W_ONE
    rows[:, M.W_SLO_PASS] = (within & right) * W_ONE
    bins = due.astype(np.int64)
    summary.cells.add(key(np.full(n, plan.number), bins, np.zeros(n, np.int64)), rows)
    histogram = Histogram()
    histogram.record_many((took[ok] * 1e6).astype(np.int64))
    summary.latency["e2e", plan.number] = histogram
