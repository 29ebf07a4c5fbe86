"""Sessions in the report: a section where there are any, and nothing of them where there are none."""

import dataclasses

import pytest

from mmload.report import conversations, html, markdown
from mmload.report.definitions import definitions

LATENCY = {"n": 40, "mean": 612.5, "p50": 590.0, "p95": None, "uncertified": ["p95"]}
TURN = {
    "turn": 1, "planned": 40, "sent": 40, "ok": 38, "failed": 1, "shed": 1, "not_sent": 0, "e2e_ms": LATENCY,
    "service_ms": LATENCY, "ttft_ms": {"n": 40, "mean": 210.0}, "over_slo_ratio": 0.05, "score": 0.9,
    "low": 0.82, "high": 0.95, "n_scored": 38, "tokens_in_mean": 512.4, "cached_ratio": 0.0,
    "per_query_usd": 0.0021,
}  # fmt: skip
SESSIONS = {
    "planned": 40, "begun": 40, "completed": 35, "completed_ratio": 0.875, "turns_mean": 2.0,
    "think_time_s": 2.0, "think": "exponential", "after_failure": "end",
    "turns_not_sent": {"session_ended": 2, "session_cut": 1},
    "by_turn": [TURN, {**TURN, "turn": 2, "sent": 37, "not_sent": 3, "cached_ratio": 0.713, "score": None,
                       "low": None, "high": None}],
}  # fmt: skip


@pytest.fixture
def talking(measured):
    return dataclasses.replace(measured, figures={**measured.figures, "sessions": SESSIONS})


def test_each_turn_has_a_row_and_what_is_unknown_a_dash(talking):
    table = conversations.by_turn(talking)
    assert all(len(row) == len(table.head) for row in table.rows)
    first, second = (dict(zip(table.head, row, strict=True)) for row in table.rows)
    assert (first["Turn"], first["Sent"], first["Failed"], first["Mean"], first["p95"]) == (
        "1", "40", "2", "612 ms", "–",
    )  # fmt: skip
    assert first["95% interval"] == "82% to 95%"
    assert (second["Not sent"], second["Cached"], second["Quality"]) == ("3", "71.3%", "–")


def test_what_was_not_sent_is_told_with_its_reason(talking):
    first, ended, cut = conversations.sentences(talking)
    assert first.startswith("35 of 40 sessions came to their last answer (87.5%); 2 turns in the mean")
    assert ended == "2 turns not sent because an earlier turn of the session had failed."
    assert cut == "1 turn not sent because the drain time ended first (drain_s)."


def test_page_and_summary_show_them_and_say_how_they_count(talking, measured):
    page, short = html.page(talking), markdown.render(talking)
    assert 'id="s-sessions"' in page and 'href="#s-sessions"' in page and "closed loop" in page
    assert "By turn of the session" in short and "| 71.3% |" in short
    for text in (html.page(measured), markdown.render(measured)):
        assert "s-sessions" not in text and "By turn of the session" not in text
    assert "Session, turn" not in dict(definitions(measured))
