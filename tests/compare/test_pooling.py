"""Rounds of a candidate as one run: nothing lost, nothing moved against anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Stretch, synthetic_run

from mmload.compare.driving import Contender, _same_work, rotated
from mmload.compare.pooling import _Shift, pool
from mmload.launch.finish import finish
from mmload.model import InputError, Record
from mmload.profile import Profile
from mmload.summary import RunReader

STRETCHES = (Stretch("warm", 120, 5, warmup=True), Stretch("load", 300, 21.5, quality=0.8))


def read(path, items):
    reader = RunReader(path, lambda _: items)
    reader.poll()
    return reader


def test_two_rounds_are_one_run_of_twice_as_many_requests(tmp_path):
    runs = [synthetic_run(tmp_path / str(k), STRETCHES, seed=k) for k in (1, 2)]
    pool([r.dir for r in runs], tmp_path / "both")
    items = runs[0].items
    parts, whole = [read(r.dir, items) for r in runs], read(tmp_path / "both", items)
    done = [
        finish(p, {}, reader=read(p, items), brief=True).figures
        for p in (*(r.dir for r in runs), tmp_path / "both")
    ]
    for key in ("planned", "ok", "failed", "shed", "not_sent", "attempts"):
        assert done[2]["counts"][key] == done[0]["counts"][key] + done[1]["counts"][key]
    assert done[2]["quality"]["n_scored"] == done[0]["quality"]["n_scored"] + done[1]["quality"]["n_scored"]
    models = [f["cost"]["by_component"]["model"] for f in done]
    assert round(models[2] * 1e6) == round(models[0] * 1e6) + round(models[1] * 1e6)
    assert whole.end is not None and done[2]["validity"]["valid"]
    assert [p.group for p in whole.plan.phases] == ["warm", "load"] * 2
    assert [p.replicate for p in whole.plan.phases] == [0, 0, 1, 1]
    merged = parts[0].summary.latency["e2e", 1]
    merged.merge(parts[1].summary.latency["e2e", 1])
    both = whole.summary.latency["e2e", 1]
    both.merge(whole.summary.latency["e2e", 3])
    assert both == merged


def test_a_round_that_was_cut_leaves_the_whole_without_its_end(tmp_path):
    whole = synthetic_run(tmp_path / "a", STRETCHES, seed=1)
    cut = synthetic_run(tmp_path / "b", STRETCHES, seed=2, end_reason=None)
    pool([whole.dir, cut.dir], tmp_path / "both")
    assert read(tmp_path / "both", whole.items).end is None


@given(st.integers(2, 5), st.integers(1, 20))
def test_each_candidate_runs_once_a_round_and_is_first_as_often_as_any(n, rounds):
    names = [f"c{k}" for k in range(n)]
    turns = rotated(names, rounds)
    assert all(sorted(turn) == names for turn in turns)
    firsts = [sum(turn[0] == name for turn in turns) for name in names]
    assert max(firsts) - min(firsts) <= 1


def test_two_candidates_take_turns():
    assert rotated(["a", "b"], 4) == [["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]]
    assert json.dumps(rotated(["a", "b", "c"], 4)[3]) == '["a", "c", "b"]'


def test_another_model_is_the_same_work_and_another_rate_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLOAD_CACHE", str(tmp_path))

    def contender(name, rpm=60, **target):
        return Contender(
            name,
            Profile.model_validate(
                {
                    "name": "p",
                    "target": {"engine": "sim"} | target,
                    "phase": [{"name": "a", "shape": "sustained", "duration_s": 5, "rpm": rpm}],
                    "mix": {
                        "items": 4,
                        "tasks": {"triage": 1.0},
                        "images": {"s": {"width": 256, "height": 256, "weight": 1.0}},
                        "prompt_tokens": {"64": 1.0},
                    },
                }
            ),
        )

    one = contender("one")
    _same_work([one, contender("two", model="other"), contender("three", retries=2)], tmp_path)
    for other in (contender("faster", rpm=90), contender("streamed", streaming=1.0)):
        with pytest.raises(InputError, match=f"--candidate {other.name}"):
            _same_work([one, other], tmp_path)


def test_every_time_of_a_record_moves_with_its_round():
    made = Record(*([1] * len(Record._fields)))
    moved = _Shift(10, 2, 1000).record(made)
    assert (moved.seq, moved.phase) == (11, 3)
    times = [name for name in Record._fields if name.endswith("_ns")]
    assert "began_ns" in times and all(getattr(moved, name) == 1001 for name in times)
    assert _Shift(10, 2, 1000).record(made._replace(began_ns=None)).began_ns is None
