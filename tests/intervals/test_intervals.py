"""Known answers (R, scipy and the published tables), and laws that any interval keeps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload import intervals as iv

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [
        (2, 3, 0.4, 0.5248),
        (0.5, 0.5, 0.5, 0.5),
        (5, 1, 0.9, 0.59049),
        (1, 9, 0.1, 1 - 0.9**9),
        (10, 10, 0.5, 0.5),
    ],
)
def test_incomplete_beta(a, b, x, expected):
    assert iv.betainc(a, b, x) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 0.99))
def test_the_binomial_distribution_is_the_sum_of_its_terms(n, k, p):
    direct = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
    assert iv.binomial_cdf(k, n, p) == pytest.approx(direct, abs=1e-11)


@pytest.mark.parametrize(
    ("p", "df", "expected"),
    [
        (0.975, 1, 12.7062047),
        (0.975, 4, 2.77644511),
        (0.95, 10, 1.81246112),
        (0.995, 30, 2.74999565),
        (0.975, 1e9, 1.95996398),
        (0.05, 3, -2.35336343),
        (0.5, 7, 0.0),
    ],
)
def test_quantiles_of_student_s_t(p, df, expected):
    assert iv.t_quantile(p, df) == pytest.approx(expected, abs=1e-7)


def test_wilson_known_answers():
    found = iv.wilson(190, 200)
    assert (found.low, found.high) == pytest.approx((0.9104, 0.9726), abs=1e-4)
    assert iv.wilson(0, 10).low == 0.0
    assert iv.wilson(0, 10).high == pytest.approx(0.2775, abs=1e-4)


@pytest.mark.parametrize(
    ("k", "n", "limit"), [(0, 149, 0.02), (1, 236, 0.02), (2, 313, 0.02), (3, 386, 0.02)]
)
def test_events_that_an_upper_bound_of_two_percent_allows(k, n, limit):
    assert iv.clopper_pearson_upper(k, n) <= limit
    assert iv.clopper_pearson_upper(k, n - 1) > limit


@pytest.mark.parametrize(("k", "n"), [(0, 299), (1, 473), (2, 628), (3, 773)])
def test_events_that_an_upper_bound_of_one_percent_allows(k, n):
    assert iv.clopper_pearson_upper(k, n) <= 0.01 < iv.clopper_pearson_upper(k, n - 1)


@pytest.mark.parametrize(("k", "n"), [(0, 59), (1, 93), (2, 124), (5, 208), (10, 336), (20, 577), (50, 1260)])
def test_requests_over_the_objective_that_a_p95_gate_allows(k, n):
    assert iv.clopper_pearson_upper(k, n) <= 0.05 < iv.clopper_pearson_upper(k, n - 1)


def test_clopper_pearson_known_answer():
    found = iv.clopper_pearson(8, 10)
    assert (found.low, found.high) == pytest.approx((0.4439045, 0.9747893), abs=1e-6)


@pytest.mark.parametrize(("quantile", "n"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_fewest_samples_that_certify_a_percentile(quantile, n):
    assert iv.certifying_n(quantile) == n


@given(counts)
def test_every_interval_holds_its_value_and_stays_within_zero_and_one(kn):
    k, n = kn
    for found in (iv.wilson(k, n), iv.clopper_pearson(k, n)):
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_trials_until_a_lower_bound_clears_a_limit():
    n = iv.wilson_bound_n(0.95, 0.90, upper=False)
    assert iv.wilson(0.95 * n, n, 0.90).low >= 0.90 > iv.wilson(0.95 * (n - 1), n - 1, 0.90).low
    assert iv.wilson_bound_n(0.89, 0.90, upper=False) is None
    assert iv.wilson_bound_n(0.0, 0.01, upper=True) is not None


def test_one_stratum_of_independent_trials_has_no_design_effect():
    rng = np.random.default_rng(2)
    effects = []
    for _ in range(200):
        hits = rng.binomial(40, 0.8, 15)
        found = iv.clustered_share([[h] for h in hits], [[40]] * 15, [600.0], [1.0])
        effects.append(found.design_effect)
    assert np.mean(effects) == pytest.approx(1.0, abs=0.1)


def test_a_shift_in_the_mix_is_not_a_loss_of_quality():
    even = iv.clustered_share([[90, 50], [90, 50]], [[100, 100], [100, 100]], [200, 200], [1, 1])
    tilted = iv.clustered_share([[9, 95], [9, 95]], [[10, 190], [10, 190]], [20, 380], [1, 1])
    assert even.value == pytest.approx(tilted.value) == pytest.approx(0.7)


def test_an_unscored_stratum_drops_out():
    found = iv.clustered_share([[8, 0], [9, 0]], [[10, 0], [10, 0]], [20, 0], [1, 3])
    assert found.value == pytest.approx(0.85)
    assert iv.clustered_share([[0]], [[0]], [0], [1]) is None


def test_clusters_that_agree_do_not_claim_to_know_without_error():
    found = iv.clustered_share([[10]] * 15, [[10]] * 15, [150.0], [1.0])
    bound = found.bound(0.95)
    assert bound.high == 1.0
    assert bound.low == pytest.approx(iv.wilson(150, 150).low)


def test_phases_of_different_load_do_not_widen_each_other():
    hits = [[95]] * 8 + [[50]] * 8
    mixed = iv.clustered_share(hits, [[100]] * 16, [1600.0], [1.0])
    apart = iv.clustered_share(hits, [[100]] * 16, [1600.0], [1.0], [0] * 8 + [1] * 8)
    assert apart.standard_error < 0.1 * mixed.standard_error
