"""A million bills: every sum of the ledger is the sum of its rows, to the micro-dollar."""

from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import make_profile, synthetic_run

from mmload.price import COMPONENTS, PriceBook
from mmload.summary import Ending, RunReader, figures
from mmload.summary.measures import COST_COLUMNS, M
from mmload.summary.money import _by_workflow
from mmload.summary.table import Table

ROWS = 1_000_000


@pytest.fixture(scope="module")
def bills():
    """A million answers of two priced models, with cached tokens: components in micro-dollars."""
    rng = np.random.default_rng(5)
    book = PriceBook(make_profile().cost, "sim-large")
    tokens_in = rng.integers(1, 20_000, ROWS)
    cached = rng.integers(0, tokens_in + 1)
    models = np.where(rng.random(ROWS) < 0.3, "sim-small", "sim-large").tolist()
    tokens_out = rng.integers(0, 2_000, ROWS)
    found = book.bill_answers(models, tokens_in, cached, tokens_out)
    return SimpleNamespace(book=book, rows=found, inputs=(models, tokens_in, cached, tokens_out))


def test_a_million_rows_add_up_by_component_feature_and_time_to_the_same_total(bills):
    rng = np.random.default_rng(6)
    total = int(bills.rows.sum())
    by_cell = Table(bills.rows.shape[1])
    for part in np.array_split(np.arange(ROWS), 37):
        by_cell.add(rng.integers(0, 500, len(part)), bills.rows[part])
    assert int(by_cell.arrays()[1].sum()) == total
    assert [int(c) for c in by_cell.arrays()[1].sum(axis=0)] == [int(c) for c in bills.rows.sum(axis=0)]
    task = rng.integers(0, 9, ROWS)
    assert sum(int(bills.rows[task == k].sum()) for k in range(9)) == total


def test_the_sum_of_integers_is_the_sum_of_exact_fractions_within_a_half_a_row(bills):
    """Against the prices in floating point: each row is rounded once, half up, and nowhere else."""
    models, tokens_in, cached, tokens_out = bills.inputs
    large = np.array([m == "sim-large" for m in models])
    rate = np.where(large[:, None], [[2.5, 10.0, 1.25]], [[0.4, 1.6, 0.4]])
    exact = (tokens_in - cached) * rate[:, 0] + cached * rate[:, 2] + tokens_out * rate[:, 1]
    assert np.abs(bills.rows[:, 0] - exact).max() <= 0.5 + 1e-6
    assert (bills.rows[:, 1] == 0).all()


def test_components_features_and_workflows_of_a_run_are_one_total(tmp_path):
    cost = make_profile().cost.model_dump() | {"workflows": {"papers": ["extract"], "pages": ["ui"]}}
    run = synthetic_run(tmp_path, cost=cost)
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    found = figures(reader.summary, reader.plan, Ending(reader.end))["cost"]
    total = round(found["total_usd"] * 1e6)
    for split in ("by_component", "by_feature", "by_workflow"):
        assert sum(round(v * 1e6) for v in found[split].values()) == total, split
    assert set(found["by_workflow"]) == {"papers", "pages", "other"}
    assert len(COST_COLUMNS) + 1 == len(COMPONENTS) and M.C_MODEL in COST_COLUMNS


def test_an_unknown_price_makes_its_workflow_unknown_and_no_other():
    found = _by_workflow({"a": 0.5, "b": None, "c": 0.25}, {"x": ["a", "b"], "y": ["c"]})
    assert found == {"x": None, "y": 0.25}
    assert _by_workflow({"a": 0.5}, {}) is None
