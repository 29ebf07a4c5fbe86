import dataclasses
import itertools
from xml.etree import ElementTree

from mmload.report import junit, markdown
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
