"""Slices that differ are found and those that do not are not; costs with intervals that hold the truth."""

import numpy as np
import pytest
from synthetic import Stretch, make_items, make_profile, synthetic_run

from mmload.intervals import clustered_ratio
from mmload.model import NS_PER_S, PhasePlan
from mmload.price import COMPONENTS, PriceBook
from mmload.summary import Ending, RunInfo, RunReader, Summary, figures, series
from mmload.summary.measures import W_ONE, M, S, key
from mmload.summary.money import bill, good_queries
from mmload.summary.slices import slice_rows
from mmload.summary.view import Cells, View


def figures_of(run):
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    return figures(reader.summary, reader.plan, Ending(reader.end)), reader


def sliced(rng, info, worse=None, n=4000, quality=0.9, loss=0.15):
    summary = Summary()
    item = rng.integers(0, len(info.items), n)
    numbers = info.slice_of[item]
    chance = np.full(n, quality)
    if worse is not None:
        chance[(numbers == info.slices.index(worse)).any(axis=1)] -= loss
    rows = np.zeros((n, len(S)), np.int64)
    rows[:, [S.SENT, S.OK, S.N_SCORED]] = 1
    rows[:, [S.W, S.W2]] = W_ONE
    rows[:, S.W_PASS] = np.where(rng.random(n) < chance, W_ONE, 0)
    for d in range(numbers.shape[1]):
        summary.slices.add(numbers[:, d], rows)
    return summary


@pytest.fixture(scope="module")
def info():
    profile = make_profile((Stretch("a", 60, 60),))
    plan = PhasePlan(0, "a", "sustained", True, False, 0, 60 * NS_PER_S, 0, 0, 10, 0, "a")
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    return RunInfo.from_header(header, make_items(60))


def test_the_worst_slice_comes_first_and_is_no_accident(info):
    rng = np.random.default_rng(1)
    for _ in range(10):
        rows = slice_rows(sliced(rng, info, worse=("image_size", "l")), info, 1.0)
        assert (rows[0]["by"], rows[0]["value"]) == ("image_size", "l")
        assert rows[0]["p_adjusted"] < 0.001
        assert rows[0]["delta"] == pytest.approx(-0.15, abs=0.05)


def test_without_a_difference_some_slice_is_blamed_in_at_most_five_percent_of_runs(info):
    rng = np.random.default_rng(2)
    runs, adjusted, naive = 300, 0, 0
    for _ in range(runs):
        rows = slice_rows(sliced(rng, info), info, 1.0)
        adjusted += any(r["p_adjusted"] is not None and r["p_adjusted"] < 0.05 for r in rows)
        naive += any(r["delta"] and not r["low"] <= r["quality"] - r["delta"] <= r["high"] for r in rows)
    assert adjusted / runs <= 0.08
    assert naive / runs > 0.15


def test_a_dimension_of_one_value_has_nothing_to_be_compared_with(info):
    rows = slice_rows(sliced(np.random.default_rng(3), info), info, 1.0)
    assert next(r for r in rows if r["by"] == "lang")["p_adjusted"] is None


def test_clusters_make_a_slice_less_certain(info):
    summary = sliced(np.random.default_rng(4), info, worse=("task", "ui"), loss=0.04)
    plain, clustered = (
        {(r["by"], r["value"]): r for r in slice_rows(summary, info, effect)} for effect in (1.0, 5.0)
    )
    ui = ("task", "ui")
    assert clustered[ui]["p_adjusted"] > plain[ui]["p_adjusted"]
    assert clustered[ui]["high"] - clustered[ui]["low"] > plain[ui]["high"] - plain[ui]["low"]


def test_slices_cover_every_request_once_per_dimension(tmp_path):
    run = synthetic_run(tmp_path)
    found, reader = figures_of(run)
    rows = series(reader.summary, reader.plan)["slices"]
    dimensions = {r["by"] for r in rows}
    assert dimensions >= {"task", "image_size", "prompt_size", "format", "variant", "lang", "answerable"}
    for dimension in dimensions:
        mine = [r for r in rows if r["by"] == dimension]
        assert sum(r["n"] for r in mine) == found["counts"]["sent"]
        assert sum(r["n_scored"] for r in mine) == found["quality"]["n_scored"]
    assert set(found["quality"]["by_slice"]["image_size"]) == {"s", "m", "l"}
    assert found["quality"]["by_slice"]["task"]["ui"]["score"] == pytest.approx(
        found["quality"]["by_task"]["ui"]["score"]
    )


def test_a_slice_tells_no_percentile_that_its_requests_cannot_certify(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 600, 40),))
    found, reader = figures_of(run)
    rows = [row for values in found["quality"]["by_slice"].values() for row in values.values()]
    assert {row["n"] < 130 for row in rows} == {True, False}
    assert all((row["e2e_p95_ms"] is None) == (row["n"] < 130) for row in rows)
    assert all(
        (r["e2e_p95_ms"] is None) == (r["n"] < 130) for r in series(reader.summary, reader.plan)["slices"]
    )


def costed(rng, info, seconds=240):
    """Cost and quality share the state of the pipeline: when it falls back, answers are cheap and bad."""
    summary = Summary()
    down = (np.cumsum(rng.random(seconds) < 1 / 10) + rng.integers(2)) % 2
    n = rng.poisson(8, seconds)
    passed = rng.binomial(n, np.where(down, 0.7, 0.96))
    rows = np.zeros((seconds, len(M)), np.int64)
    rows[:, M.PLANNED] = rows[:, M.OK] = rows[:, M.WITHIN_SLO] = rows[:, M.N_SCORED] = n
    rows[:, M.W] = rows[:, M.W_SLO] = rows[:, M.W2] = n * W_ONE
    rows[:, M.W_PASS] = rows[:, M.W_SLO_PASS] = passed * W_ONE
    rows[:, M.C_MODEL] = n * np.where(down, 1000, 4000)
    summary.cells.add(key(np.zeros(seconds, int), np.arange(seconds), np.zeros(seconds, int)), rows)
    return summary


def test_intervals_of_cost_per_query_and_per_good_query_hold_the_truth():
    rng = np.random.default_rng(5)
    profile = make_profile(
        (Stretch("a", 60, 240),), cost={"models": {"m": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}}}
    )
    plan = PhasePlan(0, "a", "sustained", True, False, 0, 240 * NS_PER_S, 0, 0, 10, 0, "a")
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    info = RunInfo.from_header(header, make_items(3)[:1])
    held = {"query": 0, "good": 0}
    per_query, per_good = 0.0025, 0.0025 / 0.83
    for _ in range(200):
        summary = costed(rng, info)
        found = bill(View.of_phases(summary, info, Cells(summary), info.measured, plan.end_ns))
        held["query"] += found.per_query.low <= per_query <= found.per_query.high
        held["good"] += found.per_good.low <= per_good <= found.per_good.high
    assert held["query"] / 200 >= 0.90
    assert held["good"] / 200 >= 0.90


def test_cost_per_good_query_is_the_bill_over_the_good_ones(tmp_path):
    run = synthetic_run(tmp_path)
    found, reader = figures_of(run)
    view = View.of_phases(
        reader.summary,
        reader.plan,
        Cells(reader.summary),
        reader.plan.measured,
        reader.plan.phases[-1].end_ns,
    )
    cost = found["cost"]
    assert cost["per_good_query_usd"] == pytest.approx(cost["total_usd"] / good_queries(view), rel=1e-6)
    assert cost["per_query_low_usd"] < cost["per_query_usd"] < cost["per_query_high_usd"]
    assert cost["per_good_query_low_usd"] < cost["per_good_query_usd"] < cost["per_good_query_high_usd"]


def test_levels_say_from_which_price_of_a_bad_answer_their_saving_is_a_loss(tmp_path):
    cheap = {"models": {"sim-large": {"input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10}}}
    stretches = (Stretch("low", 600, 60, quality=0.97), Stretch("high", 1800, 60, quality=0.80, shed=0.3))
    found, _ = figures_of(synthetic_run(tmp_path, stretches, cost=cheap, gates={"quality_min": 0.9}))
    low, high = found["throughput"]["levels"]
    assert low["break_even_bad_answer_usd"] is None
    expected = (low["per_query_usd"] - high["per_query_usd"]) / (low["quality"] - high["quality"])
    assert high["break_even_bad_answer_usd"] == pytest.approx(expected, rel=1e-3)


def test_a_ratio_over_one_cluster_knows_no_bounds():
    found = clustered_ratio([3.0], [2.0], [0])
    assert found.value == 1.5
    assert found.high == float("inf")


def test_the_ledger_reconciles_over_a_million_rows():
    """Components, features and total of a million requests agree to the micro-dollar."""
    profile = make_profile((Stretch("a", 60, 60),))
    book = PriceBook(profile.cost, "sim-large")
    rng = np.random.default_rng(6)
    rate = book.rate("sim-large")
    plan = PhasePlan(0, "a", "sustained", True, False, 0, 60 * NS_PER_S, 0, 0, 1_000_000, 0, "a")
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    info = RunInfo.from_header(header, make_items(60))
    summary, expected, n = Summary(), book.infrastructure(60 * NS_PER_S), 50_000
    for _ in range(20):
        tokens = rng.integers(0, 9000, (n, 2))
        model = (tokens[:, 0] * rate.input + tokens[:, 1] * rate.output + 500_000) // 1_000_000
        rows = np.zeros((n, len(M)), np.int64)
        rows[:, M.PLANNED] = rows[:, M.OK] = 1
        rows[:, M.C_MODEL], rows[:, M.C_TOOLS] = model, 200
        rows[:, M.SERVICE_US] = rng.integers(1, 10**6, n)
        summary.cells.add(key(np.zeros(n, int), rng.integers(0, 60, n), rng.integers(0, 3, n)), rows)
        expected += int(model.sum()) + 200 * n
    cost = figures(summary, info, Ending({"reason": "done"}))["cost"]
    assert round(cost["total_usd"] * 1e6) == expected
    assert sum(round(cost["by_component"][name] * 1e6) for name in COMPONENTS) == expected
    assert sum(round(v * 1e6) for v in cost["by_feature"].values()) == expected
