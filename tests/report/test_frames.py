"""A run folder in pandas: the frames say what ``summary.json`` says."""

import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import make_items, synthetic_run

import mmload
from mmload.launch.finish import finish
from mmload.model import InputError
from mmload.summary import RunReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("frames") / "run"
    synthetic_run(made)
    finish(made, reader=RunReader(made, lambda _: make_items(60)))
    return made


@pytest.fixture(scope="module")
def run(folder):
    return mmload.load_run(folder)


def test_requests_add_up_to_the_counts(run):
    counts = run.summary["counts"]
    measured = run.requests[~run.requests["phase_name"].isin(run.phases.index[run.phases["warmup"]])]
    assert len(measured) == counts["planned"]
    by = measured["outcome"].value_counts()
    assert all(by.get(k, 0) == counts[k] for k in ("ok", "failed", "shed", "not_sent"))
    assert measured["cost_usd"].sum() > 0 and measured["due_s"].is_monotonic_increasing


def test_tables_hold_what_the_summary_holds(run):
    assert list(run.gates.index) == [g["name"] for g in run.summary["gates"]]
    assert run.levels["rpm"].tolist() == [level["rpm"] for level in run.summary["throughput"]["levels"]]
    e2e = run.summary["latency_ms"]["e2e"]
    assert run.latency.loc["e2e", "p95"] == e2e["p95"]
    assert run.latency.isna().to_numpy().sum() == sum(
        run.summary["latency_ms"][m][p] is None for m in run.latency.index for p in run.latency.columns
    )
    assert run.phases.loc[run.phases.index[0], "latency_ms.e2e.n"] > 0
    assert run.verdict in repr(run)


def test_answers_and_steps_of_time(run):
    assert {"answer", "task", "score.value", "score.passed"} <= set(run.answers.columns)
    steps = run.over_time(5)
    assert steps["planned"].sum() == len(run.requests)
    assert (steps.index % 5 == 0).all() and steps["quality"].dropna().between(0, 1).all()


def test_no_run_is_one_clear_message(tmp_path):
    with pytest.raises(InputError, match=r"no finished run .*summary\.json"):
        mmload.load_run(tmp_path)
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        mmload.load_run(tmp_path)


def test_importing_mmload_loads_nothing_else():
    code = "import sys, mmload; print(sorted(m for m in sys.modules if m.split('.')[0] in "
    code += "('pandas', 'numpy', 'pyarrow') or m.startswith('mmload.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert Path(mmload.__file__).name == "__init__.py"
    with pytest.raises(AttributeError, match="no attribute 'load_runs'"):
        _ = mmload.load_runs
