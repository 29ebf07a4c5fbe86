"""The two-way bootstrap, and the p values that go with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.intervals import (
    benjamini_hochberg,
    holm,
    percentile_interval,
    resampled,
    student_p,
    t_quantile,
    two_way_error,
)

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def mean_of(values):
    return lambda w: w @ values / w.sum(axis=1)


def test_of_independent_observations_it_is_the_usual_standard_error():
    rng = np.random.default_rng(1)
    values = rng.normal(size=2000)
    items, blocks = rng.integers(0, 400, 2000), rng.integers(0, 40, 2000)
    error, df = two_way_error(items, blocks, mean_of(values))
    assert error == pytest.approx(values.std() / np.sqrt(2000), rel=0.25)
    assert df == 39


def test_what_items_or_moments_share_is_not_taken_for_evidence():
    """Ten blocks with an effect of their own: the error is that of ten observations, not of a thousand."""
    rng = np.random.default_rng(2)
    items, blocks = np.arange(1000) % 250, np.arange(1000) // 100
    values = rng.normal(size=10)[blocks] + 0.1 * rng.normal(size=1000)
    error, _ = two_way_error(items, blocks, mean_of(values))
    expected = np.std([values[blocks == b].mean() for b in range(10)]) / np.sqrt(10)
    assert error == pytest.approx(expected, rel=0.3)
    assert error > 5 * values.std() / np.sqrt(1000)


def test_the_same_seed_gives_the_same_error():
    items = np.arange(50) % 10
    values = np.arange(50.0)
    assert (resampled(items, mean_of(values)) == resampled(items, mean_of(values))).all()


def test_a_percentile_interval_is_never_without_its_value():
    found = percentile_interval(9.0, np.linspace(0, 1, 101), 0.95)
    assert (found.low, found.high) == (pytest.approx(0.025), 9.0)


@pytest.mark.parametrize("df", [1, 5, 30, 400])
def test_student_s_p_is_the_inverse_of_its_quantile(df):
    assert student_p(t_quantile(0.975, df) * 2.0, 2.0, df) == pytest.approx(0.05, abs=1e-9)


def test_no_difference_and_no_freedom_are_no_evidence():
    assert student_p(0.0, 1.0, 9) == student_p(5.0, 1.0, 0) == 1.0
    assert student_p(5.0, 0.0, 9) == 0.0


def test_benjamini_and_hochberg_s_own_example():
    """Fifteen p values of their paper (1995, section 3.2): at 5% the first four are rejected."""
    ps = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000),
    ]
    assert sum(p <= 0.05 for p in benjamini_hochberg(ps)) == 4
    assert sum(p <= 0.05 for p in holm(ps)) == 3


@given(p_values)
def test_correction_only_raises_keeps_the_order_and_holm_is_the_stricter(ps):
    fdr, strict = benjamini_hochberg(ps), holm(ps)
    for p, q, h in zip(ps, fdr, strict, strict=True):
        assert p <= q + 1e-12 and q <= h + 1e-12 and h <= 1
    order = np.argsort(ps, kind="stable")
    assert (np.diff(np.array(fdr)[order]) >= -1e-12).all()
