"""The faults that a server can have, each as a function of one exchange: the door ``--engine faults``.

Not aware of sockets or of how a fault is chosen. A fault ends when its client goes.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import cache

from mmload.serve import healthy
from mmload.serve.exchange import Exchange, fault
from mmload.serve.line import Line


@fault
async def ok(x: Exchange) -> bool:
    await x.answer()
    return True


@fault
async def hang(x: Exchange) -> None:
    """Accepts, reads, never answers."""
    await x.line.until_gone()


@fault
async def close_unanswered(x: Exchange) -> None:
    """FIN before any byte."""


@fault
async def reset_unanswered(x: Exchange) -> None:
    x.line.reset()


@fault
async def reset_mid_body(x: Exchange) -> None:
    """Half of the promised body, then RST."""
    body = healthy.completion(x.text)
    await x.line.send(healthy.response(body[: len(body) // 2], length=len(body)))
    # Unread bytes would be thrown away with the RST; give the client time to take them.
    await asyncio.sleep(0.1)
    x.line.reset()


@fault
async def truncated_body(x: Exchange) -> None:
    """Half of the promised body, then FIN."""
    body = healthy.completion(x.text)
    await x.line.send(healthy.response(body[: len(body) // 2], length=len(body)))


@fault
async def truncated_chunk(x: Exchange) -> None:
    """A stream that stops inside a chunk."""
    await x.line.send(healthy.STREAM_HEAD + healthy.chunk(healthy.events(x.text)[0]) + b"ffff\r\ndata: {")


@fault
async def truncated_stream(x: Exchange) -> bool:
    """HTTP ends as it should; the stream has neither finish reason nor [DONE]."""
    await x.stream(healthy.events(x.text)[:3])
    return True


@fault
async def stall(x: Exchange) -> None:
    """Falls silent between two tokens."""
    parts = healthy.events(x.text)
    await x.line.send(healthy.STREAM_HEAD + b"".join(map(healthy.chunk, parts[:3])))
    await _sleep_or_gone(x, x.config.stall_s)
    for part in [*parts[3:], *healthy.tail(x.text, x.asked.wants_usage())]:
        await x.line.send(healthy.chunk(part))
    await x.line.send(healthy.LAST_CHUNK)


@fault
async def drip(x: Exchange) -> None:
    """A correct answer, one byte at a time."""
    for byte in healthy.response(healthy.completion(x.text)):
        await x.line.send(bytes([byte]))
        await asyncio.sleep(x.config.drip_s)


@fault
async def garbage(x: Exchange) -> None:
    await x.line.send(b"\x16\x03\x01\x02\x00\x01\x00 this is not HTTP \xff\xfe\r\n\r\n")


@fault
async def bad_chunk_size(x: Exchange) -> None:
    await x.line.send(healthy.STREAM_HEAD + b"zz\r\ndata: {}\r\n")


@fault
async def invalid_utf8(x: Exchange) -> bool:
    if x.asked.wants_stream():
        parts = healthy.events(x.text)
        await x.stream(
            [*parts[:2], parts[2].replace(b'"content":"', b'"content":"\xff\xc3'), *healthy.tail("", False)]
        )
    else:
        spoilt = healthy.completion(x.text).replace(b'"content":"', b'"content":"\xff\xc3')
        await x.line.send(healthy.response(spoilt))
    return True


@fault
async def wrong_content_type(x: Exchange) -> bool:
    """A login page with status 200."""
    await x.refuse("200 OK", b"<html><body>Please sign in</body></html>", "text/html")
    return True


@fault
async def malformed_json(x: Exchange) -> bool:
    await x.line.send(healthy.response(healthy.completion(x.text)[:-20]))
    return True


@fault
async def malformed_sse(x: Exchange) -> bool:
    await x.stream([healthy.events(x.text)[0], b"data: {not json}\n\n", *healthy.tail("", False)])
    return True


@fault
async def empty(x: Exchange) -> bool:
    """Status 200 and nothing in it."""
    await x.line.send(healthy.response(b""))
    return True


@fault
async def gzip_bomb(x: Exchange) -> bool:
    """Some hundred KiB that become ``bomb_mib`` MiB; sent whether or not gzip was asked for."""
    body = _bomb(x.config.bomb_mib)
    await x.line.send(healthy.response(body, headers=["Content-Encoding: gzip"]))
    return True


@fault
async def bad_gzip(x: Exchange) -> bool:
    await x.line.send(healthy.response(b"\x1f\x8b not gzip", headers=["Content-Encoding: gzip"]))
    return True


@fault
async def endless_body(x: Exchange) -> None:
    await x.line.send(healthy.STREAM_HEAD)
    block = healthy.chunk(healthy.event({"content": "and on " * 1000}))
    while True:
        await x.line.send(block)


@fault
async def endless_line(x: Exchange) -> None:
    """A stream whose first event never ends."""
    await x.line.send(healthy.STREAM_HEAD)
    block = healthy.chunk(b"x" * 65536)
    while True:
        await x.line.send(block)


@fault
async def header_flood(x: Exchange) -> None:
    await x.line.send(b"HTTP/1.1 200 OK\r\n")
    for block in range(400):
        lines = (f"X-Flood-{block}-{n}: {'y' * 180}\r\n" for n in range(25))
        await x.line.send("".join(lines).encode())
    await x.line.send(b"Content-Length: 0\r\n\r\n")


_streaming: list[Line] = []


@fault
async def one_at_a_time(x: Exchange) -> None:
    """Serves one stream at a time: the next request cuts the one that runs."""
    for line in _streaming:
        line.close()
    _streaming[:] = [x.line]
    parts = [*healthy.events(x.text), *healthy.tail(x.text, x.asked.wants_usage())]
    await x.line.send(healthy.STREAM_HEAD + b"".join(map(healthy.chunk, parts[:3])))
    await _sleep_or_gone(x, 5 * x.config.drip_s)
    await x.line.send(b"".join(map(healthy.chunk, parts[3:])) + healthy.LAST_CHUNK)


@fault
async def redirect(x: Exchange) -> bool:
    """To another host, which counts the credentials that follow."""
    await x.refuse("307 Temporary Redirect", b"", "text/plain", f"Location: {x.elsewhere}")
    return True


@fault
async def throttled(x: Exchange) -> bool:
    """429 with Retry-After."""
    body = b'{"error":{"message":"slow down","type":"rate_limit_exceeded","param":null,"code":"rate_limit"}}'
    headers = [f"Retry-After: {x.config.retry_after_s}"]
    await x.refuse("429 Too Many Requests", body, "application/json", *headers)
    return True


@fault
async def throttled_bare(x: Exchange) -> bool:
    """429 without Retry-After, as plain text."""
    await x.refuse("429 Too Many Requests", b"slow down", "text/plain")
    return True


@fault
async def overloaded(x: Exchange) -> bool:
    """503 with Retry-After: the server protects itself."""
    await x.refuse("503 Service Unavailable", b"busy", "text/plain", f"Retry-After: {x.config.retry_after_s}")
    return True


@fault
async def error_500(x: Exchange) -> bool:
    await x.refuse("500 Internal Server Error", b'{"error":{"message":"boom","type":"server_error"}}')
    return True


@fault
async def error_400(x: Exchange) -> bool:
    await x.refuse("400 Bad Request", b'{"error":{"message":"no","type":"invalid_request_error"}}')
    return True


@fault
async def error_detail(x: Exchange) -> bool:
    """A 422 whose error is a list of details."""
    body = b'{"detail":[{"loc":["body","temperature"],"msg":"extra fields not permitted","type":"extra"}]}'
    await x.refuse("422 Unprocessable Entity", body)
    return True


@fault
async def storm(x: Exchange) -> bool:
    """5xx in bouts: ``storm`` of them in a row, then as many good answers."""
    if (x.number - 1) // x.config.storm % 2:
        await x.answer()
    else:
        await x.refuse("502 Bad Gateway", b"<html>bad gateway</html>", "text/html")
    return True


@fault
async def error_in_stream(x: Exchange) -> bool:
    """A 200 stream that turns into an error."""
    broken = b'data: {"error":{"message":"engine died","type":"server_error","code":500}}\n\n'
    await x.stream([*healthy.events(x.text)[:3], broken, healthy.DONE])
    return True


@fault
async def error_line_in_stream(x: Exchange) -> bool:
    """The same as a bare line of JSON."""
    await x.stream([*healthy.events(x.text)[:3], b'{"error":{"message":"engine died"}}\n\n'])
    return True


@fault
async def content_filter(x: Exchange) -> bool:
    await x.stream([healthy.events(x.text)[0], healthy.event({}, "content_filter"), healthy.DONE])
    return True


@fault
async def somebody_else(x: Exchange) -> bool:
    """A right answer, to another request."""
    await x.answer(x.foreign)
    return True


@fault
async def duplicate(x: Exchange) -> bool:
    """The whole answer twice on one connection: the second waits for whoever uses it next."""
    await x.answer()
    await x.answer()
    return True


@fault
async def duplicate_events(x: Exchange) -> bool:
    """One stream in which everything is said twice."""
    parts = [*healthy.events(x.text), *healthy.tail(x.text, x.asked.wants_usage())]
    await x.stream([part for part in parts for _ in range(2)])
    return True


@fault
async def stale_keep_alive(x: Exchange) -> None:
    """Promises keep-alive, answers well, and closes."""
    await x.answer()


async def _sleep_or_gone(x: Exchange, seconds: float) -> None:
    try:
        await asyncio.wait_for(x.line.until_gone(), seconds)
    except TimeoutError:
        pass


@cache
def _bomb(mib: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(mib)) + packer.flush()
