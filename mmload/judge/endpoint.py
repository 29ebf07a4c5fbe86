"""Asks the judge over HTTP: one request an answer, a second one if the first came to nothing.

Not aware of the journal or of which answers are chosen. The credential lives in the headers of the
session, in memory only; nothing that the judge sends back is kept but its verdict and its tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import aiohttp

from mmload import __version__
from mmload.judge.asking import Reply, likely_tokens, read, request
from mmload.judge.pace import Pace
from mmload.model import Answer, Item, Judgement
from mmload.profile import Judge

_ATTEMPTS: Final = 2
_MAX_REPLY: Final = 1024 * 1024
_MAX_HOLD_S: Final = 60.0
"""The longest pause that a judge can ask for by ``Retry-After``."""
_FINAL: Final = ("", "http_3xx", "http_4xx")
"""What a second attempt cannot mend."""


def session(judge: Judge, key: str | None) -> aiohttp.ClientSession:
    """A session for one judge; follows no proxy of the environment and keeps no cookies."""
    headers = {"User-Agent": f"mmload/{__version__}", "Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=judge.timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=judge.max_in_flight),
    )


class Endpoint:
    """One judge. ``suite_dir`` is where the files of the images are."""

    def __init__(self, judge: Judge, http: aiohttp.ClientSession, pace: Pace, suite_dir: Path) -> None:
        self._judge, self._http, self._pace, self._suite_dir = judge, http, pace, suite_dir
        self._url = judge.url.rstrip("/") + "/chat/completions"
        self._at_work: set[int] = set()

    async def ask(self, item: Item, answer: Answer) -> Judgement:
        """The judgement of one answer; what goes wrong is in its ``error``."""
        try:
            files = [self._suite_dir / image.file for image in item.images] if self._judge.images else []
            images = [file.read_bytes() for file in files]
        except OSError:
            return Judgement(answer.seq, item.index, None, "image", 0, 0)
        body = request(self._judge, item, answer.text, images)
        likely = likely_tokens(self._judge, item, answer.text)
        tokens: list[tuple[int | None, int | None]] = []
        for _ in range(_ATTEMPTS):
            await self._pace.turn()
            self._at_work.add(answer.seq)
            reply = await self._attempt(body, likely)
            self._at_work.discard(answer.seq)
            tokens.append((reply.tokens_in, reply.tokens_out))
            if reply.error in _FINAL:
                break
        spent_in, spent_out = (_sum(column) for column in zip(*tokens, strict=True))
        return Judgement(answer.seq, item.index, reply.correct, reply.error, spent_in, spent_out)

    def cut(self, item: Item, answer: Answer) -> Judgement:
        """Of an answer whose time is over: charged for its input if the judge is at work on it."""
        busy = answer.seq in self._at_work
        spent = likely_tokens(self._judge, item, answer.text) if busy else 0
        return Judgement(answer.seq, item.index, None, "out_of_time", spent, 0)

    async def _attempt(self, body: bytes, likely: int | None) -> Reply:
        try:
            # A redirect would carry the key to a host that nobody named.
            async with self._http.post(self._url, data=body, allow_redirects=False) as response:
                if response.status != 200:
                    self._pace.hold(retry_after_s(response.headers.get("Retry-After", "")))
                    return Reply(None, _refused(response.status), 0, 0)
                raw = bytearray()
                async for piece in response.content.iter_chunked(65536):
                    raw += piece
                    if len(raw) > _MAX_REPLY:
                        return Reply(None, "bad_verdict", likely, None)
        except TimeoutError:
            return Reply(None, "timeout", likely, 0)
        except aiohttp.ClientConnectorError:
            return Reply(None, "connect", 0, 0)
        except aiohttp.ClientError:
            return Reply(None, "connect", likely, 0)
        return read(bytes(raw), likely)


def retry_after_s(header: str) -> float:
    """Seconds that a ``Retry-After`` of whole seconds asks for, at most a minute; of anything else, none."""
    return min(float(header), _MAX_HOLD_S) if header.isascii() and header.isdigit() else 0.0


def _refused(status: int) -> str:
    if status == 429:
        return "http_429"
    return f"http_{status // 100}xx" if status >= 300 else "bad_verdict"


def _sum(counts: tuple[int | None, ...]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
