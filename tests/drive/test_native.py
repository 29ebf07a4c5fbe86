"""What is compiled does what its twins in Python do."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from drive.raw_servers import BODY, HEAD, read_head, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from mmload import native
from mmload.drive import attempt as attempts
from mmload.drive.attempt import Attempt
from mmload.drive.endpoint import Endpoint
from mmload.model import ErrorKind
from mmload.profile import Target
from mmload.wire.collected import Whole
from mmload.wire.openai_chat import OpenAIChat


def test_it_was_compiled() -> None:
    assert native.compiled, "the tests compile it: see the Makefile"


# --- an answer in one piece -------------------------------------------------------------------------------


class Bytes(Whole):
    """Keeps the body as it is."""

    def _take(self, payload: bytes) -> int:
        return self._content(bytes(payload).decode("latin-1"))


class Reads(OpenAIChat):
    stream_reader = whole_reader = Bytes  # type: ignore[assignment]


def read(data: bytes, at_once: Callable[[bytes], Any]) -> tuple[Any, ...]:
    with patch.object(attempts, "whole", at_once):
        found = Attempt(Reads("m"), 1 << 16)
        over = found.take(data, 7)
    if over:
        found.conclude()
    failure = found.failure and (found.failure.kind, found.failure.detail)
    return (
        over, found.complete, found.status, failure, found.received, found._body_bytes, found._content_type,
        found.server_timing, found.retry_after, over and found.reusable, found.first_byte_ns,
        found.last_byte_ns, found.first_token_ns, found.gaps, found.reader and found.reader.text,
    )  # fmt: skip


STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 12
    + [b"HTTP/1.1 200 ", b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 201 Created", b"HTTP/1.1 204 No",
       b"HTTP/1.1 100 Continue", b"HTTP/1.1 2000 OK", b"HTTP/1.1  200 OK", b"http/1.1 200 OK",
       b"HTTP/1.1 200 \xe9", b"HTTP/1.1 200 a\tb"]
)  # fmt: skip
VALUE = st.one_of(st.binary(max_size=6), st.sampled_from([b"", b" ", b"a", b"a b ", b"\ta", b"a\t"]))
HEADER = st.one_of(
    st.sampled_from([
        b"Content-Type: application/json", b"content-type:text/event-stream; charset=utf-8",
        b"CONTENT-TYPE:  Application/JSON  ", b"Content-Type:", b"Server-Timing: model;dur=3", b"Date: today",
        b"Connection: keep-alive", b"Connection: Keep-Alive", b"Connection: close", b"Connection: upgrade",
        b"Upgrade: h2c", b"Content-Encoding: gzip", b"Content-Encoding: identity", b"Retry-After: 3",
        b"Proxy-Connection: close", b"Trailer: X", b"Transfer-Encoding: gzip", b"Content-Length: 3",
        b"Content-Length: 0003", b"Content-Length: +3", b" folded", b"No colon", b"Space : a", b": a",
        b"X-\xe9: a", b"X-A: \xe9", b"Content-Type: text/html", b"Transfer-Encoding: chunked, chunked",
    ]),
    st.tuples(st.sampled_from([b"X-A", b"x_b", b"Content-Type", b"Server-Timing", b"Connection"]), VALUE).map(
        lambda pair: b"%b: %b" % pair
    ),
)  # fmt: skip
CONTENT = st.one_of(st.binary(max_size=30), st.just(b"{}"), st.just(b"abc"))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers, most of them plain, some with something odd or with a byte that is another."""
    lines = [draw(STATUS), *draw(st.lists(HEADER, max_size=3))]
    pieces = draw(st.lists(CONTENT, max_size=3))
    if draw(st.booleans()):
        body = b"".join(pieces)
        lines.append(b"Content-Length: %d" % (len(body) + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))))
    else:
        lines.append(b"Transfer-Encoding: " + draw(st.sampled_from([b"chunked", b"Chunked", b"chunked "])))
        size = draw(
            st.sampled_from([b"%x\r\n", b"%X\r\n", b"%04x\r\n", b"%x\r\n", b"%x;a=b\r\n", b"%x \r\n"])
        )
        body = b"".join(size % len(p) + p + b"\r\n" for p in pieces if p)
        body += draw(
            st.sampled_from([b"0\r\n\r\n"] * 5 + [b"", b"00\r\n\r\n", b"0\r\nX-A: a\r\n\r\n", b"0\r\n"])
        )
    whole = b"\r\n".join(lines) + b"\r\n\r\n" + body
    whole += draw(st.sampled_from([b""] * 8 + [b"\r\n", b"x", b"HTTP/1.1 200 OK\r\n\r\n"]))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(whole) - 1))
        whole = whole[:at] + draw(st.binary(max_size=2)) + whole[at + draw(st.integers(0, 1)) :]
    return whole


@given(answers())
@settings(max_examples=1500, deadline=None)
def test_what_is_taken_at_once_is_what_the_parser_reads(data: bytes) -> None:
    if native.whole(data) is not None:
        assert read(data, native.whole) == read(data, lambda _: None)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\n{}", ("application/json", "", b"{}")),
        (HEAD + b"Content-Length: 0\r\n\r\n", ("application/json", "", b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer-Timing:  a;dur=1 \r\n\r\n"
            b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            ("", "a;dur=1", b"abc0123456789"),
        ),
        (HEAD + b"connection: KEEP-ALIVE\r\nContent-Length: 0\r\n\r\n", ("application/json", "", b"")),
        (HEAD + b"Content-Length: 2\r\n\r\n{", None),
        (HEAD + b"Content-Length: 2\r\n\r\n{} ", None),
        (HEAD + b"\r\n{}", None),
        (HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", None),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", None),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", None),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", None),
        (b"", None),
        (HEAD, None),
    ],
)  # fmt: skip
def test_only_a_plain_answer_is_taken_at_once(data: bytes, found: Any) -> None:
    assert native.whole(data) == found
    for end in range(len(data) if found else 0):
        assert native.whole(data[:end]) is None, "the beginning of an answer is none"


def test_chunks_beyond_the_buffer_are_left_to_the_parser() -> None:
    body = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert native.whole(head + body * 5 + b"0\r\n\r\n") is None
    taken = native.whole(head + body * 3 + b"0\r\n\r\n")
    assert taken is not None and taken[2] == b"a" * 0x30000


# --- events that differ in their text only ----------------------------------------------------------------

TEXT = st.one_of(
    st.text("ab €\x7f", min_size=1, max_size=4).map(str.encode),
    st.sampled_from([b"", b'"', b"\\n", b"\n", b"\xff", b"\xe2\x82", b"a\x00", b'"}', b"H"]),
)


def first_events(data: bytes, head: bytes, tail: bytes) -> tuple[str, int, int]:
    """By the definition: event by event, text by text."""
    texts, taken = [], 0
    while data.startswith(head, taken):
        raw = data[taken + len(head) :].partition(b'"')[0]
        if (
            not raw
            or b"\\" in raw
            or min(raw) < 32
            or not data.startswith(tail, taken + len(head) + len(raw))
        ):
            break
        try:
            texts.append(raw.decode())
        except UnicodeDecodeError:
            break
        taken += len(head) + len(raw) + len(tail)
    return "".join(texts), len(texts), taken


@given(
    st.lists(TEXT, max_size=6),
    st.sampled_from([b"H", b'data: {"c":"', b""]),
    st.sampled_from([b'"', b'"}\n\n']),
    st.binary(max_size=8),
)
@settings(max_examples=600, deadline=None)
def test_events_are_cut_as_they_are_defined(
    texts: list[bytes], head: bytes, tail: bytes, rest: bytes
) -> None:
    data = b"".join(head + text + tail for text in texts) + rest
    expected = first_events(data, head, tail)
    assert native.cut(data, head, tail) == native.cut(bytearray(data), head, tail) == expected  # type: ignore[arg-type]
    text, events, taken = native._cut(data, head, tail)
    if events and head:
        assert events <= expected[1] and taken <= expected[2] and expected[0].startswith(text)


# --- the socket -------------------------------------------------------------------------------------------


@contextmanager
def pair(send_buffer: int = 0) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection; the first waits for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as ours:
        if send_buffer:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_buffer)
        ours.connect(listener.getsockname())
        ours.setblocking(False)
        with listener.accept()[0] as theirs:
            yield ours, theirs


@contextmanager
def endpoint(*bodies: bytes) -> Iterator[Endpoint]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(bodies))
        file.flush()
        length = [len(body) for body in bodies]
        offset = [sum(length[:k]) for k in range(len(bodies))]
        target = Target.model_validate({"url": "http://127.0.0.1:9/v1", "headers": {"X-A": "b"}})
        url = "http://127.0.0.1:9/v1"
        yield Endpoint(target, url, OpenAIChat("m"), file.name, offset, length, length, 0xFEDC << 48)


def send(sock: socket.socket, to: Endpoint, seq: int, item: int) -> int:
    parts = to.first, to.trace, seq, to.view, to.body_file, to.offset[item], to.length[item]
    return native.send(sock, *parts)


BODIES = [b"a" * 10, b"", b"b" * 32767, b"c" * 32768, os.urandom(200_001)]


@pytest.mark.parametrize("item", range(len(BODIES)))
@pytest.mark.parametrize("seq", [0, 255, (1 << 62) + 12345])
def test_a_request_that_was_sent_at_once_is_head_and_body(item: int, seq: int) -> None:
    with endpoint(*BODIES) as to, pair() as (ours, theirs):
        expected = to.head(seq, item) + BODIES[item]
        left = send(ours, to, seq, item)
        theirs.settimeout(5)
        came = b""
        while len(came) < len(expected) - max(left, 0):
            came += theirs.recv(1 << 20)
        assert left >= 0 and came == expected[: len(expected) - left]
        assert left == 0 or item == 4


def test_what_a_socket_did_not_take_is_told() -> None:
    body = os.urandom(2_000_000)
    with endpoint(body) as to, pair(4096) as (ours, theirs):
        expected = to.head(1, 0) + body
        left = send(ours, to, 1, 0)
        assert 0 < left < len(expected)
        assert send(ours, to, 2, 0) == -1, "a socket that is full takes nothing"
        ours.shutdown(socket.SHUT_WR)
        came = b"".join(iter(lambda: theirs.recv(1 << 20), b""))
        assert came == expected[: len(expected) - left]
    with endpoint(body) as to, pair() as (ours, _):
        ours.shutdown(socket.SHUT_WR)
        assert send(ours, to, 1, 0) == -1, "nor does one that is shut"


def test_what_lies_outside_the_bodies_is_not_sent() -> None:
    with endpoint(b"abc") as to, pair() as (ours, theirs):
        for offset, length in ((0, 4), (4, 0), (-1, 1), (1, 3), (1 << 40, 1)):
            sent = native.send(ours, to.first, to.trace, 1, to.view, to.body_file, offset, length)
            assert sent == -1
        assert native.send(ours, b"a" * 40_000, to.trace, 1, to.view, to.body_file, 0, 3) == -1
        ours.shutdown(socket.SHUT_WR)
        assert theirs.recv(10) == b""


@pytest.mark.parametrize("receive", [native.receive, native._receive])
def test_received_bytes_come_with_the_kernels_stamp(
    receive: Callable[[Any, int], tuple[bytes, int, int]],
) -> None:
    with pair() as (ours, theirs):
        with pytest.raises(BlockingIOError):
            receive(ours, 0)
        theirs.sendall(b"one")
        time.sleep(0.01)
        assert receive(ours, 0)[:2] == (b"one", 0), "none was asked for"
        ours.setsockopt(socket.SOL_SOCKET, 35, 1)
        for _ in range(500):  # the kernel begins a moment later
            theirs.sendall(b"two")
            time.sleep(0.01)
            if receive(ours, 0)[1]:
                break
        offset = time.time_ns() - time.monotonic_ns()
        before = time.monotonic_ns()
        theirs.sendall(b"a" * 300_000)
        sent = time.monotonic_ns()
        time.sleep(0.05)
        data, stamp, now = receive(ours, offset)
        assert data and set(data) == {97} and len(data) <= 256 * 1024
        slack = 1_000_000
        assert before - slack < stamp < sent + slack
        assert sent + 40_000_000 < now <= time.monotonic_ns()
        while data:
            theirs.shutdown(socket.SHUT_WR)
            try:
                data, stamp, now = receive(ours, offset)
            except BlockingIOError:
                time.sleep(0.001)
        assert (data, stamp) == (b"", 0)


def test_wrong_arguments_are_an_error_and_no_crash() -> None:
    functions: list[Any] = [native.send, native.receive, native.cut]
    for function in functions:
        with pytest.raises(TypeError):
            function()
    for wrong in (
        lambda: native.receive("a", 0),
        lambda: native.whole("a"),
        lambda: native.cut("a", b"", b""),
    ):  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises((ValueError, OSError)):
        native.receive(socket.socket(fileno=None).detach() and -1, 0)


def test_a_request_that_a_slow_target_takes_in_pieces_arrives_whole(send: Callable[..., Any]) -> None:
    came: list[tuple[int, str]] = []

    def slowly(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        for _ in range(2):
            head, _, body = read_head(client).partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            while len(body) < length:
                time.sleep(0.001)
                body += client.recv(65536)
            came.append((length, hashlib.sha256(body).hexdigest()))
            client.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY))

    padding = 1_500_000
    with serving(slowly) as url:
        records = send([{"url": url, "padding": padding, "times": 2}])[0]
    assert [r["error"] for r in records] == ["", ""]
    body = b'{"model":"m","messages":[{"role":"user","content":"hello"}],"padding":"' + b"x" * padding + b'"}'
    assert came == [(len(body), hashlib.sha256(body).hexdigest())] * 2
    assert ErrorKind.SEND_TIMEOUT not in {r["error"] for r in records}
