"""The report as a reader meets it: real Chromium, desk and phone, light and dark, with and without script."""

import dataclasses

import pytest

from mmload.report import html
from mmload.report.charts import EVERY
from mmload.report.charts.quality import MOST_SLICES

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_report_in_a_browser(browser, run_dir, measured, size, dark):
    found = browser(run_dir / "report.html", dark=dark, **SIZES[size])
    assert found["console"] == found["errors"] == found["requests"] == []
    assert found["violations"] == []
    assert found["h1"] == "No-go" and found["firstScreen"]
    assert len(found["headlines"]) == 4
    charts = [make(measured).key for make in EVERY]
    assert found["plots"] and set(found["plots"]) == set(charts)
    assert {f"{key}-table" for key in charts} <= set(found["tables"])
    assert found["overflow"] <= 0 and found["beyond"] == []
    assert found["unnamed"] == found["ids"] == found["images"] == 0
    assert "planned" in found["tip"] or "rpm" in found["tip"]
    assert found["background"] == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_a_report_whose_gates_all_hold_is_as_sound(browser, tmp_path, measured):
    gates = [dict(g, verdict="pass") for g in measured.figures["gates"]]
    figures = {**measured.figures, "gates": gates, "verdict": "go"}
    (tmp_path / "go.html").write_text(html.page(dataclasses.replace(measured, figures=figures)))
    found = browser(tmp_path / "go.html", **SIZES["phone"])
    assert found["h1"] == "Go" and found["violations"] == found["errors"] == found["beyond"] == []


def test_the_report_is_complete_without_script(browser, run_dir, measured):
    text = browser(run_dir / "report.html", script=False)["text"]
    for part in ("No-go", "Requests per minute at quality", "Can this run be trusted?", "Request 900"):
        assert part in text
    for gate in measured.figures["gates"]:
        assert gate["reason"] in text


def test_the_script_filters_sorts_and_magnifies(browser, run_dir):
    acts = browser(run_dir / "report.html", act=True, axe=False)["acts"]
    assert acts["filtered"] == ["task"] and acts["before"] > 3
    assert acts["sorted"] == "descending" and acts["down"][0] == "model" and acts["down"][-1] == "validate"
    assert acts["up"] == acts["down"][::-1]
    assert acts["wider"] > 2 and acts["page"] <= 0 and acts["after"] == 1


def test_a_kind_of_slices_chosen_by_keyboard_stands_in_plot_and_table(browser, tmp_path, measured):
    extra = [
        {"by": "lang", "value": f"l{n}", "n": 90, "n_scored": 80, "quality": 0.97, "low": 0.95, "high": 0.99}
        for n in range(19)
    ]
    bare = [{"by": "device", "value": v, "n": 3, "n_scored": 0, "quality": None} for v in ("phone", "desk")]
    rows = [*measured.series["slices"], *extra, *bare]
    series = {**measured.series, "slices": rows}
    (tmp_path / "slices.html").write_text(html.page(dataclasses.replace(measured, series=series)))
    down = ["ArrowDown"] * 6
    for name, size in SIZES.items():
        found = browser(tmp_path / "slices.html", slices=[*down, "Home"], axe=name == "desk", **size)
        assert found["console"] == found["errors"] == found["beyond"] == []
        assert found.get("violations", []) == []
        whole, task, *_, variant, lang, device, again = found["slices"]
        assert whole["chosen"] == "all slices" and len(whole["plotted"]) == MOST_SLICES and whole["note"] == 1
        assert task["plotted"] == ["task · extract", "task · ui", "task · chart"]
        assert task["table"] == 3 and task["status"] == f"3 of {len(rows)}" and task["note"] == 0
        assert task["desc"].count("task · ") == 3 and "task · ui 9" in task["desc"]
        assert variant["plotted"] == ["variant · clean", "variant · jpeg@3"]
        assert lang["plotted"] == [f"lang · l{n}" for n in range(19)] and lang["table"] == 19
        assert not device["drawn"] and "none of them scored" in device["status"] and device["table"] == 2
        assert all(state["inside"] for state in (whole, task, variant, lang, again))
        assert again == whole


def test_a_drag_or_a_chosen_phase_narrows_every_plot_over_time(browser, run_dir):
    found = browser(run_dir / "report.html", zoom=True, axe=False)
    assert found["console"] == found["errors"] == []
    zoomed = found["zoomed"]
    assert zoomed["before"]["plots"] >= 6 and zoomed["before"]["shares"] == pytest.approx([1, 1])
    low, high = zoomed["dragged"]["shares"]
    assert low > 0.15 and high - low < 1e-3 and high < 0.25
    assert zoomed["dragged"]["ticks"] != zoomed["before"]["ticks"] and " to " in zoomed["dragged"]["chosen"]
    assert zoomed["phase"]["shares"] == pytest.approx([40 / 180] * 2, abs=1e-3)
    assert zoomed["phase"]["chosen"] == "base-1" and zoomed["phase"]["ticks"][0] == "0:20"
    assert zoomed["after"] == zoomed["before"]


def test_on_paper_every_plot_and_table_is_there_and_nothing_is_lost_at_the_side(browser, run_dir, measured):
    found = browser(run_dir / "report.html", axe=False, print=True, dark=True, width=794, height=1123)
    assert set(found["plots"]) >= {make(measured).key for make in EVERY}
    assert found["overflow"] <= 0 and found["beyond"] == []
    assert found["background"] == "rgb(255, 255, 255)"
