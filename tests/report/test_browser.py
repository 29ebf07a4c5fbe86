"""The report as a reader meets it: real Chromium, desk and phone, light and dark, with and without script."""

import pytest

from mmload.report.charts import EVERY

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


def test_the_report_is_complete_without_script(browser, run_dir, measured):
    text = browser(run_dir / "report.html", script=False)["text"]
    for part in ("No-go", "Requests per minute at quality", "Can this run be trusted?", "Request 900"):
        assert part in text
    for gate in measured.figures["gates"]:
        assert gate["reason"] in text
