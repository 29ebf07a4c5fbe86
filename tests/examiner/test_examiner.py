"""The examiner, examined: what is planted in the practice pipeline is what the report finds, run after run.

Thirty seeds; each plants another delay, error rate and hallucination rate, and draws other misreadings. The
truth is enumerated beside the run, item by item and rung by rung, and never taken from it. Intervals that are
so wide that they would hold anything prove nothing, so each is also held against a truth that is not it.
"""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from simulated import RUNGS, TASKS, Examiner, alone_s, bait, profile, true_quality

from mmload import corpus, plugins
from mmload.profile import Sim
from mmload.serve.ladder import Rung
from mmload.serve.oracle import replies

RUNS = 30
RPM = 300.0


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Examiner:
    tasks: dict[str, Any] = {name: plugins.get("tasks", name)() for name in TASKS}
    return Examiner(corpus.build(profile(1, RPM).mix, tasks, tmp_path_factory.mktemp("suites")))


@dataclass
class Examined:
    sim: Sim
    figures: dict[str, Any]
    quality: dict[Rung, float]
    critical: float
    times_ms: list[float]

    def share_below(self, ms: float) -> float:
        """True share of answers that take no longer."""
        return sum(t <= ms for t in self.times_ms) / len(self.times_ms)


def planted(seed: int) -> Sim:
    draw = random.Random(seed)
    return Sim(
        seed=seed, workers=64, speed=10.0, jitter=0.0, image_cache=0,
        extra_delay_ms=draw.uniform(0, 300), error_rate=draw.uniform(0, 0.12),
        hallucination_rate=draw.uniform(0, 0.15),
    )  # fmt: skip


def true_critical(examiner: Examiner, sim: Sim) -> float:
    """Share of answers with a critical false claim: all that are planted, and of the rest what is misread."""
    items = examiner.suite.items
    misread = [
        examiner.score(item.index, reply.text).critical > 0
        for rung in RUNGS
        for item, reply in zip(items, replies(items, rung, sim.seed), strict=True)
    ]
    return sim.hallucination_rate + (1 - sim.hallucination_rate) * sum(misread) / len(misread)


@pytest.fixture(scope="module")
def runs(examiner: Examiner, tmp_path_factory: pytest.TempPathFactory) -> list[Examined]:
    found = []
    items = examiner.suite.items
    for seed in range(RUNS):
        sim = planted(seed)
        found.append(
            Examined(
                sim,
                examiner.report(tmp_path_factory.mktemp("run"), sim, seed, RPM),
                true_quality(items, sim),
                true_critical(examiner, sim),
                [1000 * took for took in alone_s(items, sim)],
            )
        )
    return found


def share(held: list[bool]) -> float:
    return sum(held) / len(held)


def test_the_scorers_call_right_what_is_right_and_critical_what_is_planted(examiner: Examiner) -> None:
    """Else the truth below would be another one than the scorers'."""
    items = examiner.suite.items
    for rung in RUNGS:
        for item, reply in zip(items, replies(items, rung, 5), strict=True):
            assert examiner.score(item.index, reply.text).passed == reply.right, item.id
    for item in items:
        score = examiner.score(item.index, bait(item))
        assert score.critical and not score.passed, item.id


@pytest.mark.parametrize("rung", RUNGS)
def test_quality_on_each_rung_is_within_its_interval(runs: list[Examined], rung: Rung) -> None:
    intervals = [run.figures["phases"][int(rung)]["quality"] for run in runs]
    pairs = list(zip(intervals, runs, strict=True))
    assert share([i["low"] <= run.quality[rung] <= i["high"] for i, run in pairs]) >= 0.9
    if rung is not Rung.FALLBACK:
        another = Rung.FALLBACK
        assert share([i["low"] <= run.quality[another] <= i["high"] for i, run in pairs]) <= 0.3


def test_the_quality_of_a_run_is_within_its_interval(runs: list[Examined]) -> None:
    intervals = [run.figures["quality"] for run in runs]
    truths = [sum(run.quality.values()) / len(RUNGS) for run in runs]
    pairs = list(zip(intervals, truths, strict=True))
    assert share([i["low"] <= truth <= i["high"] for i, truth in pairs]) >= 0.9
    assert share([i["low"] <= truth - 0.1 <= i["high"] for i, truth in pairs]) <= 0.3


def test_the_error_rate_is_within_its_interval(runs: list[Examined]) -> None:
    pairs = [(run.figures["evidence"]["error_max"], run.sim.error_rate) for run in runs]
    assert share([e["low"] <= truth <= e["high"] for e, truth in pairs]) >= 0.9
    assert share([e["low"] <= truth + 0.05 <= e["high"] for e, truth in pairs]) <= 0.3


def test_the_hallucination_rate_is_within_its_interval(runs: list[Examined]) -> None:
    pairs = [(run.figures["quality"]["hallucination"], run.critical) for run in runs]
    assert share([h["critical_low"] <= truth <= h["critical_high"] for h, truth in pairs]) >= 0.9
    assert share([h["critical_low"] <= truth + 0.08 <= h["critical_high"] for h, truth in pairs]) <= 0.3


@pytest.mark.parametrize(("gate", "q"), [("e2e_p50_ms", 0.5), ("e2e_p95_ms", 0.95)])
def test_latency_with_the_planted_delay_is_within_its_interval(
    runs: list[Examined], gate: str, q: float
) -> None:
    """A bound holds the true percentile if no more, and no fewer, of the true times lie below it."""
    pairs = [(run.figures["evidence"][gate], run) for run in runs]
    assert (
        share([run.share_below(e["low"] * 0.998) <= q <= run.share_below(e["high"]) for e, run in pairs])
        >= 0.9
    )
    late = [
        run.share_below(e["low"] * 0.998 - 40) <= q <= run.share_below(e["high"] - 40) for e, run in pairs
    ]
    assert share(late) <= 0.3


def test_the_planted_delay_is_found_in_the_stage_that_it_was_planted_in(runs: list[Examined]) -> None:
    for run in runs:
        expected = 20 / run.sim.speed + run.sim.extra_delay_ms
        assert run.figures["stages"]["retrieval"]["p50"] == pytest.approx(expected, abs=0.2, rel=0.002)
