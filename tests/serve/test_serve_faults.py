"""The fault server: each fault is what its name says, seen from a bare socket."""

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from known_items import ask, item, picture

from mmload.model import InputError
from mmload.serve.fault_server import FAULTS, FaultServer, read_fault_config

FULL = 1 << 22
DATA = picture(mark="a")
ITEMS = [item(0, DATA), item(1, picture(mark="b"))]


class Visitor:
    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls

    async def connect(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = urlsplit(self.urls[name])
        return await asyncio.open_connection(url.hostname, url.port, limit=FULL)

    async def send(self, writer: asyncio.StreamWriter, name: str, stream: bool = False, **more: Any) -> None:
        body = ask("?", DATA, stream=stream, **more)
        path = urlsplit(self.urls[name]).path + "/chat/completions"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async def raw(self, name: str, stream: bool = False, limit: int = FULL, **more: Any) -> bytes:
        """Everything until the end, a quarter of a second of silence, or ``limit`` bytes."""
        reader, writer = await self.connect(name)
        await self.send(writer, name, stream, **more)
        got = b""
        try:
            while len(got) < limit:
                piece = await asyncio.wait_for(reader.read(65536), 0.25)
                if not piece:
                    break
                got += piece
        except TimeoutError:
            pass
        finally:
            writer.close()
        return got


def visiting(test: Callable[[Visitor], Awaitable[None]], config: str = "{}") -> None:
    async def main() -> None:
        server = FaultServer(read_fault_config(config), ITEMS)
        try:
            await asyncio.wait_for(test(Visitor(server.start())), 30)
        finally:
            await server.stop()

    asyncio.run(main())


def promised(raw: bytes) -> int:
    return int(re.findall(rb"Content-Length: (\d+)", raw)[0])


def body_of(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[2]


def unchunked(raw: bytes) -> bytes:
    rest, out = body_of(raw), b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        out += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return out


def said(raw: bytes) -> str:
    events = [json.loads(e[6:]) for e in unchunked(raw).decode().split("\n\n") if e.startswith("data: {")]
    return "".join(c["delta"].get("content", "") for e in events for c in e["choices"])


def test_without_a_fault_it_answers_right_from_the_suite() -> None:
    async def test(visit: Visitor) -> None:
        whole = json.loads(body_of(await visit.raw("ok")))
        assert json.loads(whole["choices"][0]["message"]["content"])["answer"] == ITEMS[0].truth["answer"]
        streamed = await visit.raw("ok", stream=True, stream_options={"include_usage": True})
        assert said(streamed) == whole["choices"][0]["message"]["content"]
        assert b'"usage"' in streamed and unchunked(streamed).endswith(b"data: [DONE]\n\n")

    visiting(test)


def test_a_refused_port_refuses() -> None:
    async def test(visit: Visitor) -> None:
        with pytest.raises(ConnectionRefusedError):
            await visit.connect("refuse")

    visiting(test)


@pytest.mark.parametrize("name", ["reset-mid-body", "reset-unanswered"])
def test_a_reset_is_a_reset_and_not_an_end(name: str) -> None:
    async def test(visit: Visitor) -> None:
        with pytest.raises(ConnectionResetError):
            await visit.raw(name)

    visiting(test)


def test_a_reset_in_mid_body_comes_after_half_of_it() -> None:
    async def test(visit: Visitor) -> None:
        reader, writer = await visit.connect("reset-mid-body")
        await visit.send(writer, "reset-mid-body")
        head = await reader.readuntil(b"\r\n\r\n")
        half = promised(head) // 2
        assert len(await reader.readexactly(half)) == half

    visiting(test)


@pytest.mark.parametrize(
    ("name", "stream", "holds"),
    [
        ("hang", False, lambda raw: raw == b""),
        ("close-unanswered", False, lambda raw: raw == b""),
        (
            "truncated-body",
            False,
            lambda raw: 0 < len(body_of(raw)) < promised(raw),
        ),
        ("truncated-chunk", True, lambda raw: raw.endswith(b"ffff\r\ndata: {")),
        ("truncated-stream", True, lambda raw: raw.endswith(b"0\r\n\r\n") and b'finish_reason":"' not in raw),
        ("stall", True, lambda raw: b"data:" in raw and not raw.endswith(b"0\r\n\r\n")),
        ("drip", False, lambda raw: raw == b"H"),
        ("garbage", False, lambda raw: not raw.startswith(b"HTTP")),
        ("bad-chunk-size", True, lambda raw: body_of(raw).startswith(b"zz\r\n")),
        ("invalid-utf8", True, lambda raw: b"\xff\xc3" in raw),
        ("invalid-utf8", False, lambda raw: b"\xff\xc3" in raw),
        ("wrong-content-type", False, lambda raw: b"200 OK" in raw and b"Content-Type: text/html" in raw),
        ("malformed-json", False, lambda raw: b"200 OK" in raw and not raw.endswith(b"}")),
        ("malformed-sse", True, lambda raw: b"data: {not json}" in raw),
        ("empty", False, lambda raw: body_of(raw) == b"" and b"200 OK" in raw),
        ("bad-gzip", False, lambda raw: b"Content-Encoding: gzip" in raw),
        ("endless-body", True, lambda raw: len(raw) >= FULL),
        ("endless-line", True, lambda raw: len(raw) >= FULL and b"\n" not in raw[200:].replace(b"\r\n", b"")),
        ("header-flood", False, lambda raw: raw.count(b"X-Flood") == 10_000),
        ("redirect", False, lambda raw: b"307" in raw and b"Location: http://127.0.0.2:" in raw),
        ("throttled", False, lambda raw: b"429" in raw and b"Retry-After: 1" in raw),
        ("throttled-bare", False, lambda raw: b"429" in raw and b"Retry-After" not in raw),
        ("overloaded", False, lambda raw: b"503" in raw and b"Retry-After" in raw),
        ("error-500", False, lambda raw: b"500" in raw and b'"error"' in raw),
        ("error-400", False, lambda raw: b"400" in raw and b'"error"' in raw),
        ("error-detail", False, lambda raw: b"422" in raw and b'"detail"' in raw),
        ("error-in-stream", True, lambda raw: b"200 OK" in raw and b'data: {"error"' in raw),
        ("error-line-in-stream", True, lambda raw: b'{"error"' in raw and b'data: {"error"' not in raw),
        ("content-filter", True, lambda raw: b'"content_filter"' in raw),
        ("duplicate", False, lambda raw: raw.count(b"HTTP/1.1 200 OK") == 2),
        ("duplicate-events", True, lambda raw: raw.count(b"[DONE]") == 2 and raw.count(b"HTTP/1.1") == 1),
        ("stale-keep-alive", False, lambda raw: b"Connection: close" not in raw and b'"stop"' in raw),
        ("no-done", True, lambda raw: b"[DONE]" not in raw and b'"stop"' in raw),
        ("usage-with-choice", True, lambda raw: re.search(rb'"stop"}\],"usage"', raw)),
        ("crlf-events", True, lambda raw: b"\xef\xbb\xbf" in raw),
        ("until-close", True, lambda raw: b"chunked" not in raw and raw.endswith(b"[DONE]\n\n")),
    ],
)
def test_a_fault_is_what_its_name_says(name: str, stream: bool, holds: Callable[[bytes], bool]) -> None:
    async def test(visit: Visitor) -> None:
        raw = await visit.raw(name, stream)
        assert holds(raw), raw[:600]

    visiting(test, '{"drip_s": 0.6}')


def test_the_bomb_is_small_on_the_wire_and_large_when_opened() -> None:
    async def test(visit: Visitor) -> None:
        packed = body_of(await visit.raw("gzip-bomb"))
        assert len(packed) < 100_000
        assert len(gzip.decompress(packed)) == 16 << 20
        assert zlib.decompressobj(wbits=31).decompress(packed, 1)

    visiting(test, '{"bomb_mib": 16}')


def test_an_answer_for_somebody_else_is_right_for_another_item() -> None:
    async def test(visit: Visitor) -> None:
        whole = json.loads(body_of(await visit.raw("somebody-else")))
        other = json.loads(whole["choices"][0]["message"]["content"])
        assert other["nonce"] == ITEMS[1].nonce

    visiting(test)


def test_usage_asked_for_may_never_come() -> None:
    async def test(visit: Visitor) -> None:
        raw = await visit.raw("no-usage", stream=True, stream_options={"include_usage": True})
        assert b'"usage"' not in raw and b"[DONE]" in raw

    visiting(test)


def test_a_storm_comes_in_bouts() -> None:
    async def test(visit: Visitor) -> None:
        seen = [b"502" in (await visit.raw("storm"))[:20] for _ in range(6)]
        assert seen == [True, True, False, False, True, True]

    visiting(test, '{"storm": 2}')


def test_a_slow_accept_is_late_and_right() -> None:
    async def test(visit: Visitor) -> None:
        reader, writer = await visit.connect("slow-accept")
        await visit.send(writer, "slow-accept")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(10), 0.2)
        assert (await reader.read(12)) == b"HTTP/1.1 200"
        writer.close()

    visiting(test, '{"accept_s": 0.5}')


def test_the_other_host_counts_the_credentials_that_follow() -> None:
    async def test(visit: Visitor) -> None:
        raw = await visit.raw("redirect")
        where = urlsplit(re.findall(rb"Location: (\S+)", raw)[0].decode())
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n")
        reader, asking = await visit.connect("ok")
        seen = {}
        while seen.get("elsewhere_requests") != 1:
            asking.write(b"GET /_seen HTTP/1.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            seen = json.loads(await reader.readexactly(promised(head)))
        assert seen["elsewhere_credentials"] == 1
        assert seen["requests"] == {"redirect": 1}

    visiting(test)


def test_rates_choose_faults_by_the_seed() -> None:
    async def outcomes(visit: Visitor) -> list[bytes]:
        reader, writer = await visit.connect("ok")
        found = []
        for _ in range(200):
            await visit.send(writer, "ok")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(promised(head))
            found.append(head[9:12])
        writer.close()
        return found

    runs: list[list[bytes]] = []

    async def test(visit: Visitor) -> None:
        runs.append(await outcomes(visit))

    for _ in range(2):
        visiting(test, '{"rates": {"error-500": 0.2, "throttled": 0.1}}')
    assert runs[0] == runs[1]
    assert abs(runs[0].count(b"500") - 40) < 22
    assert abs(runs[0].count(b"429") - 20) < 17
    assert runs[0].count(b"200") > 100


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "--config"),
        ('{"rate": {}}', "rate"),
        ('{"rates": {"hung": 0.1}}', "hung"),
        ('{"rates": {"hang": 1.1}}', "rates.hang"),
        ('{"rates": {"hang": 0.6, "drip": 0.6}}', "more than 1"),
    ],
)
def test_a_bad_configuration_is_refused_by_name(config: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        read_fault_config(config)


def test_every_fault_says_what_it_is_by_its_name() -> None:
    assert len(FAULTS) >= 35
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in FAULTS)
