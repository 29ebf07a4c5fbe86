from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.score.fields import count_fields, count_rows
from mmload.score.geometry import inside
from mmload.score.text import amount, anls, norm, relaxed, same_amount, same_date, same_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("€1,234.50", "1234.50"),
        ("EUR 12", "12"),
        ("12 USD", "12"),
        ("1 234.5", "1234.5"),
        ("-3.20", "-3.20"),
        (".5", "0.5"),
        (7, "7"),
        (7.25, "7.25"),
        ("1e3", "1000"),
    ],
)
def test_an_amount_is_read_exactly(text: object, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["", "12,34", "1.234,50", "NaN", "inf", "12 or 13", True, None, [], "1" * 70, "1e999", float("nan")],
)
def test_what_is_no_amount_is_none(text: object) -> None:
    assert amount(text) is None


def test_amounts_are_equal_at_a_cent() -> None:
    assert same_amount("118.20", 118.2) and not same_amount("118.20", "118.21") and not same_amount("x", "x")


def test_anls_follows_docvqa() -> None:
    assert anls("Hello", ["hello"]) == 1.0
    assert anls("abcd", ["abce"]) == pytest.approx(0.75)
    assert anls("abcd", ["wxyz", "abzz"]) == pytest.approx(0.5)
    assert anls("abcd", ["axyz"]) == 0.0, "below a half counts as nothing"
    assert anls(5, ["5"]) == 0.0


def test_relaxed_accuracy_has_a_tolerance_of_five_percent_but_none_around_zero() -> None:
    assert relaxed(105, 100) and relaxed("95", 100) and not relaxed(105.1, 100)
    assert relaxed(0, 0) and not relaxed(0.001, 0)
    assert relaxed("North", "north") and not relaxed("North", 5) and not relaxed(True, 1)


def test_the_loophole_of_relaxed_accuracy_is_a_year() -> None:
    assert relaxed(1950, 2026), "which is why years, counts and ids are compared exactly instead"
    assert not same_amount(1950, 2026) and not same_text("1950", "2026")


def test_dates_are_iso_only() -> None:
    assert same_date("2026-03-14", "2026-03-14")
    assert not any(
        same_date(d, "2026-03-14")
        for d in ("14.03.2026", "2026-3-14", "20260314", "2026-03-15", "", None, "2026-13-40")
    )


def test_text_is_compared_without_case_width_or_spacing() -> None:
    assert same_text("  ＡBC  d ", "abc D") and not same_text(None, "") and norm("ß") == "ss"


def test_field_counts_are_those_of_the_definition() -> None:
    match = {"a": same_text, "b": same_text, "c": same_text, "d": same_text}
    counts = count_fields({"a": "1", "b": "x", "d": "9", "c": None}, {"a": "1", "b": "2", "c": "3"}, match)
    assert (counts.tp, counts.fp, counts.fn) == (1, 2, 2)
    assert counts.f1 == pytest.approx(2 / 6)
    assert counts.wrong == {"b", "d"} and counts.missing == {"c"}


def test_rows_are_aligned_by_their_key_and_counted_once() -> None:
    truth = [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 2}]
    given_ = [{"sku": "b", "qty": "2"}, {"sku": "B", "qty": 2}, {"sku": "C", "qty": 1}]
    counts = count_rows(given_, truth, "sku", {"sku": same_text, "qty": same_amount})
    assert (counts.tp, counts.fp, counts.fn) == (1, 2, 1)


def test_a_point_on_the_edge_is_inside() -> None:
    assert inside([0, 5], [0, 0, 10, 10]) and not inside([10.1, 5], [0, 0, 10, 10])
    assert not inside([float("nan"), 5], [0, 0, 10, 10])


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.text()), st.text())
def test_comparisons_of_anything_give_a_verdict(given_: object, truth: str) -> None:
    for compare in (same_text, same_amount, same_date, relaxed):
        assert compare(given_, truth) in (True, False)
    assert 0 <= anls(given_, [truth]) <= 1
