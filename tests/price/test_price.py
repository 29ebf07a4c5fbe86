"""Bills in integer micro-dollars: what is charged, what is unknown, and sums that reconcile."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_profile, synthetic_run

from mmload.model import NS_PER_S, Record
from mmload.price import COMPONENTS, PriceBook, micro, spread, usd
from mmload.profile import Cost

PRICES = {
    "models": {
        "m": {"input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10, "cached_input_usd_per_mtok": 1.25},
        "m-small*": {"input_usd_per_mtok": 0.4, "output_usd_per_mtok": 1.6},
    },
    "validator_usd": 0.0001,
    "tool_usd": 0.0002,
    "fallback_usd": 0.01,
    "review_rate": 0.1,
    "review_s": 120,
    "review_usd_per_hour": 30,
    "infrastructure_usd_per_hour": 1.2,
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return synthetic_run(tmp_path_factory.mktemp("run")).records[0]


def book(**changes):
    return PriceBook(Cost.model_validate(PRICES | changes), "m")


def ok(template, **changes) -> Record:
    given = {
        "outcome": "ok", "error": "", "attempts": 1, "attempt_errors": "", "model": "m",
        "tokens_in": 1000, "tokens_out": 100, "tokens_cached": 0,
    }  # fmt: skip
    return template._replace(**(given | changes))


def test_an_answer_costs_its_tokens_a_validator_tools_and_its_share_of_review(template):
    bill = book().bill(ok(template), 64)
    assert bill == (2500 + 1000, 0, 100, 200, 0, 100_000)
    assert bill.total == 103_800


def test_cached_tokens_are_part_of_the_input_and_cost_less(template):
    assert book().bill(ok(template, tokens_cached=400), 64).model == 600 * 2.5 + 400 * 1.25 + 1000


def test_more_cached_tokens_than_input_are_not_a_refund(template):
    assert book().bill(ok(template, tokens_cached=5000), 64).model == 1000 * 1.25 + 1000


def test_a_cached_token_without_a_price_of_its_own_costs_the_full_price(template):
    bill = book().bill(ok(template, model="m-small", tokens_cached=500), 64)
    assert bill.model == 400 + 160


def test_an_amount_is_rounded_once_half_up(template):
    bill = book().bill(ok(template, model="m-small", tokens_in=1, tokens_out=0), 64)
    assert bill.model == 0
    assert book().bill(ok(template, tokens_in=1, tokens_out=0), 64).model == 3


def test_a_model_without_a_price_costs_an_unknown_amount_not_zero(template):
    bill = book().bill(ok(template, model="other"), 64)
    assert bill.model is None
    assert bill.total is None
    assert usd(bill.total) is None


def test_a_pattern_prices_the_models_that_fit_it(template):
    assert book().rate("m-small-2026-01-01") == book().rate("m-small*")


def test_an_answer_by_a_dated_version_is_priced_as_the_model_unless_the_version_has_a_price():
    for dated in ("m-2026-08-06", "m-20260806", "m@20260806"):
        assert book().rate(dated) == book().rate("m"), dated
    for another in ("m-mini", "m-2026", "m-2026-08-06-mini", "m-12345678901"):
        assert book().rate(another) is None, another
    own = {"input_usd_per_mtok": 9.0, "output_usd_per_mtok": 9.0}
    dearer = book(models=PRICES["models"] | {"m-2026-08-06": own})
    assert dearer.rate("m-2026-08-06") != dearer.rate("m") == dearer.rate("m-2026-08-07")
    assert book().rate("m") != book().rate("m-small")


def test_an_answer_of_unknown_length_has_an_unknown_price(template):
    assert book().bill(ok(template, tokens_out=None), 64).model is None


def test_a_request_that_was_never_sent_costs_nothing(template):
    bill = book().bill(ok(template, outcome="not_sent", error="schedule_drop", sent_ns=None, model=""), 64)
    assert bill.total == 0


@pytest.mark.parametrize("error", ["first_byte_timeout", "idle_timeout", "total_timeout"])
def test_a_timeout_is_billed_for_its_input_if_the_book_says_so(template, error):
    gone = ok(template, outcome="failed", error=error, tokens_in=None, tokens_out=None, model="")
    assert book().bill(gone, 64).model == 160
    assert book(bill_timeouts=False).bill(gone, 64).model == 0
    assert book().bill(gone, 64).fallback == 10_000


@pytest.mark.parametrize("error", ["http_5xx", "connect_refused", "http_4xx", "send_timeout"])
def test_what_the_target_refused_is_not_billed(template, error):
    bill = book().bill(ok(template, outcome="failed", error=error, model="other"), 64)
    assert (bill.model, bill.fallback, bill.validators, bill.review) == (0, 10_000, 0, 0)


def test_an_answer_that_broke_off_is_billed_for_what_came(template):
    bill = book().bill(ok(template, outcome="failed", error="truncated_stream", tokens_out=40), 64)
    assert bill.model == 2500 + 400


def test_earlier_attempts_are_charged_as_retries(template):
    record = ok(template, attempts=4, attempt_errors="http_5xx,total_timeout,truncated_body")
    assert book().bill(record, 64).retries == 2 * 2500
    unknown = ok(template, attempts=2, attempt_errors="total_timeout", model="other")
    assert book().bill(unknown, 64).retries is None


def test_machines_are_paid_by_the_clock():
    assert book().infrastructure(3600 * NS_PER_S) == 1_200_000
    assert book().infrastructure(NS_PER_S) == 333


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_parts_of_a_spread_amount_add_up_to_it(total, weights):
    parts = spread(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        assert all(abs(Fraction(total * w, whole) - p) < 1 for w, p in zip(weights, parts, strict=True))


@given(st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 10**4), st.integers(0, 10**5)), max_size=40))
def test_the_ledger_is_the_sum_of_its_bills_to_the_micro_dollar(rows):
    template = _TEMPLATE
    prices = book()
    bills = [prices.bill(ok(template, tokens_in=i, tokens_out=o, tokens_cached=c), 64) for i, o, c in rows]
    by_component = [sum(b[k] for b in bills) for k in range(len(COMPONENTS) - 1)]
    assert sum(by_component) == sum(b.total for b in bills)
    exact = sum(
        (Fraction(5, 2) * (i - min(c, i)) + Fraction(5, 4) * min(c, i) + 10 * o for i, o, c in rows),
        Fraction(0),
    )
    assert abs(by_component[0] - exact) <= Fraction(len(rows), 2)


tokens = st.none() | st.integers(0, 10**5)


@given(
    st.lists(
        st.tuples(st.sampled_from(["m", "m-small-1", "other", ""]), st.integers(0, 10**5), tokens, tokens),
        max_size=30,
    )
)
def test_many_answers_at_once_cost_what_each_costs_alone(rows):
    prices = book()
    alone = [
        prices.bill(ok(_TEMPLATE, model=m, tokens_in=i, tokens_cached=c, tokens_out=o), 64)
        for m, i, c, o in rows
    ]
    columns = [np.array([-1 if r[k] is None else r[k] for r in rows], np.int64) for k in (1, 2, 3)]
    together = prices.bill_answers([r[0] for r in rows], *columns)
    assert together.tolist() == [[-1 if amount is None else amount for amount in bill] for bill in alone]


_TEMPLATE = Record(
    *(0, 0, 0, 0, 0, 0, 1, 1, 2, "ok", "", 200, 1, "", 0, 10, 10, 1, 1, 0, "usage", 0, b"", "", "m", "stop"),
    *(True, True, 1.0, True, ""),
)


def test_dollars_become_micro_dollars_without_loss():
    assert micro(0.0001) == 100
    assert usd(123) == 0.000123


def test_the_snapshot_names_source_date_and_prices():
    snapshot = PriceBook(make_profile().cost, "sim-large").snapshot()
    assert snapshot["as_of"] == "2026-11-01"
    assert snapshot["models"]["sim-small"]["output_usd_per_mtok"] == 1.6
