import dataclasses
import itertools
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mmload.report import ci, junit, markdown, terminal
from tests.report import golden

HOSTILE = "]]> <script>alert(1)</script> | \x1b[31m\x00 @everyone \ud800 &amp; **bold**"


def changed(measured, **parts):
    return dataclasses.replace(measured, figures={**measured.figures, **parts})


def test_markdown_is_what_a_reviewer_sees(measured):
    golden.check("report.md", markdown.render(measured))


def test_every_row_of_every_markdown_table_has_as_many_cells_as_its_head(measured):
    widths = []
    for line in markdown.render(measured).splitlines():
        widths.append(line.replace("\\|", "").count("|") if line.startswith("|") else None)
    for one, two in itertools.pairwise(widths):
        assert one is None or two is None or one == two


def test_hostile_text_takes_no_effect_in_markdown(measured):
    gates = [dict(g, reason=HOSTILE) for g in measured.figures["gates"]]
    text = markdown.render(changed(measured, gates=gates))
    assert "<script>" not in text and "\x1b" not in text and "@everyone" not in text


def test_junit_has_one_case_per_gate_and_one_for_validity(measured):
    golden.check("junit.xml", junit.render(measured))
    suite = ElementTree.fromstring(junit.render(measured)).find("testsuite")
    assert len(suite.findall("testcase")) == len(measured.figures["gates"]) + 1
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))


def test_an_inconclusive_gate_is_a_failure_of_its_own_type_in_junit(measured):
    root = ElementTree.fromstring(junit.render(measured))
    types = [failure.get("type") for failure in root.iter("failure")]
    assert types.count("inconclusive") == 2 and types.count("fail") == 2


def test_an_invalid_run_is_an_error_of_the_generator_and_not_of_the_target(measured):
    validity = {**measured.figures["validity"], "valid": False, "reasons": [HOSTILE]}
    root = ElementTree.fromstring(
        junit.render(changed(measured, validity=validity, gates=[], verdict="invalid"))
    )
    assert root.get("errors") == "1" and root.get("failures") == "0"
    assert root.find("testsuite/testcase/error").get("type") == "invalid"


def test_a_passing_gate_has_no_failure(measured):
    passing = [g for g in measured.figures["gates"] if g["verdict"] == "pass"]
    root = ElementTree.fromstring(junit.render(changed(measured, gates=passing, verdict="go")))
    assert root.get("failures") == "0" and not list(root.iter("failure"))


def published(measured, tmp_path, **environ):
    summary, output = tmp_path / "summary", tmp_path / "output"
    (tmp_path / "report.md").write_text(markdown.render(measured))
    names = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    lines = ci.publish(
        tmp_path, measured.figures, measured.profile, names | environ, "traffic_profiles/burst.toml"
    )
    return lines, summary, output


def test_github_gets_the_summary_the_outputs_and_one_annotation_per_gate_that_did_not_pass(
    measured, tmp_path
):
    lines, summary, output = published(measured, tmp_path, GITHUB_ACTIONS="true")
    golden.check("github.txt", "\n".join(lines) + "\n" + output.read_text())
    assert summary.read_text() == markdown.render(measured)


def test_nothing_is_published_where_nobody_asked(measured, tmp_path):
    lines, summary, output = published(measured, tmp_path)
    assert lines == [] and not summary.exists() and not output.exists()


def test_an_annotation_cannot_be_broken_out_of(measured):
    gates = [dict(g, verdict="fail", reason="a\n::error::b\r%0A") for g in measured.figures["gates"]]
    for line in ci.workflow_commands(changed(measured, gates=gates), "a:b,c.toml"):
        assert "\n" not in line and "\r" not in line and line.startswith("::error file=a%3Ab%2Cc.toml,title=")
        assert line.endswith("a%0A::error::b%0D%250A")


def test_a_summary_that_is_too_long_for_a_step_keeps_its_beginning(measured, tmp_path):
    (tmp_path / "report.md").write_text("# Verdict\n" + "é" * 3_000_000)
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    ci.publish(tmp_path, measured.figures, measured.profile, environ)
    text = (tmp_path / "summary").read_bytes()
    assert len(text) <= markdown.STEP_SUMMARY_LIMIT and text.startswith(b"# Verdict\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_end_of_a_run_in_a_terminal(measured, width):
    text = terminal.conclusion(measured.figures, measured.profile, Path("reports/burst"), width)
    golden.check(f"conclusion-{width}.txt", text + "\n")
    assert all(len(line) <= width for line in text.splitlines())
