"""Searches of a pipeline whose capacity is known: how often the answer holds the truth."""

from __future__ import annotations

import pytest
from pipeline import GATES, Bench, long_run, play, settings, true_capacity, true_latency_only

from mmload.model import CheckVerdict
from mmload.search.answer import latency_only
from mmload.search.steps import Kind, Step, confirmed, failing

SEARCHES = 20


@pytest.fixture(scope="module")
def searches() -> list[Bench]:
    made = [Bench(seed) for seed in range(SEARCHES)]
    for bench in made:
        assert bench.search(settings()).complete
    return made


def ends(bench: Bench) -> tuple[float, float]:
    """The interval of the answer, in offered rpm."""
    best, failed = confirmed(bench.seen), failing(bench.seen)
    return (best.step.rpm if best else 0.0), (failed.step.rpm if failed else float("inf"))


def test_the_truth_is_as_planted_latency_alone_overstates_it_more_than_twofold() -> None:
    assert true_latency_only() > 2 * true_capacity()


def test_capacity_lands_within_its_interval_in_at_least_nine_of_ten_searches(searches: list[Bench]) -> None:
    truth = true_capacity()
    held = [low <= truth <= high for low, high in map(ends, searches)]
    assert sum(held) / len(held) >= 0.9
    # An interval that would hold anything proves nothing.
    for other in (truth / 1.6, truth * 1.6):
        assert sum(low <= other <= high for low, high in map(ends, searches)) <= 0.4 * len(searches)
    assert sum(low >= 0.7 * truth for low, _ in map(ends, searches)) >= 0.9 * len(searches)


def test_it_lies_below_what_latency_alone_would_say_by_the_planted_factor(searches: list[Bench]) -> None:
    planted = true_latency_only() / true_capacity()
    found = sorted(latency_only(b.levels)["value"] / ends(b)[0] for b in searches)
    assert found[0] > 1.5
    assert 0.75 * planted <= found[len(found) // 2] <= 1.35 * planted


def test_what_gives_way_first_is_quality(searches: list[Bench]) -> None:
    for bench in searches:
        first = min((lv for lv in bench.levels if lv["verdict"] == "fail"), key=lambda lv: lv["rpm"])
        assert first["limited_by"] == "quality_min"


def test_without_the_ladder_latency_gives_way_first_and_nothing_is_hidden() -> None:
    truth = true_latency_only(ladder=False)
    hidden = []
    for seed in range(8):
        bench = Bench(seed, ladder=False)
        bench.search(settings())
        low, high = ends(bench)
        # So near to saturation a queue remembers for minutes: the long run itself is no surer than this.
        assert low <= truth * 1.1 and high >= truth * 0.9
        first = min((lv for lv in bench.levels if lv["verdict"] == "fail"), key=lambda lv: lv["rpm"])
        assert first["limited_by"] == "over_slo_max"
        hidden.append(latency_only(bench.levels)["value"] / low)
    assert sorted(hidden)[len(hidden) // 2] < 1.3


def test_a_level_exactly_at_its_threshold_is_seldom_confirmed() -> None:
    rpm, s = 174.0, settings()
    exact = float(play(rpm, 300_000 * 60 / rpm, seed=5).right.mean())
    bench = Bench(0, {**GATES, "quality_min": exact})
    verdicts = []
    for seed in range(200):
        bench.seed = 50 + seed
        verdicts.append(bench.step(Step(Kind.CONFIRM, rpm, s.replicates, s.replicate_s), s)["verdict"])
    assert verdicts.count(CheckVerdict.PASS) / len(verdicts) <= 0.05
    # A level of clear quality is confirmed: the test above is not passed by refusing everything.
    assert long_run(90.0)[0] > 0.95
    for seed in range(10):
        bench.seed = 500 + seed
        assert bench.step(Step(Kind.CONFIRM, 90.0, s.replicates, 120.0), s)["verdict"] == CheckVerdict.PASS


def test_a_search_whose_every_rate_fails_confirms_none() -> None:
    confirmed_any = 0
    for seed in range(20):
        bench = Bench(seed, {**GATES, "quality_min": 0.985})
        bench.search(settings())
        confirmed_any += confirmed(bench.seen) is not None
    assert confirmed_any <= 2
