import dataclasses

import pytest

from mmload.report import verdicts

PASS = {"rpm": 300.0, "verdict": "pass", "limited_by": None}
FAIL = {"rpm": 900.0, "verdict": "fail", "limited_by": "quality_min"}
OPEN = {"rpm": 900.0, "verdict": "inconclusive", "limited_by": "quality_min"}


def lead(measured, value, limited_by, levels, alone=None):
    throughput = {
        **measured.figures["throughput"],
        "rpm_at_quality": {"value": value, "low": value, "high": None, "limited_by": limited_by},
        "levels": levels,
        "latency_only_rpm": alone,
    }
    figures = {**measured.figures, "throughput": throughput}
    return verdicts.headlines(dataclasses.replace(measured, figures=figures))[0]


@pytest.mark.parametrize(
    ("limited_by", "levels", "said"),
    [
        ("quality_min", [PASS, FAIL], "limited by quality, which gives way at 900 rpm"),
        ("quality_min", [PASS, OPEN], "at 900 rpm the sample cannot settle quality"),
        (None, [PASS], "the highest load tested; nothing gave way"),
        ("no quality gate is set", [PASS, OPEN], "no quality gate is set"),
        ("quality_min", [], "limited by quality"),
    ],
)
def test_what_limited_the_rate_is_said_as_it_was_found(measured, limited_by, levels, said):
    assert lead(measured, 300.0, limited_by, levels).detail == f"at least 300; {said}"


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (300, 300, 900, "300 held, 900 failed"),
        (300, 280, 320, "280 to 320, 95% interval"),
        (300, 300, None, "at least 300"),
        (None, None, 300, "at most 300"),
    ],
)
def test_a_load_that_held_and_one_that_failed_are_no_interval(value, low, high, said):
    assert verdicts._between(value, low, high) == said


def test_an_unknown_rate_has_no_unit(measured):
    headline = lead(measured, None, "quality_min", [FAIL])
    assert (headline.value, headline.unit) == ("–", "")


def test_an_overstated_capacity_is_named(measured):
    assert (
        "by latency alone it would be 900" in lead(measured, 300.0, "quality_min", [PASS, FAIL], 900.0).detail
    )


def test_a_verdict_that_cannot_be_read_is_never_a_go(measured):
    for found in (None, "", "GO", "pass"):
        assert (
            verdicts.word(dataclasses.replace(measured, figures={**measured.figures, "verdict": found}))
            == "invalid"
        )


def test_without_gates_a_valid_run_says_that_nothing_was_asked(measured):
    figures = {**measured.figures, "gates": [], "verdict": "go"}
    assert "sets no gate" in verdicts.sentence(dataclasses.replace(measured, figures=figures))


def test_every_end_but_done_is_told(measured):
    def told(reason, cut=False):
        figures = {**measured.figures, "run": {**measured.figures["run"], "end_reason": reason}}
        info = {**measured.run_info, "cut": cut}
        return verdicts.partial(dataclasses.replace(measured, figures=figures, run_info=info))

    assert told("done") == ""
    assert "cut short" in told("done", cut=True)
    assert "interrupted" in told("interrupted") and "budget" in told("budget") and "melted" in told("melted")
