"""Scorecard, owners of failures, answering models and reviews, as a reader meets them."""

import pytest
from synthetic import Stretch, synthetic_run

from mmload.launch.finish import finish
from mmload.report.comparing import comparison_text, write_comparison
from mmload.summary import RunReader
from tests.report.sample_pages import comparison

SIZES = {"phone": (390, 844, False), "desk": (1280, 900, True)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    at = tmp_path_factory.mktemp("scorecard")
    stretches = (
        Stretch("calm", 120, 30, quality=0.99, warmup=True, repeats=2),
        Stretch("load", 600, 30, quality=0.7, fail=0.03, shed=0.02),
    )
    run = synthetic_run(at, stretches, quality={"baseline": "calm"})
    rows = [f"{s.seq},{'right' if k % 9 else 'wrong'}" for k, s in enumerate(run.scores[:90])]
    (at / "reviews.csv").write_text("seq,verdict\n" + "\n".join(rows))
    finish(at, {}, reader=RunReader(at, lambda _: run.items))
    return at


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_both_reports_tell_scorecard_matrix_owners_and_models(folder, name):
    text = (folder / name).read_text()
    for part in (
        "Scorecard",
        "dimensions pass",
        "Matrix 1.",
        "Whose failures",
        "admission: shed",
        "sim-large",
    ):
        assert part in text, part


def test_the_page_tells_the_paired_baseline_its_test_and_its_noise(folder):
    text = (folder / "report.html").read_text()
    for part in ("(McNemar)", "clustered bootstrap", "noise floor", "People overrule the scorers", "kappa"):
        assert part in text, part


@pytest.mark.parametrize("size", SIZES)
def test_the_page_with_a_scorecard_is_sound_in_a_browser(browser, folder, size):
    width, height, axe = SIZES[size]
    found = browser(folder / "report.html", width=width, height=height, axe=axe)
    assert found["console"] == found["errors"] == []
    assert found["overflow"] <= 0 and found["beyond"] == []
    assert not axe or found["violations"] == []


def test_the_page_of_a_comparison_is_sound_in_a_browser(browser, tmp_path):
    row = {
        "candidate": "large",
        "fallback": "human",
        "how": "declared",
        "quality_gain": 0.01,
        "verdict": "better",
    }
    more = {
        "scorecards": [{"dimension": "accuracy", "weight": 0.25, "by_candidate": {"large": "pass"}}],
        "fallbacks": {"rows": [row], "notes": []},
    }
    write_comparison(tmp_path, comparison() | more)
    found = browser(tmp_path / "compare.html", width=390, height=844)
    assert found["console"] == found["errors"] == found["violations"] == []
    assert found["overflow"] <= 0


def test_the_terminal_gets_who_ranks_why_others_do_not_and_what_differs(tmp_path):
    found = comparison()
    found["candidates"][0]["open_gates"] = ["e2e_p95_ms"]
    lines = comparison_text(found, tmp_path, 80).splitlines()
    assert all(len(line) <= 80 for line in lines[:-1])
    text = "\n".join(lines)
    assert "small fails quality" in text and "large: too few samples for e2e p95" in text
    assert "small is worse than large in quality: −8.4 points (−10.3 points to −6.5 points)" in text
    table = [line for line in lines if line.startswith(("large", "small")) and "$" in line]
    assert len({line.rindex("$") > 40 for line in table}) == 1


def test_hostile_names_do_nothing_to_a_terminal(tmp_path):
    found = comparison()
    found["candidates"][0]["name"] = "\x1b[2Jevil"
    assert "\x1b" not in comparison_text(found, tmp_path, 80)
