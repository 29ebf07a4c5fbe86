"""Every fault of a server ends as its own named kind, within the timeouts, in exactly one record."""

import itertools
import socket
from typing import Any

import pytest

TIMEOUTS = {
    "connect_timeout_s": 1.0,
    "first_byte_timeout_s": 0.8,
    "idle_timeout_s": 0.5,
    "total_timeout_s": 1.5,
    "max_body_bytes": 4 * 1024 * 1024,
}
EXPECTED = {
    "refuse": ("failed", "connect_refused"),
    "hang": ("failed", "first_byte_timeout"),
    "close-unanswered": ("failed", "connect_reset"),
    "reset-unanswered": ("failed", "connect_reset"),
    "reset-mid-body": ("failed", "reset_mid_body"),
    "truncated-body": ("failed", "truncated_body"),
    "truncated-chunk": ("failed", "truncated_stream"),
    "truncated-stream": ("failed", "truncated_stream"),
    "stall": ("failed", "idle_timeout"),
    "drip": ("failed", "total_timeout"),
    "garbage": ("failed", "protocol_error"),
    "bad-chunk-size": ("failed", "protocol_error"),
    "invalid-utf8": ("failed", "invalid_utf8"),
    "wrong-content-type": ("failed", "wrong_content_type"),
    "malformed-json": ("failed", "malformed_json"),
    "malformed-sse": ("failed", "malformed_sse"),
    "empty": ("failed", "empty_response"),
    "gzip-bomb": ("failed", "bad_encoding"),
    "bad-gzip": ("failed", "bad_encoding"),
    "endless-body": ("failed", "body_too_large"),
    "endless-line": ("failed", "body_too_large"),
    "header-flood": ("failed", "header_too_large"),
    "redirect": ("failed", "redirect"),
    "throttled": ("shed", "http_429"),
    "throttled-bare": ("shed", "http_429"),
    "overloaded": ("shed", "http_5xx"),
    "error-500": ("failed", "http_5xx"),
    "error-400": ("failed", "http_4xx"),
    "error-detail": ("failed", "http_4xx"),
    "error-in-stream": ("failed", "api_error_in_stream"),
    "error-line-in-stream": ("failed", "api_error_in_stream"),
    "content-filter": ("failed", "content_filter"),
    "slow-accept": ("failed", "first_byte_timeout"),
}
STREAMED = {
    "truncated-chunk", "truncated-stream", "stall", "drip", "bad-chunk-size", "malformed-sse", "endless-line",
    "error-in-stream", "error-line-in-stream", "duplicate-events", "crlf-events", "no-done", "no-usage",
    "until-close", "usage-with-choice", "usage-always", "usage-with-empty-delta", "characters",
}  # fmt: skip
FINE = (
    *("ok", "somebody-else", "duplicate", "duplicate-events", "stale-keep-alive"),
    *("crlf-events", "no-done", "no-usage", "until-close", "usage-with-choice"),
    *("created", "usage-always", "usage-with-empty-delta", "characters"),
)


@pytest.fixture(scope="module")
def records(fault_urls: dict[str, str], send: Any) -> dict[str, list[dict[str, Any]]]:
    names = [*EXPECTED, *FINE]
    cases = [
        {
            "url": fault_urls[n],
            "stream": n in STREAMED,
            "times": 2 if n in FINE else 1,
            "pause_s": 0.02,
            **TIMEOUTS,
        }
        for n in names
    ]
    return dict(zip(names, send(cases), strict=True))


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_ends_as_its_own_kind(records: dict[str, Any], fault: str) -> None:
    (record,) = records[fault]
    assert (record["outcome"], record["error"]) == EXPECTED[fault], record["error_detail"]
    assert record["answer"] is None
    took_s = (record["end_ns"] - record["due_ns"]) / 1e9
    assert took_s < TIMEOUTS["total_timeout_s"] + 1.0


@pytest.mark.parametrize("name", FINE)
def test_what_is_no_fault_of_transport_is_ok(records: dict[str, Any], name: str) -> None:
    assert [r["outcome"] for r in records[name]] == ["ok", "ok"], [r["error"] for r in records[name]]
    assert all(r["answer"] for r in records[name])


def test_a_stale_connection_is_tried_once_on_a_fresh_one_and_counted_apart(records: dict[str, Any]) -> None:
    first, second = records["stale-keep-alive"]
    assert (first["attempts"], second["attempts"]) == (1, 1)
    assert first["stale_retries"] + second["stale_retries"] <= 1


def test_an_answer_sent_twice_is_not_taken_for_the_next_request(records: dict[str, Any]) -> None:
    first, second = records["duplicate"]
    assert not first["reused_connection"]
    assert not second["reused_connection"] or second["stale_retries"] == 1


def test_every_fault_that_the_server_knows_is_expected_here(fault_urls: dict[str, str]) -> None:
    untested = set(fault_urls) - set(EXPECTED) - set(FINE)
    assert untested == {"storm", "one-at-a-time"}


def test_a_storm_is_errors_in_bouts_and_answers_between(fault_urls: dict[str, str], send: Any) -> None:
    (rows,) = send([{"url": fault_urls["storm"], "times": 41, **TIMEOUTS}])
    ends = [row["error"] for row in rows]
    assert set(ends) == {"", "http_5xx"} and ends.count("http_5xx") >= 20
    assert sum(a != b for a, b in itertools.pairwise(ends)) <= 3


def test_a_stream_that_the_next_request_cuts_is_truncated_and_the_next_is_not(
    fault_urls: dict[str, str], send: Any
) -> None:
    case = {"url": fault_urls["one-at-a-time"], "stream": True, "times": 2, "together_s": 0.05}
    (rows,) = send([TIMEOUTS | case | {"idle_timeout_s": 4.0, "total_timeout_s": 6.0}])
    ends = {row["seq"]: (row["outcome"], row["error"]) for row in rows}
    assert ends == {0: ("failed", "truncated_stream"), 1: ("ok", "")}


def test_stamps_are_in_order_and_the_kernels(records: dict[str, Any]) -> None:
    for record in records["ok"]:
        assert record["due_ns"] <= record["sent_ns"] <= record["first_byte_ns"] <= record["end_ns"]
        assert record["kernel_clock"]


def test_a_redirect_is_not_followed_and_no_credential_leaves(fault_urls: dict[str, str], send: Any) -> None:
    case = {"url": fault_urls["redirect"], "api_key_env": "CANARY_KEY", **TIMEOUTS}
    ((record,),) = send([case], CANARY_KEY="canary-1234")
    assert record["error"] == "redirect"
    assert "canary-1234" not in str(record)


def test_usage_is_the_targets_or_an_estimate_that_says_so(records: dict[str, Any]) -> None:
    for name in ("usage-with-choice", "usage-always", "usage-with-empty-delta"):
        assert records[name][0]["usage_source"] == "usage"
    assert records["characters"][0]["content_events"] > records["characters"][0]["tokens_out"]
    assert records["no-usage"][0]["usage_source"] == "estimated"
    assert records["no-usage"][0]["tokens_out"] > 0


def test_a_host_that_takes_no_connection_is_a_connect_timeout(send: Any) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        ((record,),) = send([{"url": f"http://127.0.0.1:{full.getsockname()[1]}/v1", **TIMEOUTS}])
        for client in waiting:
            client.close()
    assert (record["outcome"], record["error"], record["sent_ns"]) == ("failed", "connect_timeout", None)


def test_retries_are_attempts_of_one_record(fault_urls: dict[str, str], send: Any) -> None:
    case = {"url": fault_urls["error-500"], "retries": 2, "retry_backoff_s": 0.01, **TIMEOUTS}
    ((record,),) = send([case])
    assert (record["attempts"], record["attempt_errors"]) == (3, "http_5xx,http_5xx")


def test_a_large_body_arrives_whole(fault_urls: dict[str, str], send: Any) -> None:
    sizes = [0, 40_000, 3_000_000]
    rows = send([{"url": fault_urls["ok"], "padding": size, **TIMEOUTS} for size in sizes])
    assert [row[0]["outcome"] for row in rows] == ["ok"] * 3
    assert [row[0]["request_bytes"] > size for row, size in zip(rows, sizes, strict=True)] == [True] * 3
