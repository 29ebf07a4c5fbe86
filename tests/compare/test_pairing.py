"""Differences of known truth: none where there is none, the planted one where there is one."""

import numpy as np
import pytest

from mmload.compare.pairing import METRICS, described, differences, pair
from mmload.scorecard import matrix
from tests.compare.made import candidate, rows

EVEN = {"extract": 1.0, "ui": 1.0, "chart": 1.0}
SIMULATIONS = 60


def compared(base, other, **options):
    found = differences(candidate("a", base), candidate("b", other), EVEN, **options)
    return {d["metric"]: d for d in described({"b": found}, matrix())}


def test_a_candidate_against_itself_differs_in_nothing_at_least_95_times_in_100():
    claims = 0
    for seed in range(SIMULATIONS):
        found = compared(rows(2 * seed), rows(2 * seed + 1))
        assert set(found) == set(METRICS)
        claims += any(d["verdict"] in ("better", "worse") for d in found.values())
    assert claims <= 0.05 * SIMULATIONS


def test_each_single_interval_holds_the_truth_of_no_difference_at_least_90_times_in_100():
    held = {"quality": 0, "error_ratio": 0, "e2e_p95_ms": 0, "per_query_usd": 0}
    for seed in range(SIMULATIONS):
        found = compared(rows(1000 + 2 * seed), rows(1001 + 2 * seed))
        for metric in held:
            held[metric] += found[metric]["low"] <= 0 <= found[metric]["high"]
    assert min(held.values()) >= 0.9 * SIMULATIONS, held


def test_a_planted_loss_of_quality_is_found_and_its_interval_holds_it():
    base, worse = rows(1, n=1200, quality=0.95), rows(2, n=1200, quality=0.70)
    found = compared(base, worse)["quality"]
    assert found["verdict"] == "worse"
    assert found["low"] <= -0.25 <= found["high"]
    assert found["lost"] > found["gained"]


def test_faster_and_cheaper_are_found_too():
    found = compared(rows(3, n=1200, slow_ms=1500), rows(4, n=1200, slow_ms=700, usd=0.001))
    assert found["e2e_p95_ms"]["verdict"] == found["per_query_usd"]["verdict"] == "better"
    assert found["per_good_query_usd"]["value"] < 0


def test_no_difference_of_shares_is_beyond_one():
    found = compared(rows(3, n=120, fail=0.0), rows(4, n=120, fail=0.97))
    assert found["error_ratio"]["high"] <= 1 and found["good_ratio"]["low"] >= -1
    assert found["error_ratio"]["verdict"] == "worse"


def test_the_very_same_answers_are_no_difference():
    assert {d["verdict"] for d in compared(rows(5), rows(5)).values()} == {"no difference"}


def test_twenty_pairs_are_the_least_that_say_anything():
    assert compared(rows(6, n=19), rows(7, n=19)) == {}


def test_costs_under_other_prices_are_left_out():
    assert not {m for m in compared(rows(8), rows(9), costs=False) if m.endswith("usd")}


def test_requests_pair_by_number_and_item_only():
    a, b = rows(10), rows(11)
    other = b.item.copy()
    other[:5] += 1
    b = type(b)(**{n: getattr(b, n) for n in b.__dataclass_fields__} | {"item": other})
    pairs = pair(candidate("a", a), candidate("b", b.take(np.arange(5 - 5, 300))))
    assert pairs.n == 295
    assert (pairs.base.seq == pairs.other.seq).all()


def test_an_unknown_price_takes_no_part_in_a_cost():
    a, b = rows(12), rows(13)
    b.cost_usd[:100] = np.nan
    assert compared(a, b)["per_query_usd"]["n_pairs"] == len(a.seq) - 100


@pytest.mark.parametrize("metric", METRICS)
def test_correction_never_makes_a_difference_surer(metric):
    d = compared(rows(14), rows(15, quality=0.8))[metric]
    assert d["p"] <= d["p_fdr"] <= d["p_holm"]
