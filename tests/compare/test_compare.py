"""Run folders in, one answer out: who survives, who ranks first, who may not be compared at all."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from synthetic import Stretch, synthetic_run

from mmload.cli import run_program
from mmload.compare import compare, exit_code, read_candidate
from mmload.compare.fallbacks import DoingWithout, Fallback
from mmload.launch.finish import finish
from mmload.model import InputError
from mmload.summary import RunReader
from tests.compare.made import candidate, rows

GATES = {"quality_min": 0.8, "error_max": 0.05}


def folder(path, quality, seed, e2e_ms=800.0, **overrides):
    """A finished run folder of 600 requests."""
    stretch = Stretch("load", 600, 60, quality=quality, e2e_ms=e2e_ms)
    run = synthetic_run(path, (stretch,), seed=seed, **({"gates": GATES} | overrides))
    finish(path, {}, reader=RunReader(path, lambda _: run.items))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    at = tmp_path_factory.mktemp("runs")
    free = {"cost": {"models": {}, "as_of": "2026-11-01"}}
    return {
        "good": folder(at / "good", 0.96, 1),
        "fair": folder(at / "fair", 0.90, 2),
        "poor": folder(at / "poor", 0.60, 3, e2e_ms=1.0, **free),
    }


@pytest.fixture(scope="module")
def read(runs):
    return {name: read_candidate(path) for name, path in runs.items()}


def test_a_failing_candidate_made_free_and_instant_never_ranks(read):
    poor = read["poor"]
    figures = json.loads(json.dumps(poor.figures))
    figures["cost"] |= {"per_query_usd": 0.0, "per_good_query_usd": 0.0, "total_usd": 0.0}
    for name in ("p50", "p90", "p95", "p99", "max"):
        figures["latency_ms"]["e2e"][name] = 0.001
    figures["throughput"] |= {"over_slo_ratio": 0.0, "good_rpm": 1e9}
    free = replace(poor, figures=figures)
    found = compare([read["good"], read["fair"], free])
    by = {c["name"]: c for c in found["candidates"]}
    assert by["poor"]["rank"] is None and by["poor"]["failed_gates"] == ["quality_min"]
    assert not by["poor"]["pareto"] and by["poor"]["rank_score"] is None
    assert (by["good"]["rank"], by["fair"]["rank"]) == (1, 2)
    assert exit_code(found) == 0


def test_nobody_survives_is_3_and_too_few_to_say_is_4(read):
    strict = {n: c.profile.model_copy(update={"gates": c.profile.gates.model_copy(
        update={"quality_min": limit})}) for n, c, limit in (
            ("fails", read["good"], 0.999), ("open", read["good"], 0.955))}  # fmt: skip
    for name, code in (("fails", 3), ("open", 4)):
        pair = [replace(read["good"], profile=strict[name]), read["fair"]]
        if name == "open":
            pair[1] = replace(read["good"], name="again", profile=strict[name])
        assert exit_code(compare(pair)) == code


def test_all_are_held_against_the_gates_of_the_baseline(read):
    found = compare([read["good"], read["fair"]], "fair")
    assert found["baseline"] == "fair"
    assert {g["name"] for g in found["gates"]} == set(GATES)
    assert all(set(g["by_candidate"]) == {"good", "fair"} for g in found["gates"])


def test_the_limits_of_the_matrix_count_if_asked_for(read):
    found = compare([read["good"], read["fair"]], gates_of_matrix=True)
    assert len(found["gates"]) > len(GATES)
    assert all(c["verdict"] != "go" for c in found["candidates"])


def bars(prior, rules, triage):
    """What one would do without, of declared quality, on so many triage items."""
    known = [
        Fallback(name, "declared", np.full(60, share), np.full(60, 1 - share), 0.0, 0.0)
        for name, share in (("prior", prior), ("rules", rules))
    ]
    return DoingWithout(known, (), np.arange(triage), 60)


def test_who_does_not_beat_rules_on_triage_is_out_whatever_the_gates_say(read):
    pair = [read["good"], read["fair"]]
    assert all(c["rank"] for c in compare(pair, without=bars(0.1, 0.3, 60))["candidates"])
    found = compare(pair, without=bars(0.1, 0.94, 60))
    by = {c["name"]: c for c in found["candidates"]}
    assert by["fair"]["verdict"] == "no-go" and by["fair"]["rank"] is None
    assert by["fair"]["failed_gates"] == ["triage_gain_min"] and by["good"]["failed_gates"] == []
    accuracy = found["scorecards"][0]
    assert accuracy["dimension"] == "accuracy" and accuracy["by_candidate"]["fair"] == "fail"
    gate = next(g for g in found["gates"] if g["name"] == "triage_gain_min")
    assert gate["limit"] == 0.01 and gate["by_candidate"]["fair"]["value"] < 0
    # It must beat both: a good table is no excuse for losing to the usual answer.
    assert compare(pair, without=bars(0.94, 0.1, 60))["candidates"][1]["rank"] is None


def test_too_few_triage_items_are_noted_and_decide_only_if_every_limit_is_asked_for(read):
    pair = [read["good"], read["fair"]]
    found = compare(pair, without=bars(0.5, 0.5, 2))
    assert all(c["rank"] for c in found["candidates"])
    assert sum("too few triage items" in note for note in found["notes"]) == 2
    strict = compare(pair, gates_of_matrix=True, without=bars(0.5, 0.5, 2))
    assert any("triage_gain_min" in c["open_gates"] for c in strict["candidates"])


def test_every_result_names_the_matrix_it_was_made_by(read):
    found = compare([read["good"], read["fair"]])
    assert found["matrix"]["version"] == found["matrix_version"]
    assert len(found["matrix_id"]) == 12


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"workload_fingerprint": "6" * 64}, "another workload"),
        ({"matrix_version": "2.0.0"}, "matrix 2.0.0"),
    ],
)
def test_other_work_and_other_major_versions_are_refused(run, message):
    with pytest.raises(InputError, match=message):
        compare([candidate("a", rows(1)), candidate("b", rows(2), **run)])


def test_another_model_of_the_same_work_is_no_other_work(read):
    run = dict(read["fair"].figures["run"]) | {"workload_fingerprint": "6" * 64, "content_fingerprint": "c"}
    mine = dict(read["good"].figures["run"]) | {"content_fingerprint": "c"}
    a = replace(read["good"], figures={**read["good"].figures, "run": mine})
    b = replace(read["fair"], figures={**read["fair"].figures, "run": run})
    assert len(compare([a, b])["candidates"]) == 2


def test_two_of_one_name_are_refused(read):
    with pytest.raises(InputError, match="NAME=RUN"):
        compare([read["good"], read["good"]])


def test_the_verb_writes_its_files_and_refuses_with_one_message_and_exit_code_2(runs, tmp_path, capsys):
    out = tmp_path / "out"
    code = run_program(["compare", str(runs["good"]), f"second={runs['fair']}", "--out", str(out), "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert json.loads(printed.out) == json.loads((out / "compare.json").read_text())
    assert "second" in (out / "compare.html").read_text()
    summary = json.loads((runs["fair"] / "summary.json").read_text())
    summary["run"]["workload_fingerprint"] = "7" * 64
    (tmp_path / "other" / "journal").mkdir(parents=True)
    for name in ("requests.parquet", "journal/run.mmj"):
        (tmp_path / "other" / name).write_bytes((runs["fair"] / name).read_bytes())
    (tmp_path / "other" / "summary.json").write_text(json.dumps(summary))
    assert run_program(["compare", str(runs["good"]), str(tmp_path / "other")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run_program(["compare", str(runs["good"]), str(tmp_path / "nowhere")]) == 2
    assert "no finished run" in capsys.readouterr().err


def test_the_rows_of_a_run_add_up_to_its_bill(runs):
    """By component, to the micro-dollar."""
    figures = json.loads((runs["good"] / "summary.json").read_text())
    table = pq.read_table(runs["good"] / "requests.parquet")
    for part, usd in figures["cost"]["by_component"].items():
        if part != "infrastructure":
            assert sum(table[f"{part}_micro_usd"].to_pylist()) == round(usd * 1e6), part


def test_costs_under_other_prices_are_not_compared_and_the_note_says_how_to_mend_it(read):
    figures = json.loads(json.dumps(read["fair"].figures))
    figures["cost"]["price_snapshot"]["models"]["sim-large"]["input_usd_per_mtok"] = 9.0
    found = compare([read["good"], replace(read["fair"], figures=figures)])
    assert not [d for d in found["differences"] if d["metric"].endswith("usd")]
    assert any("mmload reprice" in note for note in found["notes"])
