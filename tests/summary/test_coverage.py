"""Simulations with known truth: intervals that hold it as often as they say, gates that seldom pass falsely.

Answers of one moment share the state of the pipeline (a ladder that is up or down), so they come in
clusters; an interval that takes them for independent holds the truth about a third of the time.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Stretch, make_items, make_profile, synthetic_run

from mmload.histogram import Histogram
from mmload.intervals import binomial_cdf, wilson
from mmload.model import NS_PER_S, CheckVerdict, PhasePlan
from mmload.summary import Ending, RunInfo, RunReader, Summary, figures
from mmload.summary.evidence import gather, percentile_evidence
from mmload.summary.measures import W_ONE, M, key
from mmload.summary.sums import interval_key
from mmload.summary.tail import Tail
from mmload.summary.view import Cells, View

UP, DOWN, EPISODE_S = 0.97, 0.75, 12.0
TRUTH = (UP + DOWN) / 2


def info_of(phases, seconds):
    profile = make_profile([Stretch("p", 600, seconds)], gates={"quality_min": TRUTH})
    length = seconds * NS_PER_S
    plans = [
        PhasePlan(k, f"p-{k}", "sustained", True, False, k * length, (k + 1) * length, 0, k << 20, 0, k, "p")
        for k in range(phases)
    ]
    header = {
        "profile": profile.model_dump(mode="json", exclude_none=True),
        "phases": [list(p) for p in plans],
    }
    return RunInfo.from_header(header, make_items(9)[:1])


def episodes(rng, seconds):
    switches = rng.random(seconds) < 1 / EPISODE_S
    return (np.cumsum(switches) + rng.integers(2)) % 2


def simulated(rng, info, phases, seconds, per_second=10.0, pi=1.0, critical=False):
    """A summary of scored answers whose chance to pass depends on the state of the moment."""
    summary = Summary()
    for phase in range(phases):
        chance = np.where(episodes(rng, seconds) == 0, UP, DOWN)
        n = rng.poisson(per_second * pi, seconds)
        passed = rng.binomial(n, chance)
        rows = np.zeros((seconds, len(M)), np.int64)
        w = round(W_ONE / pi)
        rows[:, M.PLANNED] = rows[:, M.OK] = rows[:, M.N_SCORED] = n
        rows[:, M.N_PASSED] = passed
        rows[:, M.W], rows[:, M.W_PASS], rows[:, M.W2] = n * w, passed * w, n * w * w // W_ONE
        if critical:
            rows[:, M.W_CRITICAL] = (n - passed) * w
        bins = phase * seconds + np.arange(seconds)
        summary.cells.add(key(np.full(seconds, phase), bins, np.zeros(seconds, np.int64)), rows)
    return summary


def view_of(summary, info):
    return View.of_phases(summary, info, Cells(summary), info.measured, info.phases[-1].end_ns)


def coverage(phases, seconds, runs=250, **more):
    rng = np.random.default_rng(11)
    info = info_of(phases, seconds)
    held = plain = 0
    for _ in range(runs):
        view = view_of(simulated(rng, info, phases, seconds, **more), info)
        bound = view.quality().bound(0.95)
        held += bound.low <= TRUTH <= bound.high
        naive = wilson(view.sum(M.N_PASSED), view.sum(M.N_SCORED))
        plain += naive.low <= TRUTH <= naive.high
    return held / runs, plain / runs


def test_blocks_of_time_hold_the_truth_where_wilson_holds_it_a_third_of_the_time():
    held, plain = coverage(phases=1, seconds=300)
    assert held >= 0.90
    assert plain < 0.50


def test_replicate_phases_hold_the_truth():
    held, plain = coverage(phases=8, seconds=60)
    assert held >= 0.90
    assert plain < 0.50


def test_a_sampled_run_holds_the_truth():
    held, _ = coverage(phases=1, seconds=300, pi=0.25)
    assert held >= 0.90


def test_a_level_exactly_at_the_threshold_seldom_passes():
    rng = np.random.default_rng(5)
    for phases, seconds in ((1, 300), (4, 75), (8, 60)):
        info = info_of(phases, seconds)
        verdicts = []
        for _ in range(250):
            evidence = gather(view_of(simulated(rng, info, phases, seconds), info))["quality_min"]
            verdicts.append(evidence.against(TRUTH, upper=False))
        # 5% nominal; 250 trials of a true 5% stay below 8% in 98% of the cases.
        assert verdicts.count(CheckVerdict.PASS) / len(verdicts) <= 0.08
        assert verdicts.count(CheckVerdict.FAIL) / len(verdicts) <= 0.10


def test_a_level_well_above_the_threshold_does_pass():
    rng = np.random.default_rng(6)
    info = info_of(1, 300)
    passes = sum(
        gather(view_of(simulated(rng, info, 1, 300), info))["quality_min"].against(0.70, upper=False)
        == CheckVerdict.PASS
        for _ in range(50)
    )
    assert passes >= 45


def tail_of(histogram):
    """Of requests that are taken for independent."""
    cells = np.flatnonzero(histogram.counts)
    return Tail(cells, histogram.counts[cells], [(np.zeros(len(cells), np.int64), [0])])


def test_a_latency_exactly_at_its_limit_seldom_passes():
    rng = np.random.default_rng(7)
    limit_ms = -np.log(1 - 0.95) * 100
    verdicts = []
    for _ in range(300):
        h = Histogram()
        h.record_many((rng.exponential(100, 400) * 1000).astype(np.int64))
        verdicts.append(percentile_evidence(h, tail_of(h), 0.95).against(limit_ms, upper=True))
    assert verdicts.count(CheckVerdict.PASS) / 300 <= 0.08
    assert verdicts.count(CheckVerdict.FAIL) / 300 <= 0.08


@given(n=st.integers(1, 900), quantile=st.sampled_from([0.5, 0.95, 0.99]))
@settings(deadline=None)
def test_bounds_of_independent_latencies_are_order_statistics(n, quantile):
    """David and Nagaraja, Order Statistics, 7.1: the r-th is above the quantile with P(X < r), X binomial."""
    h = Histogram()
    h.record_many(np.arange(1, n + 1))
    low, high = tail_of(h).bounds(quantile)
    ranks = range(1, n + 1)
    assert high == next((r for r in ranks if binomial_cdf(r - 1, n, quantile) >= 0.95), None)
    assert low == next((r for r in reversed(ranks) if binomial_cdf(r - 1, n, quantile) <= 0.05), None)


def test_weights_undo_a_sampling_rate_that_falls_as_load_rises(tmp_path):
    """An unweighted mean would see the well answered light load too often."""
    stretches = (
        Stretch("light", 2400, 60, quality=0.97, pi=1.0),
        Stretch("heavy", 4800, 60, quality=0.80, pi=0.15),
    )
    run = synthetic_run(tmp_path, stretches)
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    score = figures(reader.summary, reader.plan, Ending(reader.end))["quality"]["score"]
    truth = (2400 * 0.97 + 4800 * 0.80) / 7200
    unweighted = np.mean([s.passed for s in run.scores])
    assert abs(score - truth) < 0.02
    assert unweighted - truth > 0.05


def test_weights_undo_it_for_what_was_made_up_too(tmp_path):
    stretches = (
        Stretch("light", 2400, 60, quality=1.0, pi=1.0),
        Stretch("heavy", 4800, 60, quality=0.70, critical=0.30, pi=0.15),
    )
    run = synthetic_run(tmp_path, stretches)
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    found = figures(reader.summary, reader.plan, Ending(reader.end))["quality"]["hallucination"]
    truth = 4800 * 0.30 / 7200
    unweighted = np.mean([s.critical > 0 for s in run.scores])
    assert found["critical"] - unweighted > 0.05
    assert found["critical_low"] < truth < found["critical_high"]
    assert found["critical_low"] < found["critical"] < found["critical_high"]
    # One of four claims is false in an answer that holds a false one.
    assert found["attribute"] == pytest.approx(found["critical"] / 4, rel=1e-4)


@pytest.mark.parametrize(("phases", "seconds"), [(1, 300), (4, 75)])
def test_what_is_made_up_exactly_as_often_as_allowed_seldom_passes(phases, seconds):
    """A pipeline that falls back makes things up for as long: taken for independent, a third would pass."""
    rng = np.random.default_rng(8)
    info, limit, verdicts = info_of(phases, seconds), 1 - TRUTH, []
    for _ in range(250):
        summary = simulated(rng, info, phases, seconds, critical=True)
        evidence = gather(view_of(summary, info))["critical_hallucination_max"]
        verdicts.append(evidence.against(limit, upper=True))
    assert verdicts.count(CheckVerdict.PASS) / len(verdicts) <= 0.08
    assert verdicts.count(CheckVerdict.FAIL) / len(verdicts) <= 0.10


def in_episodes(rng, info, phases, seconds, late):
    """A summary of latencies up to 2 s and from there to 4: how many are late depends on the moment."""
    summary = Summary()
    for phase in range(phases):
        n = rng.poisson(10.0, seconds)
        slow = rng.binomial(n, np.where(episodes(rng, seconds) == 0, 0.05 - late, 0.05 + late))
        bins = phase * seconds + np.arange(seconds)
        bins = np.concatenate([np.repeat(bins, slow), np.repeat(bins, n - slow)])
        start = np.where(np.arange(len(bins)) < slow.sum(), 2_000_000, 0)
        values = start + rng.integers(1, 2_000_000, len(bins))
        summary.latency["e2e", phase] = Histogram()
        summary.latency["e2e", phase].record_many(values)
        summary.intervals.record_many(interval_key(0, phase, bins), values)
        rows = np.zeros((len(bins), len(M)), np.int64)
        rows[:, M.PLANNED] = 1
        summary.cells.add(key(np.full(len(bins), phase), bins, np.zeros(len(bins), np.int64)), rows)
    return summary


@pytest.mark.parametrize(("phases", "seconds"), [(1, 300), (4, 75)])
@pytest.mark.parametrize("late", [0.0, 0.04])
def test_a_latency_at_its_limit_seldom_passes_though_lateness_comes_in_episodes(phases, seconds, late):
    """Requests of one moment share a queue: taken for independent, over a fifth would pass, as many fail."""
    rng = np.random.default_rng(9)
    info, verdicts = info_of(phases, seconds), []
    for _ in range(200):
        view = view_of(in_episodes(rng, info, phases, seconds, late), info)
        verdicts.append(gather(view)["e2e_p95_ms"].against(2000, upper=True))
    assert verdicts.count(CheckVerdict.PASS) / len(verdicts) <= 0.08
    assert verdicts.count(CheckVerdict.FAIL) / len(verdicts) <= 0.10
