"""Cells, percentiles and merging, against the hdrhistogram package and against numpy."""

import io

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from mmload.histogram import (
    CELL_HIGH,
    CELL_LOW,
    CELLS,
    HIGHEST_US,
    Histogram,
    IntervalCounts,
    cells_of,
    hgrm,
    spectrum,
)

values = st.lists(st.integers(0, HIGHEST_US), max_size=60)


def made(xs):
    h = Histogram()
    h.record_many(np.array(xs, np.int64))
    return h


@given(values)
def test_a_value_falls_into_the_cell_that_the_package_puts_it_in(xs):
    reference = HdrHistogram(1, HIGHEST_US, 3)
    for x in xs:
        assert reference.record_value(x)
    assert np.array_equal(made(xs).counts, np.ctypeslib.as_array(reference.counts).astype(np.int64))


def test_every_cell_has_the_bounds_that_the_package_gives_it():
    reference = HdrHistogram(1, HIGHEST_US, 3)
    for cell in range(0, CELLS, 7):
        assert CELL_LOW[cell] == reference.get_value_from_index(cell)
        assert CELL_HIGH[cell] == reference.get_highest_equivalent_value(int(CELL_LOW[cell]))


def test_cells_are_at_most_a_thousandth_wide():
    within = CELL_LOW > 0
    assert ((CELL_HIGH[within] - CELL_LOW[within]) / CELL_LOW[within]).max() < 1e-3


@given(values, st.floats(0, 100))
def test_a_percentile_is_the_nearest_rank_to_a_thousandth(xs, q):
    h = made(xs)
    if not xs:
        assert h.percentile(q) is None
        return
    exact = float(np.percentile(xs, q, method="inverted_cdf"))
    found = h.percentile(q)
    assert exact <= found + 1e-9
    assert found <= max(exact * 1.001, exact + 1) + 1e-9


def test_the_99_9th_of_a_thousand_is_the_999th():
    h = made(range(1, 1001))
    assert h.percentile(99.9) == 999
    assert h.percentile(100) == 1000


@given(values, values, values)
def test_merging_is_exact_in_any_order(a, b, c):
    left = made(a)
    left.merge(made(b))
    left.merge(made(c))
    right = made(c)
    right.merge(made(a))
    right.merge(made(b))
    assert left == right == made([*a, *b, *c])


@given(values)
def test_bytes_bring_it_back_whole(xs):
    h = made(xs)
    assert Histogram.from_bytes(h.to_bytes()) == h


def test_values_out_of_range_are_clamped_and_counted():
    h = made([-5, 3, HIGHEST_US + 10, 7])
    assert (h.n, h.clamped, h.min_us, h.max_us) == (4, 2, -5, HIGHEST_US + 10)
    assert h.counts.sum() == 4


def test_sum_minimum_and_maximum_are_exact():
    h = made([1_000_001, 1_000_003, 999_999])
    assert (h.sum_us, h.min_us, h.max_us) == (3_000_003, 999_999, 1_000_003)
    assert h.mean_us == 1_000_001


def test_nothing_recorded_is_none_and_not_zero():
    h = Histogram()
    assert h.mean_us is None
    assert h.percentiles((50, 99)) == [None, None]
    assert h.stddev_us() is None
    assert spectrum(h) == []


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x92\x95\x01\x01\x01\x01\x00\xc4\x02ab"])
def test_bytes_that_are_no_histogram_are_refused(data):
    with pytest.raises(ValueError, match="not a histogram"):
        Histogram.from_bytes(data)


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=200))
def test_a_spectrum_rises_to_the_maximum(xs):
    h = made(xs)
    points = spectrum(h)
    assert [p.value_us for p in points] == sorted(p.value_us for p in points)
    assert [p.percentile for p in points] == sorted(p.percentile for p in points)
    assert (points[-1].value_us, points[-1].percentile, points[-1].count) == (max(xs), 100.0, len(xs))


def test_a_percentile_file_says_what_the_package_says_and_scales_the_deviation():
    rng = np.random.default_rng(1)
    xs = rng.lognormal(13, 0.5, 5000).astype(np.int64)
    h = made(xs)
    reference = HdrHistogram(1, HIGHEST_US, 3)
    for x in xs:
        reference.record_value(int(x))
    theirs = io.BytesIO()
    reference.output_percentile_distribution(theirs, 1000.0)

    def rows(text):
        lines = [line.split() for line in text.splitlines()[2:] if line and not line.startswith("#")]
        return [(float(v), float(p)) for v, p, *_ in lines]

    ours, other = rows(hgrm(h)), rows(theirs.getvalue().decode())
    their_values, their_percentiles = zip(*other, strict=True)
    inner = [(v, p) for v, p in ours if 0.05 < p < 0.99]
    assert len(inner) > 20
    for v, p in inner:
        assert v == pytest.approx(np.interp(p, their_percentiles, their_values), rel=0.01)
    deviation = float(hgrm(h).split("StdDeviation   =")[1].split("]")[0])
    assert deviation == pytest.approx(np.std(xs) / 1000, rel=0.002)


def test_cells_of_the_ends_of_the_range():
    assert cells_of(np.array([0, HIGHEST_US])).tolist()[0] == 0
    assert cells_of(np.array([HIGHEST_US]))[0] < CELLS


triples = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10**6)), max_size=50)


@given(triples, triples)
def test_interval_counts_equal_one_histogram_per_key(a, b):
    left, right = IntervalCounts(), IntervalCounts()
    for counts, rows in ((left, a), (right, b)):
        for k, v in rows:
            counts.record_many(np.array([k]), np.array([v]))
    left.merge(right)
    for k in range(6):
        expected = made([v for key, v in [*a, *b] if key == k])
        assert np.array_equal(left.histogram(k, k).counts, expected.counts)
    assert IntervalCounts.from_bytes(left.to_bytes()) == left
    every = made([v for _, v in [*a, *b]])
    assert np.array_equal(left.histogram(0, 5).counts, every.counts)
