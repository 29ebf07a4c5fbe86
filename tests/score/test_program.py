from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.score.program import Report, inspect
from mmload.score.selectors import select


def node(
    key: str, role: str, text: str, value: str = "", enabled: bool = True, row: str = ""
) -> dict[str, Any]:
    return {"id": key, "role": role, "text": text, "value": value, "enabled": enabled, "row": row}


SCREEN = [
    node("w1", "textbox", "Contact name", "Ada"),
    node("w2", "combobox", "Region", "North"),
    node("w3", "switch", "Weekly digest", "off"),
    node("w4", "button", "Cancel"),
    node("w5", "button", "Save"),
    node("w6", "button", "Edit", row="ORD-1"),
    node("w7", "button", "Edit", row="ORD-2"),
    node("w8", "button", "Archive", enabled=False),
]
OPTIONS = {"w2": ["North", "South"]}


def walk(code: str) -> Report:
    return inspect(code, SCREEN, OPTIONS, "Save")


GOAL = {"w1": "Bo", "w2": "South", "w3": "on"}


IDIOMS = (
    """
page.get_by_label("Contact name").fill("Bo")
page.get_by_label("Region").select_option("South")
page.get_by_label("Weekly digest").check()
page.get_by_role("button", name="Save").click()
""",
    """
page.fill("#w1", "Bo")
page.select_option("[aria-label='Region']", label="South")
page.locator("role=switch[name='Weekly digest']").click()
page.click("text=Save")
""",
    """
from playwright.sync_api import sync_playwright, expect

def run(page):
    box = page.locator("input#w1")
    box.fill("Bo")
    page.locator("select").select_option("South")
    page.get_by_role("checkbox", name="digest").set_checked(True)
    expect(box).to_have_value("Bo")
    page.get_by_text("Save", exact=True).click()

run(page)
""",
    """
def steps(page):
    page.get_by_label("Contact").fill("Bo")
    page.get_by_label("Region").select_option("South")
    page.get_by_label("Weekly").check()
    page.locator("button", has_text="Save").click()
""",
)


@pytest.mark.parametrize("code", IDIOMS)
def test_right_steps_in_any_idiom_reach_the_goal(code: str) -> None:
    report = walk(code)
    assert report.parsed and report.apis_known and report.selectors_resolve, report.claims
    assert report.saved and report.state == GOAL and not report.wandered and not report.forbidden


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ('page.get_by_label("Contact name").fill_in("Bo")', "api"),
        ('page.tap_button("Save")', "api"),
        ('page.click("text=Save", magic=True)', "api"),
        ('page.get_by_label("Phone").fill("1")', "selector"),
        ('page.get_by_text("Edit").click()', "selector"),
        ('page.get_by_text("Archive").click()', "selector"),
        ('page.locator("div > p:nth-child(2)").click()', "selector"),
        ("import selenium\n", "import"),
        ('browser.find("x")', "name"),
    ],
)
def test_what_does_not_exist_is_a_code_hallucination(code: str, kind: str) -> None:
    assert (kind, False) in {(k, true) for k, true, _ in walk(code).claims}


def test_a_syntax_error_is_not_parsed_and_nothing_else_is_claimed() -> None:
    report = walk("page.click('text=Save'")
    assert not report.parsed and not report.claims


def test_a_row_tells_two_equal_buttons_apart() -> None:
    for code in (
        "page.locator(\"tr:has-text('ORD-2') button\").click()",
        'page.get_by_role("row", name="ORD-2").get_by_role("button", name="Edit").click()',
        "page.locator(\"[data-row='ORD-2'] button\").click()",
    ):
        assert walk(code).selectors_resolve, code


def test_wrong_values_and_unsaved_changes_do_not_reach_the_goal() -> None:
    assert not walk('page.fill("#w1", "Bo")').saved
    assert walk('page.fill("#w1", "Bo")').wandered
    assert walk('page.click("text=Save")\npage.fill("#w1", "Bo")').wandered
    assert walk('page.click("text=Cancel")\npage.click("text=Save")').wandered
    assert walk('page.select_option("#w2", "West")\npage.click("text=Save")').state == {
        "w1": "Ada",
        "w2": "North",
        "w3": "off",
    }


def test_nothing_is_executed(tmp_path: Any) -> None:
    target = tmp_path / "made"
    walk(f"open({str(target)!r}, 'w').write('x')\nimport os\nos.mkdir({str(target)!r})")
    assert not target.exists()


def test_loops_and_recursion_end() -> None:
    assert walk("def f(page):\n    f(page)\n\nf(page)").wandered
    assert walk("while True:\n    page.click('text=Save')").wandered


def test_selectors_outside_the_subset_are_unknown_not_wrong() -> None:
    assert select(SCREEN, "div > span") is None and select(SCREEN, "button:nth-child(1)") is None
    assert [n["id"] for n in select(SCREEN, "button") or []] == ["w4", "w5", "w6", "w7", "w8"]
    assert select(SCREEN, "#nope") == []


@given(st.text(max_size=200))
def test_any_text_is_walked_without_raising(code: str) -> None:
    assert isinstance(walk(code), Report)


_words = st.sampled_from(
    [
        "page",
        ".",
        "locator",
        "(",
        ")",
        "'#w1'",
        "fill",
        "click",
        "=",
        "x",
        "\n",
        "def f(page):",
        "  ",
        "expect",
        "[0]",
        ",",
        "with",
        "as",
        ":",
        "lambda",
        "*",
        "**{}",
    ]
)


@given(st.lists(_words, max_size=25).map("".join))
def test_anything_like_code_is_walked_without_raising(code: str) -> None:
    assert isinstance(walk(code), Report)


@given(st.text(max_size=80))
def test_any_selector_is_answered(selector: str) -> None:
    found = select(SCREEN, selector)
    assert found is None or all(n in SCREEN for n in found)


def test_what_a_compiler_warns_of_in_an_answer_is_not_printed() -> None:
    code = '1(2)\nx = "\\d"'
    script = f"from mmload.score.program import inspect; print(inspect({code!r}, [], {{}}, 'Save').parsed)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")
