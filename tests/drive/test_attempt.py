"""An answer read from the wire is the same however its bytes were cut."""

from __future__ import annotations

import gc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mmload.drive.attempt import Attempt
from mmload.wire.openai_chat import OpenAIChat

_EVENTS = [
    b'data: {"model":"m","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
    b'data: {"model":"m","choices":[{"delta":{"content":"for"}}]}\n\n',
    b'data: {"model":"m","choices":[{"delta":{"content":"ty"}}]}\n\n',
    b'data: {"model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Empty:\r\n"
    b"Server-Timing: model;dur=3.5, queue;dur=1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_ANSWER = _HEAD + b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in _EVENTS) + b"0\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\nContent-Type: text/plain\r\n\r\n"
_SHED = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait"


def _read(answer: bytes, cuts: list[int]) -> Attempt:
    attempt = Attempt(OpenAIChat("m"), 1 << 20)
    places = [0, *sorted(cut % len(answer) for cut in cuts), len(answer)]
    for stamp, (start, end) in enumerate(pairwise(places), start=1):
        if start < end:
            attempt.take(answer[start:end], stamp)
    attempt.conclude()
    return attempt


_cuts = st.lists(st.integers(0, len(_ANSWER) + len(_CONTINUE)), max_size=40)


@given(_cuts, st.sampled_from([b"", _CONTINUE, _CONTINUE * 2]))
def test_headers_and_text_do_not_depend_on_where_the_bytes_were_cut(cuts: list[int], before: bytes) -> None:
    found = _read(before + _ANSWER, cuts)
    assert found.complete
    assert found.failure is None
    assert found.status == 200
    assert found.server_timing == "model;dur=3.5, queue;dur=1"
    assert found.reader is not None
    assert (found.reader.text, found.reader.content_events) == ("forty", 2)
    assert found.received == len(before) + len(_ANSWER)
    assert found.reusable


@given(_cuts)
def test_what_a_refusal_says_does_not_depend_on_where_it_was_cut(cuts: list[int]) -> None:
    found = _read(_SHED, cuts)
    assert found.shed
    assert found.retry_after == "7"
    assert found.failure is not None
    assert found.failure.detail == "HTTP 429: wait"


def test_bytes_behind_the_answer_make_the_connection_unfit() -> None:
    found = _read(_ANSWER + b"HTTP/1.1 200 OK\r\n", [])
    assert found.complete
    assert not found.reusable


_WHOLE = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
_CLOSING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer-Timing: model;dur=3\r\n"
    b"Connection: close\r\nServer-Timing: proxy;dur=1\r\nContent-Length: %d\r\n\r\n%b" % (len(_WHOLE), _WHOLE)
)


@given(_cuts, st.sampled_from([b"", b"\r\n", b"more", b"HTTP/1.1 200 OK\r\n"]))
def test_a_whole_answer_is_good_whatever_comes_behind_it_on_a_closing_connection(
    cuts: list[int], behind: bytes
) -> None:
    answer = _CLOSING + behind
    found = Attempt(OpenAIChat("m"), 1 << 20)
    places = [0, *sorted(cut % len(answer) for cut in cuts), len(answer)]
    for start, end in pairwise(places):
        if start < end and found.take(answer[start:end], 1):
            break
    found.conclude()
    assert (found.complete, found.failure, found.reusable) == (True, None, False)
    assert found.server_timing == "model;dur=3, proxy;dur=1", "a header may come in several lines"


def test_a_body_may_be_as_long_as_the_limit_and_not_a_byte_longer() -> None:
    for limit, error in ((len(_WHOLE), ""), (len(_WHOLE) - 1, "body_too_large")):
        found = Attempt(OpenAIChat("m"), limit)
        assert found.take(_CLOSING, 1)
        found.conclude()
        assert (found.failure.kind if found.failure else "") == error


def test_trailers_are_not_kept() -> None:
    found = Attempt(OpenAIChat("m"), 1 << 20)
    found.take(_HEAD + b"0\r\n", 1)
    for _ in range(100):
        found.take(b"X-A: " + b"a" * 2000 + b"\r\n", 1)
    assert not found.complete and found.failure is None
    kept = [value for values in (found._names, found._values) for value in values]
    assert sum(map(len, kept)) < len(_HEAD)


def test_an_attempt_is_gone_with_its_last_reference_however_its_head_came() -> None:
    gc.collect()
    gc.disable()
    try:
        for cuts in ([], [9, 40], list(range(1, 60))):
            _read(_ANSWER, cuts).conclude()
            flood = Attempt(OpenAIChat("m"), 1 << 20)
            for _ in range(40):
                flood.take(
                    b"HTTP/1.1 200 OK\r\n" if not flood.received else b"X-A: " + b"a" * 2000 + b"\r\n", 1
                )
            assert flood.failure is not None
            flood.conclude()
            del flood
        assert not [o for o in gc.get_objects() if type(o) is Attempt]
    finally:
        gc.enable()
