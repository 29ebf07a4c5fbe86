import base64
import dataclasses
import hashlib
import re
from xml.etree import ElementTree

import pytest

from mmload.report import html
from mmload.report.charts import draw_all
from mmload.report.measured import Measured
from tests.report import sample

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m'


@pytest.fixture(scope="module")
def page(measured):
    return html.page(measured)


def test_the_only_script_that_may_run_is_the_one_whose_hash_the_policy_names(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    )
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


def test_the_page_names_nothing_outside_itself(page):
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    assert "url(" not in page and "@import" not in page


def test_hostile_text_is_shown_and_takes_no_effect(measured):
    figures = {
        **measured.figures,
        "run": {**measured.figures["run"], "profile": HOSTILE, "target": HOSTILE},
        "gates": [dict(g, reason=HOSTILE, dimension=HOSTILE) for g in measured.figures["gates"]],
    }
    series = {
        **measured.series,
        "worst": [
            dict(w, answer=HOSTILE, prompt=HOSTILE, error=HOSTILE, task=HOSTILE)
            for w in measured.series["worst"]
        ],
        "slices": [dict(s, value=HOSTILE) for s in measured.series["slices"]],
        "error_examples": [{"kind": "http_429", "count": 1, "example": HOSTILE}],
    }
    text = html.page(
        dataclasses.replace(measured, figures=figures, series=series, environment={HOSTILE: HOSTILE})
    )
    assert text.count("<script>") == 1 and "<img src=x" not in text and "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_every_plot_is_well_formed_and_says_what_it_shows(measured, page):
    drawings = re.findall(r'<div class="drawing">(.*?)</div>', page, re.DOTALL)
    plots = [svg for d in drawings for svg in re.split(r"(?=<svg [^>]*class=\"plot)", d) if svg]
    assert len(plots) >= 2 * 14
    for plot in plots:
        root = ElementTree.fromstring(plot)
        names = {
            child.tag.split("}")[1]: child.text for child in root if child.tag.endswith(("title", "desc"))
        }
        assert names["title"] and names["desc"] and root.get("role") == "img"
        assert not re.search(r"[\" ,MLhv-](nan|inf)\b", plot)


def test_every_chart_stands_beside_its_table(measured):
    for chart in draw_all(measured).values():
        assert chart.table.rows, chart.key
        assert all(len(row) == len(chart.table.head) for row in chart.table.rows), chart.key


def test_a_run_without_any_figure_still_makes_a_page_that_claims_nothing():
    empty = Measured({}, {}, sample.profile())
    text = html.page(empty)
    assert ("Invalid" in text and "Nothing was scored" in text) or "No answer was scored" in text
    body = text[text.index("<main") :]
    assert not re.search(r">\s*(0|0%|\$0|0 ms|0\.00 ms)\s*<", body)
    assert all(chart.draw is None and chart.absent for chart in draw_all(empty).values())


def test_absent_figures_are_dashes_with_the_reason_beside(measured):
    e2e = {**measured.figures["latency_ms"]["e2e"], "n": 100, "p95": None, "p99": None, "p999": None}
    figures = {**measured.figures, "latency_ms": {**measured.figures["latency_ms"], "e2e": e2e}}
    text = html.page(dataclasses.replace(measured, figures=figures))
    assert "100 of the 130 samples it takes" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("go", "hold"),
        ("inconclusive", "cannot settle"),
        ("invalid", "say nothing about the target"),
        ("no-go", "failed"),
    ],
)
def test_the_verdict_comes_with_its_reason_in_words(measured, verdict, words):
    figures = {
        **measured.figures,
        "verdict": verdict,
        "validity": {**measured.figures["validity"], "reasons": ["a worker was lost"]},
    }
    text = html.page(dataclasses.replace(measured, figures=figures))
    assert words in re.search(r'<h1 id="verdict">.*?</p>', text, re.DOTALL)[0]


def test_a_run_that_was_cut_says_so_before_anything_else(measured):
    text = html.page(dataclasses.replace(measured, run_info={**measured.run_info, "cut": True}))
    assert text.index("cut short") < text.index('<h1 id="verdict"')


def test_each_gate_that_did_not_pass_has_its_page_of_evidence(measured, page):
    for gate in measured.figures["gates"]:
        assert (f'id="gate-{gate["name"]}"' in page) == (gate["verdict"] != "pass")
    cases = re.findall(r'<article class="case" id="request-(\d+)"', page)
    assert len(cases) == len(set(cases)) == page.count("data:image/jpeg;base64,") >= 6


def test_a_picture_outside_the_suite_is_never_read(measured, tmp_path):
    (tmp_path / "secret.png").write_bytes(
        (next((sample_dir(measured) / "images").glob("*.png"))).read_bytes()
    )
    worst = [dict(w, image="../secret.png") for w in measured.series["worst"]]
    (tmp_path / "suite").mkdir()
    info = {**measured.run_info, "suite_dir": str(tmp_path / "suite")}
    text = html.page(dataclasses.replace(measured, series={**measured.series, "worst": worst}, run_info=info))
    assert "data:image/jpeg" not in text and "not at hand" in text


def sample_dir(measured):
    from pathlib import Path

    return Path(measured.run_info["suite_dir"])
