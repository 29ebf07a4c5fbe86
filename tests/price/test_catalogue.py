"""List prices where the profile has none, without a network."""

import socket
from datetime import UTC, datetime

import pytest
from synthetic import Stretch, synthetic_run

from mmload.price import PriceBook
from mmload.price.catalogue import list_price
from mmload.profile import Cost
from mmload.summary import Ending, RunReader, figures


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a price look-up opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_known_model_has_a_price_per_million_tokens():
    price = list_price("gpt-4o", datetime(2026, 11, 1, tzinfo=UTC))
    assert (price.input, price.output, price.cached) == pytest.approx((2.5, 10, 1.25))


def test_prices_are_those_of_the_day():
    before = list_price("o3", datetime(2025, 6, 1, tzinfo=UTC))
    after = list_price("o3", datetime(2025, 7, 1, tzinfo=UTC))
    assert before.input == 10
    assert after.input == 2


def test_an_unknown_model_has_no_price_rather_than_none_at_all():
    assert list_price("sim-large") is None
    assert PriceBook(Cost(), "sim-large").rate("") is None


def test_the_profile_s_own_price_comes_first():
    own = Cost.model_validate({"models": {"gpt-4o": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}}})
    book = PriceBook(own, "gpt-4o")
    assert book.rate("gpt-4o").input == 1_000_000
    assert book.snapshot()["catalogue"] is None


def test_what_came_from_the_catalogue_is_in_the_snapshot():
    book = PriceBook(Cost(), "gpt-4o")
    assert book.rate("").output == 10_000_000
    catalogue = book.snapshot()["catalogue"]
    assert catalogue["source"].startswith("genai-prices ")
    assert catalogue["usd_per_mtok"]["gpt-4o"]["output"] == 10


def test_a_run_can_be_priced_again(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 600, 20),))

    def cost_of(prices):
        reader = RunReader(run.dir, lambda _: run.items, prices)
        reader.poll()
        return figures(reader.summary, reader.plan, Ending(reader.end))["cost"]

    first = cost_of(None)
    dear = run.profile.cost.model_dump()
    dear["models"]["sim-large"]["input_usd_per_mtok"] *= 2
    dear["models"]["sim-large"]["output_usd_per_mtok"] *= 2
    again = cost_of(Cost.model_validate(dear))
    assert again["by_component"]["model"] == pytest.approx(2 * first["by_component"]["model"], rel=1e-3)
    assert again["by_component"]["review"] == first["by_component"]["review"]
    assert again["price_snapshot"]["models"]["sim-large"]["input_usd_per_mtok"] == 5.0


def test_usage_is_held_against_the_formula_of_the_model(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 600, 20),), target={"engine": "sim", "model": "gpt-4o"})
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    ratio = figures(reader.summary, reader.plan, Ending(reader.end))["cost"]["usage_vs_formula_ratio"]
    by_formula = {i.index: reader.plan.formula_tokens[i.index] for i in run.items}
    ok = [r for r in run.records if r.outcome == "ok"]
    expected = sum(r.tokens_in for r in ok) / sum(by_formula[r.item] for r in ok) - 1
    assert ratio == pytest.approx(expected, abs=1e-6)


def test_a_request_given_up_is_billed_for_its_images_too(tmp_path):
    run = synthetic_run(
        tmp_path,
        (Stretch("a", 600, 20, timeout=0.5),),
        target={"engine": "sim", "model": "gpt-4o"},
        cost={"models": {"gpt-4o": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}}},
    )
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    info = reader.plan
    lost = [r for r in run.records if r.outcome == "failed"]
    bills = [info.book.bill(r, info.input_estimate[r.item]) for r in lost]
    assert all(b.model > 255 for b in bills)
    assert [b.model for b in bills] == [info.formula_tokens[r.item] for r in lost]
