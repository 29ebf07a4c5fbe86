"""The reference pages are those that the code describes, and real figures fit the JSON Schema."""

import copy
import json
from pathlib import Path

import jsonschema_rs
import pytest
from synthetic import make_items, synthetic_run

from mmload.launch.finish import finish
from mmload.model import ErrorKind
from mmload.report import described, reference
from mmload.summary import RunReader

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "summary.schema.json").read_text())


def wrong(figures):
    return [
        f"{list(e.instance_path)}: {e.message}"
        for e in jsonschema_rs.Draft202012Validator(SCHEMA).iter_errors(figures)
    ]


@pytest.fixture(scope="module", params=["done", None], ids=["whole", "cut"])
def figures(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "run"
    synthetic_run(folder, end_reason=request.param)
    finish(folder, reader=RunReader(folder, lambda _: make_items(60)))
    return json.loads((folder / "summary.json").read_text())


def test_the_pages_are_what_the_code_describes():
    assert json.loads(json.dumps(reference.json_schema())) == SCHEMA
    assert (DOCS / "summary-reference.md").read_text() == reference.summary_page()
    assert (DOCS / "error-kinds.md").read_text() == reference.errors_page()


def test_every_error_kind_is_told():
    assert set(described.ERRORS) == set(ErrorKind)


def test_figures_fit_the_schema(figures):
    assert wrong(figures) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f.pop("counts"),
        lambda f: f["counts"].update(ok=-1),
        lambda f: f["counts"].update(ok=None),
        lambda f: f["latency_ms"]["e2e"].pop("p99"),
        lambda f: f["quality"].update(score="0.9"),
        lambda f: f["throughput"].update(new_rpm="fast"),
        lambda f: f["phases"][0].pop("counts"),
        lambda f: f.update(verdict="maybe"),
        lambda f: f["gates"].append({"name": "x"}),
    ],
)
def test_figures_that_are_none_do_not_fit(figures, spoil):
    spoiled = copy.deepcopy(figures)
    spoil(spoiled)
    assert wrong(spoiled)
