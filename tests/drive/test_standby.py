"""Connections that stand ready: no request opens one when it is due, and no target is asked for ever more."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

TIMEOUTS = {"connect_timeout_s": 2.0, "first_byte_timeout_s": 1.0, "total_timeout_s": 2.0}


@pytest.mark.parametrize("fault", ["truncated-body", "reset-mid-body"])
def test_what_a_fault_costs_is_replaced_before_the_next_request_is_due(
    fault_urls: dict[str, str], send: Any, fault: str
) -> None:
    (rows,) = send([{"url": fault_urls[fault], "times": 8, "standing": 3, "pause_s": 0.05, **TIMEOUTS}])
    assert {row["outcome"] for row in rows} == {"failed"}
    assert [row["reused_connection"] for row in rows] == [True] * 8


def test_without_any_that_stands_ready_a_request_opens_its_own(fault_urls: dict[str, str], send: Any) -> None:
    (rows,) = send([{"url": fault_urls["truncated-body"], "times": 2, "pause_s": 0.05, **TIMEOUTS}])
    assert [row["reused_connection"] for row in rows] == [False, False]


@contextmanager
def slamming() -> Iterator[tuple[str, list[float]]]:
    """A target that closes each connection as it comes, and when it did."""
    accepted: list[float] = []

    def slam() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            accepted.append(time.monotonic())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=slam, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", accepted


def test_a_target_that_closes_each_connection_as_it_comes_is_not_asked_again_and_again(send: Any) -> None:
    with slamming() as (url, accepted):
        (rows,) = send([{"url": url, "times": 3, "standing": 5, "pause_s": 0.3, **TIMEOUTS}])
    assert {row["error"] for row in rows} == {"connect_reset"}
    assert len(accepted) <= 5 + 2 * len(rows), "five that were to stand ready, two attempts a request at most"


def test_a_fresh_connection_for_each_request_leaves_none_standing(
    fault_urls: dict[str, str], send: Any
) -> None:
    case = {"url": fault_urls["ok"], "connection": "fresh", "times": 3, "standing": 2, **TIMEOUTS}
    (rows,) = send([case])
    assert [(row["outcome"], row["reused_connection"]) for row in rows] == [("ok", False)] * 3
