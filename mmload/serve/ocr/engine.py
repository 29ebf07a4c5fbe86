"""The engine ``ocr``: a bounded queue, a few reading threads, and a deadline for every request.

When a thread takes a request, the picture is shrunk to the largest size that is expected to be read in its
share of the time that is left, and reading stops when that time is up: under load, what was not read lowers
quality for real. Not aware of HTTP, and knows no truth.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from PIL import Image

from mmload.profile import Ocr
from mmload.serve import pixels
from mmload.serve.chat import ApiError, Ask, image_bytes
from mmload.serve.ladder import SHED_SHARE, Rung
from mmload.serve.meters import Meters
from mmload.serve.ocr.page import Page
from mmload.serve.ocr.reader import Reader
from mmload.serve.ocr.rules import respond
from mmload.serve.pixels import BadImageError
from mmload.serve.sight import fit, vision_tokens
from mmload.serve.stage import Stage, StageFullError
from mmload.serve.ticket import Ticket
from mmload.serve.tokens import pieces, text_tokens
from mmload.serve.views import CHAT_OVERHEAD_TOKENS

EDGES = {Rung.FULL: 2048, Rung.SHRINK: 1280, Rung.CUT: 720, Rung.FALLBACK: 400}
"""Long edge by rung, px."""
_PACE = 0.2
_SLOWEST = 6.0
"""One reading that a busy machine held up counts for no more than this."""
_LINES_S = 0.4
_PER_MPX_S = 0.9
"""What reading took one core of the machine that this was written on: recognition, and detection by size."""
_QUEUEING_SHARE = 0.7
"""Share of the objective that may pass in the queue: after all of it there is no time left for reading."""


@dataclass(eq=False, kw_only=True)
class OcrTicket(Ticket):
    images: list[bytes]
    sizes: list[tuple[int, int]]
    prompt: str
    max_tokens: int
    tool: bool
    deadline: float
    queued_at: float
    started_at: float | None = None
    work: asyncio.Future[tuple[str, float]] | None = None


class OcrPipeline:
    """Reading threads behind one queue; ``reader`` is what a thread reads a picture with."""

    any_model = True

    def __init__(self, config: Ocr, reader: Reader, meters: Meters) -> None:
        self.config = config
        self.meters = meters
        self._reader = reader
        self._places = Stage(config.workers, config.queue_limit)
        self._threads = ThreadPoolExecutor(config.workers, thread_name_prefix="read")
        self._slowness = 1.0
        """How much longer than by those figures reading lately took here (moving average)."""
        self._took_s = _nominal_s(1.0)
        meters.watch(
            running=lambda: min(self._places.inside, config.workers),
            waiting=lambda: max(0, self._places.inside - config.workers),
            cache=None,
            rung=lambda: 0,
        )

    def models(self) -> list[dict[str, Any]]:
        return [{"id": self.config.model}]

    def start(self) -> None:
        """Load the models in every thread: the first requests would else find their time spent."""
        pixels.warm_up()
        together = threading.Barrier(self.config.workers)
        warm = [self._threads.submit(self._warm_up, together) for _ in range(self.config.workers)]
        for one in warm:
            one.result()

    def _warm_up(self, together: threading.Barrier) -> None:
        together.wait()
        self._reader(Image.new("RGB", (320, 64), "white"), 1.0, math.inf)

    async def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def take(self, ask: Ask) -> OcrTicket:
        """Admit or shed. Raises ApiError: 400 bad image, 429 shed."""
        arrived = perf_counter()
        before = max(0, self._places.inside - self.config.workers + 1) / self.config.workers
        self.meters.wait.set(before * self._took_s)
        if self._too_late(before):
            raise _shed(before * self._took_s)
        images = [image_bytes(url) for url in ask.images[ask.subject]]
        try:
            sizes = [pixels.inspect(data) for data in images]
        except BadImageError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_image") from None
        now = perf_counter()
        ticket = OcrTicket(
            rung=Rung.FULL,
            model=self.config.model,
            scale=1.0,
            arrived=arrived,
            stages={},
            prompt_tokens=0,
            cached_tokens=0,
            text="",
            pieces=[],
            finish="stop",
            images=images,
            sizes=sizes,
            prompt=ask.asked,
            max_tokens=ask.max_tokens,
            tool=ask.tool is not None,
            deadline=arrived + self.config.slo_ms / 1e3,
            queued_at=now,
        )
        self._stage(ticket, "preprocess", now - arrived)
        return ticket

    def _too_late(self, before: float) -> bool:
        """Whether a newcomer with so many rounds of reading ``before`` it could not be read in time."""
        if before == 0:
            # A thread is free. Refusing here would also keep the pace from ever being measured again.
            return False
        slo_s = self.config.slo_ms / 1e3
        if not self.config.ladder:
            return before * self._took_s > SHED_SHARE * slo_s
        # Even if all before it were read at the smallest size.
        return (before + 1) * self._least_s() > _QUEUEING_SHARE * slo_s

    async def reach_model(self, ticket: OcrTicket) -> None:
        """Wait for a thread, choose the size that fits the time left, and start reading."""
        try:
            await self._places.enter()
        except StageFullError:
            raise _shed(self._took_s) from None
        now = perf_counter()
        ticket.started_at = now
        self._stage(ticket, "queue", now - ticket.queued_at)
        waiting = max(0, self._places.inside - self.config.workers)
        fair = _QUEUEING_SHARE * self.config.slo_ms / 1e3 * self.config.workers / (waiting + 1)
        ticket.rung = self._rung(ticket.sizes, min(ticket.deadline - now, fair))
        self.meters.rungs.labels(f"L{int(ticket.rung)}").inc()
        seen = [fit(*size, EDGES[ticket.rung]) for size in ticket.sizes]
        ticket.scale = min((s[0] / size[0] for s, size in zip(seen, ticket.sizes, strict=True)), default=1.0)
        ticket.prompt_tokens = (
            text_tokens(ticket.prompt) + sum(vision_tokens(*size) for size in seen) + CHAT_OVERHEAD_TOKENS
        )
        work = self._threads.submit(self._read, ticket)
        # The slot is given back when the thread is done, not when the client has gone.
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._places.leave))
        ticket.work = asyncio.wrap_future(work)

    def _least_s(self) -> float:
        """What one reading at the smallest size takes, at today's pace."""
        return self._slowness * _nominal_s(EDGES[Rung.FALLBACK] ** 2 / 1e6)

    def _rung(self, sizes: list[tuple[int, int]], left_s: float) -> Rung:
        if not self.config.ladder:
            return Rung.FULL
        for rung, edge in EDGES.items():
            area = sum(w * h for w, h in (fit(*size, edge) for size in sizes)) / 1e6
            if self._slowness * _nominal_s(area) <= left_s:
                return rung
        return Rung.FALLBACK

    def _read(self, ticket: OcrTicket) -> tuple[str, float]:
        """In a thread: decode, shrink, read, answer. Returns the answer and the million pixels read."""
        edge, pages, area = EDGES[ticket.rung], list[Page](), 0.0
        for data in ticket.images:
            picture = pixels.see(data, edge, keep=True)
            assert picture.pixels is not None  # kept, as was asked
            # Whoever was admitted gets the time of one reading at the smallest size, however late it is.
            until = max(ticket.deadline, perf_counter() + self._least_s())
            pages.append(
                self._reader(picture.pixels, picture.scale, until if self.config.ladder else math.inf)
            )
            area += picture.seen_width * picture.seen_height / 1e6
        return respond(pages, ticket.prompt), area

    async def finish(self, ticket: OcrTicket) -> None:
        """Wait for the answer. Raises ApiError 400 for a picture that breaks off."""
        if ticket.work is None or ticket.text:
            return
        try:
            text, area = await asyncio.shield(ticket.work)
        except BadImageError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_image") from None
        took = perf_counter() - (ticket.started_at or ticket.arrived)
        self._took_s += _PACE * (took - self._took_s)
        self._slowness += _PACE * (min(took / _nominal_s(area), _SLOWEST) - self._slowness)
        ticket.text = text
        parts = pieces(text)
        ticket.pieces = parts[: ticket.max_tokens]
        if len(parts) > ticket.max_tokens:
            ticket.finish = "length"
        elif ticket.tool:
            ticket.finish = "tool_calls"

    async def follow(self, ticket: OcrTicket) -> AsyncIterator[int]:
        """Everything at once: there are no tokens before all is read."""
        await self.finish(ticket)
        yield len(ticket.pieces)

    def settle(self, ticket: OcrTicket) -> None:
        now = perf_counter()
        self._stage(ticket, "model", now - (ticket.started_at or now))
        whole = now - ticket.arrived
        self.meters.queued.observe(ticket.stages["queue"])
        self.meters.answered(ticket, whole, whole, len(ticket.pieces))

    def release(self, ticket: OcrTicket) -> None:
        """Nothing to do: the thread that reads gives its slot back itself."""

    def _stage(self, ticket: OcrTicket, name: str, seconds: float) -> None:
        ticket.stages[name] = seconds
        self.meters.stages[name].observe(seconds)


def _nominal_s(mpx: float) -> float:
    return _LINES_S + _PER_MPX_S * mpx


def _shed(wait_s: float) -> ApiError:
    return ApiError(
        429,
        f"overloaded: a request would wait {wait_s:.1f} s",
        kind="rate_limit_exceeded",
        code="overloaded",
        retry_after_s=max(1, math.ceil(wait_s)),
    )
