"""Which findings of a run fail a job, and the options that are refused before anything is sent."""

import pytest

from mmload.cli._ci import chosen, exit_code, keep_baseline
from mmload.model import InputError

from .conftest import Run


def figures(verdict: str, **gates: str) -> dict:
    rows = [{"name": name, "verdict": found} for name, found in gates.items()]
    return {"verdict": verdict, "gates": rows, "validity": {"valid": verdict != "invalid"}}


CASES = [
    (figures("go", quality_min="pass"), "", 0),
    (figures("no-go", quality_min="fail"), "", 3),
    (figures("inconclusive", quality_min="inconclusive"), "", 4),
    (figures("invalid", quality_min="pass"), "", 5),
    (figures("no-go", quality_min="fail"), "inconclusive", 0),
    (figures("no-go", quality_min="fail"), "quality_min", 3),
    (figures("no-go", quality_min="fail"), "error_max", 0),
    (figures("no-go", quality_min="fail", error_max="inconclusive"), "error_max,inconclusive", 4),
    (figures("inconclusive", quality_min="inconclusive"), "no-go", 0),
    (figures("inconclusive", quality_min="inconclusive"), "no-go,inconclusive", 4),
    (figures("no-go", e2e_p95_ms="pass", e2e_p95_ms_regression="fail"), "regression", 3),
    (figures("no-go", e2e_p95_ms="fail", e2e_p95_ms_regression="pass"), "regression", 0),
    (figures("invalid", quality_min="fail"), "quality_min", 5),
    (figures("invalid", quality_min="fail"), "never", 0),
    (figures("no-go", quality_min="fail"), "never", 0),
]


@pytest.mark.parametrize(("found", "words", "code"), CASES)
def test_fail_on_chooses_the_exit_code(found: dict, words: str, code: int) -> None:
    assert exit_code(found, chosen([words])) == code


def test_a_word_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match='did you mean "quality_min"'):
        chosen(["no-go", "qualty_min"])
    with pytest.raises(InputError, match="stands alone"):
        chosen(["never,no-go"])


def test_no_baseline_is_made_of_an_invalid_run(tmp_path) -> None:
    said = keep_baseline(tmp_path / "b.json", figures("invalid"))
    assert "not valid" in said and not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-on", "all"], "--fail-on all"),
        (["--baseline", "nowhere.json"], "nowhere.json"),
        (["--pushgateway", "127.0.0.1:9091"], "--pushgateway"),
        (["--pushgateway", "http://me:secret@127.0.0.1:9091"], "no name or password"),
        (["--pushgateway", "http://127.0.0.1:99999"], "--pushgateway http://127.0.0.1:99999"),
        (["--otlp", "http://[::1"], "--otlp http://[::1"),
        (["--otlp", "collector"], "--otlp"),
        (["--otlp", "http://me:secret@127.0.0.1:4318"], "no name or password"),
        (["--events", "nowhere/events.jsonl"], "--events"),
    ],
)
def test_options_that_cannot_be_are_bad_input_before_anything_is_sent(
    mmload: Run, small, tmp_path, monkeypatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mmload("run", small, "--out", tmp_path / "run", *options)
    assert ended.code == 2 and said in ended.err and "secret" not in ended.err
    assert "Traceback" not in ended.err and not (tmp_path / "run").exists()
