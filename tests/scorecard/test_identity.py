"""Whatever leaves a run folder says by which matrix it was scored: version and hash."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from synthetic import Stretch, synthetic_run

from mmload.compare import compare, read_candidate
from mmload.launch.finish import finish
from mmload.report.comparing import write_comparison
from mmload.report.pages import write_capacity
from mmload.scorecard import matrix
from mmload.scorecard.scored_by import keep
from mmload.search.answer import answer
from mmload.search.conduct import settings_of
from mmload.summary import RunReader

ARTEFACTS = (
    *("summary.json", "report.html", "report.md", "junit.xml", "environment.json", "latency.hlog"),
    "answers/answers.jsonl",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = synthetic_run(tmp_path_factory.mktemp("id") / "run", (Stretch("s", 600, 20),))
    keep(made.dir, matrix())
    finish(made.dir, {}, reader=RunReader(made.dir, lambda _: made.items))
    return made


@pytest.mark.parametrize("name", ARTEFACTS)
def test_every_artefact_of_a_run_names_version_and_hash(run, name):
    text = (run.dir / name).read_text()
    assert matrix().id in text and matrix().version in text


def test_the_parquet_file_says_where_it_came_from(run):
    told = pq.read_schema(run.dir / "requests.parquet").metadata
    summary = json.loads((run.dir / "summary.json").read_text())["run"]
    assert told[b"mmload.matrix_id"].decode() == matrix().id
    assert told[b"mmload.matrix_version"].decode() == matrix().version
    assert told[b"mmload.id"].decode() == summary["id"]
    assert told[b"mmload.workload_fingerprint"].decode() == summary["workload_fingerprint"]


def test_a_search_and_a_comparison_name_it_in_every_form(run, tmp_path):
    about = {"target": "sim", "started_at": "", "quick": False, "interrupted": False}
    write_capacity(tmp_path, answer(run.profile, settings_of(run.profile, False), [], None, about))
    shutil.copytree(run.dir, tmp_path / "again")
    found = compare([read_candidate(run.dir, "a"), read_candidate(tmp_path / "again", "b")])
    write_comparison(tmp_path, found)
    for name in ("capacity.html", "capacity.md", "compare.json", "compare.html", "compare.md"):
        text = (tmp_path / name).read_text()
        assert matrix().id in text and matrix().version in text, name


def test_scores_of_another_matrix_are_named_by_it_until_they_are_replayed(tmp_path):
    """A run of an earlier version; what it stored was scored by the matrix of its time."""
    made = synthetic_run(tmp_path, (Stretch("s", 300, 10),))

    def told():
        found = finish(made.dir, {}, reader=RunReader(made.dir, lambda _: made.items)).figures
        return found["run"]["matrix_version"], found["run"]["matrix_id"]

    assert told() == (made.header["matrix_version"], made.header.get("matrix_id"))
    keep(made.dir, matrix())
    assert told() == (matrix().version, matrix().id)
