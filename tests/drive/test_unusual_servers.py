"""What servers do that is no fault by itself, or worse: answers before the request is sent, framing without
end, numbers that no machine can hold."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import pytest
from raw_servers import ANSWER, BODY, HEAD, read_head, read_request, serving

TIMEOUTS = {
    "connect_timeout_s": 1.0,
    "first_byte_timeout_s": 0.8,
    "idle_timeout_s": 0.6,
    "total_timeout_s": 3.0,
    "max_body_bytes": 1024 * 1024,
}
LARGE = 8_000_000
"""More than the buffers of both ends hold."""


@pytest.mark.parametrize("then", ["goes on listening", "closes its side", "hangs up"])
@pytest.mark.parametrize(
    ("status", "outcome", "error"), [(413, "failed", "http_4xx"), (429, "shed", "http_429")]
)
def test_an_answer_that_comes_while_the_request_is_being_sent_is_the_answer(
    send: Any, then: str, status: int, outcome: str, error: str
) -> None:
    def refuse(client: socket.socket) -> None:
        read_head(client)
        client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 3\r\n\r\nbig" % status)
        if then == "closes its side":
            client.shutdown(socket.SHUT_WR)
        if then != "hangs up":
            time.sleep(2)

    with serving(refuse) as url:
        ((record,),) = send([{"url": url, "padding": LARGE, **TIMEOUTS}])
    assert (record["outcome"], record["error"], record["status"]) == (outcome, error, status)
    assert "big" in record["error_detail"]


def test_the_next_request_does_not_go_where_one_was_not_sent_to_its_end(send: Any) -> None:
    def refuse(client: socket.socket) -> None:
        read_head(client)
        client.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig")
        time.sleep(1)

    with serving(refuse) as url:
        (rows,) = send([{"url": url, "padding": LARGE, "times": 2, **TIMEOUTS}])
    assert [(r["error"], r["reused_connection"]) for r in rows] == [("http_4xx", False)] * 2


@pytest.mark.parametrize("endless", [b"X-A: " + b"a" * 1000 + b"\r\n", b""], ids=["trailers", "extension"])
def test_framing_without_end_is_a_body_without_end(send: Any, endless: bytes) -> None:
    def flood(client: socket.socket) -> None:
        read_request(client)
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"%x\r\n%b\r\n0" % (len(BODY), BODY) + (b"\r\n" if endless else b";a="))
        while True:
            client.sendall(endless * 100 or b"a" * 100_000)

    with serving(flood) as url:
        ((record,),) = send([{"url": url, **TIMEOUTS}])
    assert (record["outcome"], record["error"]) == ("failed", "body_too_large")


@pytest.mark.parametrize("tokens", [10**26, 2**63, -1])
def test_a_count_of_tokens_that_cannot_be_is_none_and_the_answer_is_good(send: Any, tokens: int) -> None:
    body = BODY[:-1] + b', "usage": {"prompt_tokens": %d, "completion_tokens": 3}}' % tokens

    def boast(client: socket.socket) -> None:
        read_request(client)
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    with serving(boast) as url:
        ((record,),) = send([{"url": url, **TIMEOUTS}])
    assert (record["outcome"], record["answer"], record["usage_source"]) == ("ok", "hi", "estimated")
    assert 0 < record["tokens_in"] < 100 and record["tokens_out"] == 1


def test_the_time_to_the_first_byte_runs_from_the_last_byte_sent(send: Any) -> None:
    def take_its_time(client: socket.socket) -> None:
        time.sleep(1.5)
        read_request(client)
        time.sleep(1.5)
        client.sendall(ANSWER)

    with serving(take_its_time) as url:
        patient = TIMEOUTS | {"first_byte_timeout_s": 2.7, "total_timeout_s": 9.0}
        ((record,),) = send([{"url": url, "padding": LARGE, **patient}])
    assert (record["outcome"], record["error"]) == ("ok", "")
    assert record["first_byte_ns"] - record["sent_ns"] > 2.7e9


def test_an_answer_that_came_in_time_while_the_generator_stood_still_is_no_timeout(send: Any) -> None:
    def answer_soon(client: socket.socket) -> None:
        read_request(client)
        time.sleep(0.4)
        client.sendall(ANSWER)
        time.sleep(2)

    with serving(answer_soon) as url:
        ((record,),) = send([{"url": url, "still_s": 1.2, **TIMEOUTS}])
    assert (record["outcome"], record["error"]) == ("ok", "")
    assert record["end_ns"] - record["sent_ns"] < 1e9, "and its time is when it came, not when it was read"


def test_a_handshake_that_is_cut_is_the_targets_failure(send: Any) -> None:
    def cut(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(cut, "https") as url:
        (rows,) = send([{"url": url, "times": 40, **TIMEOUTS}])
    assert len(rows) == 40
    assert {row["error"] for row in rows} <= {"tls_handshake", "connect_reset"}


def test_a_connection_that_the_target_closed_is_not_kept(send: Any) -> None:
    def answer_and_close(client: socket.socket) -> None:
        read_request(client)
        client.sendall(ANSWER)

    with serving(answer_and_close) as url:
        (rows,) = send([{"url": url, "times": 12, "pause_s": 0.05, "standing": 2, **TIMEOUTS}])
    assert [row["outcome"] for row in rows] == ["ok"] * 12
    assert rows[0]["held_after_all"] <= 2


def test_what_meets_a_connection_that_was_about_to_close_is_sent_once_more_and_recorded_once(
    send: Any,
) -> None:
    def answer_one_and_close_at_the_next(client: socket.socket) -> None:
        read_request(client)
        client.sendall(ANSWER)
        read_request(client)

    with serving(answer_one_and_close_at_the_next) as url:
        (rows,) = send([{"url": url, "times": 4, **TIMEOUTS}])
    assert [row["seq"] for row in rows] == [0, 1, 2, 3]
    assert [(row["outcome"], row["attempts"]) for row in rows] == [("ok", 1)] * 4
    assert [row["stale_retries"] for row in rows] == [0, 1, 1, 1]
    assert not any(row["reused_connection"] for row in rows), "the answer came over a new one"


def test_a_fresh_connection_that_closes_unanswered_is_not_tried_again(send: Any) -> None:
    with serving(read_request) as url:
        (rows,) = send([{"url": url, "times": 2, **TIMEOUTS}])
    assert [(row["error"], row["stale_retries"]) for row in rows] == [("connect_reset", 0)] * 2
