"""A baseline: written from figures, read again, and what counts as worse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload import baseline
from mmload.model import CheckVerdict, InputError
from mmload.summary.evidence import GATES, Evidence

UPPER, LOWER = "e2e_p95_ms", "quality_min"


def figures(**evidence):
    run = {
        "id": "r-1",
        "profile": "burst",
        "target": "sim",
        "workload_fingerprint": "abc",
        "matrix_version": "1.0.0",
        "mmload_version": "0.1.0",
        "started_at": "2026-11-25T12:00:00Z",
    }
    return {"run": run, "evidence": {name: e.as_dict() for name, e in evidence.items()}}


def saved(tmp_path, found):
    path = tmp_path / "baseline.json"
    path.write_text(baseline.made_from(found))
    return baseline.read(path)


def evidence(low, value, high):
    return Evidence(value, low, high, 500)


def check(tmp_path, name, then, now):
    (one,) = baseline.regressions(
        figures(**{name: now}), saved(tmp_path, figures(**{name: then})), {name: 1.0, "error_max": None}
    )
    assert one.name == f"{name}_regression" and one.dimension == GATES[name].dimension
    return one


@pytest.mark.parametrize(
    ("name", "then", "now", "verdict"),
    [
        (UPPER, (90, 100, 110), (111, 120, 130), "fail"),
        (UPPER, (90, 100, 110), (109, 120, 130), "pass"),
        (UPPER, (90, 100, 110), (50, 60, 70), "pass"),
        (LOWER, (0.90, 0.93, 0.95), (0.80, 0.85, 0.89), "fail"),
        (LOWER, (0.90, 0.93, 0.95), (0.80, 0.88, 0.91), "pass"),
        (LOWER, (0.90, 0.93, 0.95), (0.96, 0.97, 0.98), "pass"),
        ("safety_violations_max", (0, 0, 0), (1, 1, 1), "fail"),
        ("rpm_at_quality_min", (900, 900, None), (700, 700, None), "fail"),
    ],
)
def test_only_what_is_worse_for_certain_fails(tmp_path, name, then, now, verdict):
    assert check(tmp_path, name, evidence(*then), evidence(*now)).verdict.value == verdict


def test_what_was_not_measured_now_is_inconclusive(tmp_path):
    one = check(tmp_path, LOWER, evidence(0.9, 0.93, 0.95), Evidence(None, None, None, 0))
    assert one.verdict is CheckVerdict.INCONCLUSIVE and "0.93" in one.reason


bounds = st.lists(st.floats(0.01, 1e4), min_size=3, max_size=3).map(sorted)


@given(bounds, st.sampled_from([UPPER, LOWER]))
def test_a_run_is_never_a_regression_against_itself(tmp_path_factory, found, name):
    same = evidence(*found)
    assert check(tmp_path_factory.mktemp("b"), name, same, same).verdict is CheckVerdict.PASS


@given(bounds, bounds, st.floats(0, 1e3), st.sampled_from([UPPER, LOWER]))
def test_a_worse_figure_never_turns_a_regression_into_a_pass(tmp_path_factory, then, now, by, name):
    folder = tmp_path_factory.mktemp("b")
    worse = [x + by if name == UPPER else x - by for x in now]
    if check(folder, name, evidence(*then), evidence(*now)).verdict is CheckVerdict.FAIL:
        assert check(folder, name, evidence(*then), evidence(*worse)).verdict is CheckVerdict.FAIL


def test_only_gates_of_the_profile_that_the_baseline_knows_are_compared(tmp_path):
    kept = saved(tmp_path, figures(**{UPPER: evidence(90, 100, 110), LOWER: Evidence(None, None, None, 0)}))
    assert set(kept.evidence) == {UPPER}
    found = baseline.regressions(figures(**{LOWER: evidence(1, 1, 1)}), kept, {LOWER: 0.5, UPPER: None})
    assert found == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "baseline_version is None"),
        ('{"baseline_version": 2}', "allowed is 1"),
        ('{"baseline_version": 1}', "no baseline of mmload"),
        (
            '{"baseline_version": 1, "workload_fingerprint": "a", "run_id": "b", "evidence": {"x": 1}}',
            "no baseline",
        ),
    ],
)
def test_a_file_that_is_no_baseline_is_bad_input(tmp_path, text, said):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        baseline.read(path)
    assert str(path) in str(raised.value)


def test_another_workload_is_refused(tmp_path):
    kept = saved(tmp_path, figures(**{UPPER: evidence(1, 2, 3)}))
    baseline.same_work(kept, "abc", tmp_path / "b.json")
    with pytest.raises(InputError, match="another workload"):
        baseline.same_work(kept, "abd", tmp_path / "b.json")


def test_the_file_is_small_and_stable_to_keep_in_a_repository():
    text = baseline.made_from(figures(**{UPPER: evidence(90, 100, 110)}))
    assert text == baseline.made_from(json.loads(json.dumps(figures(**{UPPER: evidence(90, 100, 110)}))))
    assert text.endswith("}\n") and len(text) < 1000
