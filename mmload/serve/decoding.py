"""The preprocess stage: pictures decoded and resized by a bounded number of threads.

Not aware of what follows.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from mmload.serve import pixels
from mmload.serve.chat import ApiError, Ask, image_bytes
from mmload.serve.pixels import BadImageError, Picture
from mmload.serve.stage import Stage
from mmload.serve.tokens import text_tokens

_PACE = 0.1
"""Weight of the newest request in the moving average that waits are foretold from."""
_TINY_URL = 8192
_TINY_PIXELS = 256 * 256


@dataclass(frozen=True, slots=True)
class Seen:
    """What preprocessing made of a request."""

    pictures: tuple[Picture, ...]
    text_tokens: int


class Decoder:
    """``workers`` threads; of the others at most ``waiting`` wait."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._workers = workers
        self._stage = Stage(workers, waiting)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._took_s = 0.0

    def start(self) -> None:
        pixels.warm_up()

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def expected_wait_s(self) -> float:
        """How long a newcomer would wait for a thread, at today's pace."""
        return self._stage.inside * self._took_s / self._workers

    async def look(self, ask: Ask, edge: int | None) -> Seen:
        """Decode every picture and shrink it to ``edge``. Raises ApiError 400, StageFullError."""
        if sum(map(len, ask.images)) < _TINY_URL and len(ask.text) < _TINY_URL:
            # A hop to a thread costs more than looking at an icon does.
            data = [image_bytes(url) for url in ask.images]
            if sum(map(_area, data)) <= _TINY_PIXELS:
                return _look(data, ask.text, edge)
        async with self._stage:
            work = self._threads.submit(_decode, ask, edge)
            seen, took = await asyncio.wrap_future(work)
        self._took_s += _PACE * (took - self._took_s)
        return seen


def _area(data: bytes) -> int:
    try:
        width, height = pixels.inspect(data)
    except BadImageError as error:
        raise _bad(error) from None
    return width * height


def _decode(ask: Ask, edge: int | None) -> tuple[Seen, float]:
    """What was seen, and the seconds that it took this thread."""
    before = perf_counter()
    seen = _look([image_bytes(url) for url in ask.images], ask.text, edge)
    return seen, perf_counter() - before


def _look(images: list[bytes], text: str, edge: int | None) -> Seen:
    try:
        pictures = tuple(pixels.see(data, edge) for data in images)
    except BadImageError as error:
        raise _bad(error) from None
    return Seen(pictures, text_tokens(text))


def _bad(error: BadImageError) -> ApiError:
    return ApiError(400, str(error), param="messages", code="invalid_image")
