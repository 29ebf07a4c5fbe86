import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.report import escape, wording


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 ms"),
        (0.05, "50 µs"),
        (7.124, "7.12 ms"),
        (412.4, "412 ms"),
        (2310, "2.31 s"),
        (61_000, "1 min 01 s"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_reads_best(value, written):
    assert wording.ms(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0, "0%"),
        (1, "100%"),
        (0.9, "90%"),
        (0.9412, "94.1%"),
        (0.0042, "0.42%"),
        (0.9993, "99.93%"),
    ],
)
def test_a_ratio_keeps_more_digits_near_its_ends(value, written):
    assert wording.percent(value) == written


@pytest.mark.parametrize(
    "write", [wording.ms, wording.usd, wording.rpm, wording.count, wording.percent, wording.seconds]
)
def test_what_is_absent_is_a_dash_and_never_a_zero(write):
    assert write(None) == write(math.nan) == write(math.inf) == wording.DASH


def test_a_check_against_a_baseline_says_that_it_fails_only_when_sure():
    assert wording.gate_direction("quality_min") == "at least"
    assert wording.gate_direction("e2e_p95_ms") == "at most"
    assert wording.gate_direction("quality_min_regression") == "not surely below"
    assert wording.gate_direction("error_max_regression") == "not surely above"


def test_a_number_agrees_with_its_noun():
    assert wording.count(1, "request") == "1 request"
    assert wording.count(0, "request") == "0 requests"
    assert wording.count(2104, "request") == "2,104 requests"
    assert wording.count(None, "request") == "– requests"
    assert (wording.points(0.01), wording.points(0.011)) == ("1 point", "1.1 points")


def test_an_uncertified_percentile_says_how_many_samples_it_lacks():
    assert wording.why_uncertified({"n": 1204}, "p999") == "1,204 of the 6,636 samples it takes"
    assert wording.why_uncertified({"n": 0}, "p95") == "not measured"


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abcdef1234567890",
        '"x-api-key": "k-123456789"',
        "sk-proj-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrstuv0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "Cookie: session=abc123",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_no_credential_survives_redaction(secret):
    body = secret.split()[-1].strip('"') if "KEY-----" not in secret else "MIIEow"
    assert body not in escape.redact(f"failed with {secret} here")


def test_urls_lose_their_password_and_their_query_but_keep_their_place():
    text = escape.redact("GET https://me:hunter2@host.example/v1/chat?key=abc123 failed")
    assert "hunter2" not in text and "abc123" not in text
    assert "host.example/v1/chat" in text


def test_a_data_url_becomes_its_type_length_and_hash():
    text = escape.redact("image data:image/png;base64," + "A" * 400 + " end")
    assert "AAAA" not in text and "image/png, 400 base64 characters, sha256" in text and text.endswith(" end")


PIECES = st.sampled_from([
    "Authorization", "proxy-authorization", "x-api-key", "Set-Cookie", "cookie",
    "X-Goog-Api-Key", ": ", "=", '"', "'",
    "Bearer ", "abcdef1234567890", "sk-", "sk_live_", "ghp_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA",
    "AIza", "xoxb-", "eyJ", ".", "https://", "http://", "me:pw@", "host", "?q=1",
    "data:image/png;base64,", "A" * 20,
    "-----BEGIN RSA PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\n", " ", "ABCDEFGHIJKLMNOP",
])  # fmt: skip


@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_is_let_through_unlooked_at_held_nothing_to_replace(text):
    whole = escape.redact(text)
    assert escape.redact("://\n" + text)[4:] == whole


def test_a_secret_known_to_the_run_is_replaced_wherever_it_stands():
    assert "s3cr3tvalue" not in escape.redact("prefix-s3cr3tvalue-suffix", ("s3cr3tvalue",))


@given(st.text(max_size=200))
def test_terminal_text_moves_no_cursor(text):
    shown = escape.terminal("\x1b[2J\x1b]0;title\x07" + text)
    assert all(ord(character) >= 32 and not 0x7F <= ord(character) < 0xA0 for character in shown)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_markdown_cell_stays_one_cell(text):
    cell = escape.markdown_cell(text + "|<b>@someone")
    assert "\n" not in cell and "<b>" not in cell
    assert all(cell[i - 1] == "\\" for i, c in enumerate(cell) if c == "|")
    assert "@someone" not in cell


@given(st.text(alphabet=st.characters(), max_size=200))
def test_xml_text_is_xml_whatever_the_model_said(text):
    from xml.etree import ElementTree

    ElementTree.fromstring(f'<a b="{escape.xml_text(text)}">{escape.xml_text(text)}</a>')


def test_a_bound_that_is_missing_makes_an_interval_one_sided():
    assert wording.interval(985, None, wording.rpm) == "at least 985"
    assert wording.interval(None, 0.02, wording.percent) == "at most 2%"
    assert wording.interval(None, None, wording.percent) == ""
