"""Rules over lines of text: what they find, and that they abstain from what they were not given."""

import json
from typing import Any

import pytest

from mmload.serve.ocr import papers
from mmload.serve.ocr.page import Line, Page, nonce
from mmload.serve.ocr.rules import respond
from mmload.tasks.prompts import fill, prompt

Row = tuple[str, float, float]
"""Text, left edge and row number; letters are 10 px wide, rows 30 px high."""


def page(*rows: Row, dark: str = "") -> Page:
    lines = [Line(text, x, 30 * y, x + 10 * len(text), 30 * y + 20) for text, x, y in rows]
    spot = next((line for line in lines if line.text == dark), None)

    def darkness(x0: float, y0: float, x1: float, y1: float) -> float:
        return 0.5 if spot and abs(x1 - spot.x0) < 5 and abs(y0 - spot.y) < 20 else 0.1

    return Page(tuple(lines), True, darkness)


def envelope(prompt: str, *pages: Page) -> dict[str, Any]:
    return dict(json.loads(respond(pages, prompt)))


REF: Row = ("Ref KQ2ZPA", 0, 0)
INVOICE = (
    ("Nordmark Paper", 0, 1.0),
    ("INVOICE", 600, 1.0),
    REF,
    ("No.", 0, 2),
    ("INV-52642", 100, 2),
    ("Date", 0, 3),
    ("5 Mar 2026", 100, 3),
    ("MT946", 0, 5),
    ("USB-C cable", 200, 5),
    ("8", 400, 5),
    ("590.20", 500, 5),
    ("4,721.60", 600, 5),
    ("KT339", 0, 6),
    ("Packing tape", 200, 6),
    ("1", 400, 6),
    ("100.00", 500, 6),
    ("100.00", 600, 6),
    ("Subtotal", 300, 8),
    ("4,821.60", 600, 8),
    ("Tax", 300, 9),
    ("337.51", 600, 9),
    ("Total", 300, 10),
    ("€5,159.11", 600, 10),
)
ASK_INVOICE = (
    "Extract these fields from the invoice: invoice_id, date, vendor, currency, subtotal, tax, total,"
    " line_items. If any of them cannot be read, the evidence is insufficient."
)


def test_an_invoice_is_extracted_with_its_rows() -> None:
    found = envelope("Some text.\n\n" + ASK_INVOICE, page(*INVOICE))
    assert found["status"] == "answered"
    assert found["nonce"] == "KQ2ZPA"
    assert found["answer"]["doc_type"] == "invoice"
    assert found["answer"]["fields"] == {
        "invoice_id": "INV-52642",
        "date": "2026-03-05",
        "vendor": "Nordmark Paper",
        "currency": "EUR",
        "subtotal": "4821.60",
        "tax": "337.51",
        "total": "5159.11",
    }
    assert found["answer"]["line_items"] == [
        {"sku": "MT946", "qty": 8, "unit_price": "590.20", "amount": "4721.60"},
        {"sku": "KT339", "qty": 1, "unit_price": "100.00", "amount": "100.00"},
    ]


@pytest.mark.parametrize("gone", ["INV-52642", "5 Mar 2026", "337.51", "€5,159.11", "MT946", "4,721.60"])
def test_what_was_not_read_makes_it_abstain(gone: str) -> None:
    found = envelope(ASK_INVOICE, page(*(row for row in INVOICE if row[0] != gone)))
    assert (found["status"], found["answer"]) == ("insufficient_evidence", None)
    assert found["nonce"] == "KQ2ZPA"


def test_without_the_code_it_abstains() -> None:
    found = envelope(ASK_INVOICE, page(*(row for row in INVOICE if row != REF)))
    assert (found["status"], found["nonce"]) == ("insufficient_evidence", "")


def test_a_german_receipt_is_extracted() -> None:
    slip = page(
        ("Umber Foods", 100, 0.0),
        ("Ref QEYZLF", 0, 1),
        ("Nr.", 0, 2),
        ("R-40098", 300, 2),
        ("Datum", 0, 3),
        ("21.11.2026", 300, 3),
        ("KA513 Salad", 0, 5),
        ("8 × 5.39", 20, 6),
        ("43.12", 300, 6),
        ("Netto", 0, 8),
        ("43.12", 300, 8),
        ("MwSt.", 0, 9),
        ("8.62", 300, 9),
        ("Gesamt", 0, 10),
        ("GBP 51.74", 300, 10),
    )
    found = envelope(ASK_INVOICE.replace("invoice:", "receipt:"), slip)["answer"]
    assert found["fields"]["date"] == "2026-11-21"
    assert found["fields"]["currency"] == "GBP"
    assert found["line_items"] == [{"sku": "KA513", "qty": 8, "unit_price": "5.39", "amount": "43.12"}]


FORM = (
    REF,
    ("No.", 0, 2),
    ("F-55796", 100, 2),
    ("Email", 0, 3),
    ("f@example.com", 100, 3),
    ("Plan", 0, 4),
    ("Basic", 100, 4),
    ("Standard", 250, 4),
    ("Premium", 400, 4),
)
ASK_FORM = "Extract these fields from the form: form_id, email, plan. If any"


def test_the_marked_choice_of_a_form_is_found_by_its_colour() -> None:
    assert envelope(ASK_FORM, page(*FORM, dark="Standard"))["answer"]["fields"]["plan"] == "Standard"
    assert envelope(ASK_FORM, page(*FORM))["status"] == "insufficient_evidence"


def test_the_error_row_of_a_log_is_found() -> None:
    log = page(
        REF,
        ("09:30:54", 0, 1),
        ("INFO", 100, 1),
        ("image-proxy", 200, 1),
        ("E9293", 350, 1),
        ("383", 450, 1),
        ("09:31:02", 0, 2),
        ("ERROR order-queue", 100, 2),
        ("E1184", 350, 2),
        ("77", 450, 2),
        ("slow reply", 550, 2),
    )
    asked = "Extract these fields from the log table's ERROR row: time, service, code, ms. If any"
    fields = envelope(asked, log)["answer"]["fields"]
    assert fields == {"time": "09:31:02", "service": "order-queue", "code": "E1184", "ms": "77"}


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-03-05", "2026-03-05"),
        ("5 Mar 2026", "2026-03-05"),
        ("23.10.2024", "2024-10-23"),
        ("31.02.2024", None),
    ],
)
def test_dates_are_read_as_days_of_the_calendar(text: str, iso: str | None) -> None:
    assert papers.day(text) == iso


LISTING = """Widgets on screen:
w1 textbox x=200 y=20 w=300 h=40
w2 switch x=200 y=80 w=50 h=30
w3 button x=180 y=290 w=120 h=40
"""


def goal(text: str, listing: str = "") -> str:
    return f"{listing}\nGoal: {text} Which single action is next on this screen?"


def test_a_button_in_the_row_of_an_order_is_clicked() -> None:
    screen = page(REF, ("ORD-1", 0, 2), ("Delete", 300, 2), ("ORD-2", 0, 3), ("Delete", 300, 3))
    found = envelope(goal("Delete order ORD-2."), screen)["answer"]
    assert found == {
        "action": "click",
        "target_id": None,
        "target_text": "Delete",
        "point": [330, 100],
        "value": None,
    }
    assert envelope(goal("Delete order ORD-3."), screen)["status"] == "insufficient_evidence"


def test_with_a_listing_the_widget_is_named_by_its_id() -> None:
    screen = page(
        REF, ("Team email", 0, 1), ("old@example.com", 210, 1), ("Night mode", 0, 3), ("Off", 270, 3)
    )
    found = envelope(goal('Set "Team email" to new@example.com.', LISTING), screen)["answer"]
    assert (found["action"], found["target_id"], found["value"]) == ("type", "w1", "new@example.com")
    found = envelope(goal('Have "Night mode" switched on.', LISTING), screen)["answer"]
    assert (found["action"], found["target_id"], found["point"]) == ("click", "w2", [225, 95])
    found = envelope(goal('Have "Night mode" switched off.', LISTING), screen)["answer"]
    assert found["action"] == "none"


def test_a_dialog_is_answered_by_the_decision_table() -> None:
    screen = page(REF, ("Discard", 0, 10), ("Save", 200, 10))
    found = envelope(goal("Drop the changes and leave."), screen)["answer"]
    assert (found["action"], found["target_text"]) == ("click", "Discard")
    assert envelope(goal("Stay signed in."), screen)["status"] == "insufficient_evidence"


def test_a_busy_screen_is_waited_for() -> None:
    screen = page(REF, ("Saving…", 100, 4), ("Save", 200, 10))
    assert envelope(goal("Save the changes and then close."), screen)["answer"]["action"] == "wait"


BARS = (
    ("Visitors by month", 100, 0.0),
    ("Ref KQ2ZPA", 0, 1),
    ("visitors", 0, 2),
    ("1,000", 0, 3),
    ("647", 100, 4),
    ("975", 200, 3),
    ("565", 300, 5),
    ("0", 0, 8),
    ("Oct", 100, 9),
    ("Nov", 200, 9),
    ("Dec", 300, 9),
)
TAIL = " Use the chart's own labels; give the unit as printed."


def test_a_printed_value_is_read_above_its_name() -> None:
    found = envelope("What is the value for Nov?" + TAIL, page(*BARS))["answer"]
    assert found == {"value": 975, "unit": "visitors", "series": None, "category": "Nov"}


def test_the_largest_and_smallest_are_compared() -> None:
    assert envelope("Which category has the largest value?", page(*BARS))["answer"]["value"] == "Nov"
    assert envelope("Which category has the smallest value?", page(*BARS))["answer"]["value"] == "Dec"


def test_values_that_must_be_measured_are_left_unanswered() -> None:
    unlabelled = page(*(row for row in BARS if row[0] not in ("647", "975", "565")))
    assert envelope("What is the value for Nov?" + TAIL, unlabelled)["status"] == "insufficient_evidence"
    asked = "What is the value in series 2025 for Nov?" + TAIL
    assert envelope(asked, page(*BARS))["status"] == "insufficient_evidence"


def test_numbers_of_other_tiles_are_not_taken_for_values() -> None:
    tiles = (("5,678", 200, -2.0), ("2,212", 300, -2.0), ("9,414", 100, -2.0))
    unlabelled = [row for row in BARS if row[0] not in ("647", "975", "565")]
    found = envelope("What is the value for Nov?" + TAIL, page(*tiles, *unlabelled))
    assert found["status"] == "insufficient_evidence"


def test_a_pie_is_read_from_its_legend() -> None:
    pie = page(REF, ("ms in all", 0, 2), ("Oct 59", 300, 3), ("Nov 89", 300, 4), ("Dec 31", 300, 5))
    found = envelope("What is the value for Nov?" + TAIL, pie)["answer"]
    assert (found["value"], found["unit"]) == (89, "ms in all")


@pytest.mark.parametrize(
    ("scope", "workaround", "severity", "action"),
    [
        ("the whole company", "no workaround", "S1", "page_oncall"),
        ("the whole company", "there is a workaround", "S2", "fix_access"),
        ("our team", "no workaround", "S2", "fix_access"),
        ("our team", "there is a workaround", "S3", "fix_access"),
        ("one person", "no workaround", "S3", "fix_access"),
        ("one person", "there is a workaround", "S4", "fix_access"),
    ],
)
def test_triage_follows_the_published_table(scope: str, workaround: str, severity: str, action: str) -> None:
    asked = (
        "Triage the incident on this screen by the decision table.\n"
        f"Ticket: It hits {scope}; {workaround}.\n\nLog:\n08:00:01 ERROR failed cause=RC-41"
    )
    found = envelope(asked, page(REF, ("Error BILL-217", 100, 5)))["answer"]
    assert found == {
        "component": "billing",
        "category": "permission",
        "severity": severity,
        "root_cause_code": "RC-41",
        "next_action": action,
    }
    assert envelope(asked, page(REF))["status"] == "insufficient_evidence"


def test_the_rules_know_the_questions_as_they_are_asked_today() -> None:
    which = "Use image 1 of 1 only. "
    extract = fill(prompt("extract"), which=which, doc="form", fields="form_id, email, plan")
    assert envelope(extract, page(*FORM, dark="Basic"))["status"] == "answered"
    ui = fill(prompt("ui"), which=which, goal="Drop the changes and leave.")
    assert envelope(ui, page(REF, ("Discard", 0, 10)))["status"] == "answered"
    chart = fill(prompt("chart"), which=which, ask="What is the value for Nov?")
    assert envelope(chart, page(*BARS))["answer"]["value"] == 975
    ticket = "It hits our team; no workaround."
    triage = fill(prompt("triage"), which=which, ticket=ticket) + "\n08:00:01 ERROR failed cause=RC-41"
    assert envelope(triage, page(REF, ("Error BILL-217", 100, 5)))["status"] == "answered"


def test_what_no_rule_covers_is_not_guessed() -> None:
    assert envelope("Write a poem.", page(REF))["status"] == "insufficient_evidence"
    assert envelope(ASK_INVOICE)["status"] == "insufficient_evidence"


def test_the_image_that_is_meant_is_the_one_that_is_read() -> None:
    asked = "Use image 2 of 2 only. " + ASK_FORM
    found = envelope(asked, page(("nothing", 0, 3)), page(*FORM, dark="Basic"))
    assert found["answer"]["fields"]["form_id"] == "F-55796"


def test_the_code_may_stand_apart_from_its_label() -> None:
    assert nonce([page(("Ref", 0, 0), ("KQ2ZPA", 100, 0))]) == "KQ2ZPA"
    assert nonce([page(("Ref", 0, 0), ("too long for it", 100, 0))]) == ""
