import json

import pytest

from mmload.report import comparing, pages
from tests.report import sample_pages

HOSTILE = '"><script>alert(1)</script>\x1b[2J'


def everywhere(value, text):
    """The same data with every string that is not a key or a known word replaced."""
    if isinstance(value, dict):
        keep = {"verdict", "metric", "limited_by", "baseline"}
        return {k: v if k in keep else everywhere(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [everywhere(v, text) for v in value]
    return text if isinstance(value, str) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    pages.write_capacity(folder, sample_pages.capacity())
    comparing.write_comparison(folder, sample_pages.comparison())
    return folder


def test_the_capacity_page_sets_the_answer_beside_what_latency_alone_would_have_said(folder):
    text = (folder / "capacity.html").read_text()
    for part in (">195<", "187 to 206 with 95% confidence", "quality gives way first", "356", "1.8 times"):
        assert part in text
    assert sorted(p.stem for p in (folder / "plots").glob("capacity-*.svg")) == [
        "capacity-e2e-p95-ms",
        "capacity-error-ratio",
        "capacity-per-good-query-usd",
        "capacity-quality",
        "capacity-scalability",
    ]
    assert "<b>Go.</b>" in text
    assert "Quality is lower coming down than going up, by 1 to 9 points." in text
    short = (folder / "capacity.md").read_text()
    assert short.startswith("# capacity: 195 rpm at quality") and "| coming down | 195 | 87% |" in short


def test_a_candidate_that_fails_a_gate_has_no_rank_however_cheap_it_is(folder):
    text = (folder / "compare.html").read_text()
    assert "large-cached ranks first of 2. It stays first under 93% of other weights." in text
    assert "Not ranked: small fails a gate." in text
    assert text.index(">large-cached<") < text.index(">large<") < text.index(">small<")


def test_who_is_not_ranked_is_told_with_the_reason():
    found = sample_pages.comparison()
    few = [
        c | {"verdict": "inconclusive", "rank": None} if c["name"] == "small" else c
        for c in found["candidates"]
    ]
    more = [*few, *({"name": name, "verdict": "no-go", "rank": None} for name in ("a", "b"))]
    text = comparing.comparison_page(found | {"candidates": more})
    assert "Not ranked: small has too few samples to say; a, b: each fails a gate." in text


def test_a_comparison_that_was_refused_says_why():
    refused = sample_pages.comparison() | {"refused": "their workload fingerprints differ", "candidates": []}
    assert "may not be compared: their workload fingerprints differ" in comparing.comparison_page(refused)


@pytest.mark.parametrize("page", [pages.capacity_page, comparing.comparison_page])
def test_a_page_without_data_claims_nothing(page):
    text = page({})
    body = text[text.index("<main") :]
    assert ">0<" not in body and "$0" not in body and "–" in body


@pytest.mark.parametrize("name", ["capacity", "comparison"])
def test_hostile_text_takes_no_effect(name):
    data = json.loads(json.dumps(everywhere(getattr(sample_pages, name)(), HOSTILE)))
    text = {"capacity": pages.capacity_page, "comparison": comparing.comparison_page}[name](data)
    assert text.count("<script>") == 1 and "\x1b" not in text


@pytest.mark.parametrize("name", ["capacity.html", "compare.html"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_in_a_browser(browser, folder, name, width):
    found = browser(folder / name, width=width, height=844, dark=width == 390)
    assert (
        found["console"]
        == found["errors"]
        == found["requests"]
        == found["violations"]
        == found["beyond"]
        == []
    )
    assert found["overflow"] <= 0 and found["unnamed"] == found["ids"] == 0
    assert len(found["plots"]) >= 3 and found["h1"]
