"""The simulated pipeline: admission, preprocess, retrieval, policy, queue, model, validate.

Pictures are decoded and resized for real; the time of retrieval and of the model is simulated.
Not aware of HTTP: it is handed a parsed request and hands back a ticket to follow.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from time import perf_counter

from mmload.model import Item
from mmload.profile import Sim
from mmload.serve import pixels
from mmload.serve.answers import Reply, View, answer, stranger, uniform
from mmload.serve.batch import Batcher, Job, QueueFullError
from mmload.serve.chat import ApiError, Ask, Usage, image_bytes
from mmload.serve.known import Known
from mmload.serve.ladder import LIMITS, Ladder, Limits, Rung
from mmload.serve.meters import Meters
from mmload.serve.pixels import BadImageError, Picture
from mmload.serve.sight import LARGE, SMALL, vision_tokens
from mmload.serve.tokens import pieces, text_tokens

RETRIEVAL_S = 0.02
CHAT_OVERHEAD_TOKENS = 8
CACHE_TOKENS_PER_SLOT = 16_384
_PACE = 0.1
_TINY_URL = 8192
_TINY_PIXELS = 256 * 256
_NORMAL = NormalDist()


@dataclass(eq=False)
class Ticket:
    """One admitted request on its way through the pipeline."""

    rung: Rung
    model: str
    scale: float
    reply: Reply
    pieces: list[str]
    finish: str
    prompt_tokens: int
    job: Job
    stages: dict[str, float]
    """Seconds by stage, in the order in which they were passed."""
    arrived: float

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, len(self.pieces))

    def server_timing(self) -> str:
        return ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in self.stages.items())


@dataclass(frozen=True, slots=True)
class _Seen:
    """What preprocessing made of a request."""

    pictures: tuple[Picture, ...]
    text_tokens: int


class Pipeline:
    """Everything that a served request passes, in one event loop and a few decoding threads."""

    def __init__(
        self, config: Sim, known: Known, meters: Meters, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.config = config
        self._clock = clock
        self.known = known
        self.meters = meters
        self.models = (config.model, config.fallback_model)
        self.ladder = Ladder(config.slo_ms / 1e3, config.ladder)
        self.batcher = Batcher(
            config.workers,
            config.slots,
            config.queue_limit,
            config.speed,
            config.stream_interval_ms / 1e3,
            clock,
        )
        self._threads = ThreadPoolExecutor(config.preprocess_workers, thread_name_prefix="decode")
        self._coming = 0
        self._decode_s = 0.0
        """How long decoding lately took one thread (moving average)."""
        self._times_asked: Counter[str] = Counter()
        meters.running.set_function(lambda: self.batcher.running)
        meters.waiting.set_function(lambda: len(self.batcher.waiting) + self._coming)
        meters.cache.set_function(self._cache_share)
        meters.kv_cache.set_function(self._cache_share)
        meters.rung.set_function(lambda: self.ladder.rung)

    def _cache_share(self) -> float:
        return min(1.0, self.batcher.tokens_held / (self.batcher.slots * CACHE_TOKENS_PER_SLOT))

    def start(self) -> None:
        pixels.warm_up()
        self.batcher.start()

    async def stop(self) -> None:
        await self.batcher.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def take(self, ask: Ask) -> Ticket:
        """Pass every stage up to the model's slot. Raises ApiError: 400 bad image, 429 shed, 500 planted."""
        arrived = self._clock()
        rung = self._admit(arrived)
        self._coming += 1
        try:
            ticket = await self._prepare(ask, rung, arrived)
        finally:
            self._coming -= 1
        try:
            self.batcher.submit(ticket.job)
        except QueueFullError:
            raise self._shed(self.batcher.expected_wait_s()) from None
        return ticket

    async def reach_model(self, ticket: Ticket) -> None:
        """Wait in the queue for a slot."""
        job = ticket.job
        while job.started_at is None:
            await job.changed.wait()
            job.changed.clear()
        self._stage(ticket, "queue", job.started_at - job.queued_at)

    def _admit(self, now: float) -> Rung:
        decoding = self._coming * self._decode_s / self.config.preprocess_workers
        wait = max(decoding, self.batcher.expected_wait_s(self._coming))
        self.meters.wait.set(wait)
        rung = self.ladder.admit(wait, now)
        if rung is Rung.SHED or len(self.batcher.waiting) + self._coming >= self.config.queue_limit:
            raise self._shed(wait)
        self.meters.rungs.labels(f"L{int(rung)}").inc()
        return rung

    def _shed(self, wait_s: float) -> ApiError:
        retry = max(1, math.ceil(wait_s - 0.25 * self.ladder.slo_s))
        return ApiError(
            429,
            f"overloaded: a request would wait {wait_s:.1f} s",
            kind="rate_limit_exceeded",
            code="overloaded",
            retry_after_s=retry,
        )

    async def _prepare(self, ask: Ask, rung: Rung, arrived: float) -> Ticket:
        limits = LIMITS[rung]
        stages: dict[str, float] = {}
        seen = await self._preprocess(ask, limits)
        stages["preprocess"] = self._clock() - arrived
        item = self.known.find([p.sha256 for p in seen.pictures], ask.text)
        asked = item.id if item else "unknown"
        number = self._times_asked[asked]
        self._times_asked[asked] += 1
        before = self._clock()
        await self._retrieve()
        stages["retrieval"] = self._clock() - before
        if uniform(self.config.seed, "error", asked, number) < self.config.error_rate:
            raise ApiError(500, "the pipeline failed (planted)", kind="server_error", code="planted_error")
        before = self._clock()
        ticket = self._decide(ask, rung, seen, item, number, arrived)
        stages["policy"] = self._clock() - before
        for name, seconds in stages.items():
            self._stage(ticket, name, seconds)
        return ticket

    async def _preprocess(self, ask: Ask, limits: Limits) -> _Seen:
        edge = limits.edge
        if sum(map(len, ask.images)) < _TINY_URL:
            data = [image_bytes(url) for url in ask.images]
            if sum(_area(d) for d in data) <= _TINY_PIXELS and len(ask.text) < _TINY_URL:
                return _look(data, ask.text, edge)
        loop = asyncio.get_running_loop()
        seen, took = await loop.run_in_executor(self._threads, _decode, ask, edge)
        self._decode_s += _PACE * (took - self._decode_s)
        return seen

    async def _retrieve(self) -> None:
        seconds = RETRIEVAL_S / self.config.speed + self.config.extra_delay_ms / 1e3
        if seconds > 0.0005:
            await asyncio.sleep(seconds)

    def _decide(
        self, ask: Ask, rung: Rung, seen: _Seen, item: Item | None, number: int, arrived: float
    ) -> Ticket:
        limits = LIMITS[rung]
        fallback = limits.fallback or ask.model == self.config.fallback_model
        eyes = SMALL if fallback else LARGE
        context = min(seen.text_tokens, limits.context_tokens or seen.text_tokens)
        reply = self._reply(
            ask,
            item,
            number,
            View(
                eyes,
                tuple(p.scale for p in seen.pictures),
                tuple(p.penalty for p in seen.pictures),
                _kept(ask.text, item, context / max(1, seen.text_tokens)),
            ),
        )
        parts = pieces(reply.text)
        finish = "length" if len(parts) > ask.max_tokens else "stop"
        parts = parts[: ask.max_tokens]
        pixels_in = sum(vision_tokens(p.seen_width, p.seen_height) for p in seen.pictures)
        tokens_in = context + pixels_in + CHAT_OVERHEAD_TOKENS
        job = Job(tokens_in, len(parts), eyes.cost, self._jitter(item, number), ask.stream)
        return Ticket(
            rung=rung,
            model=self.models[fallback],
            scale=min((p.scale for p in seen.pictures), default=1.0),
            reply=reply,
            pieces=parts,
            finish=finish,
            prompt_tokens=tokens_in,
            job=job,
            stages={},
            arrived=arrived,
        )

    def _reply(self, ask: Ask, item: Item | None, number: int, view: View) -> Reply:
        if item is None:
            return Reply(stranger(ask.wants_envelope), False, True, False)
        planted = uniform(self.config.seed, "plant", item.id, number) < self.config.hallucination_rate
        return answer(item, view, self.config.seed, planted)

    def _jitter(self, item: Item | None, number: int) -> float:
        if not self.config.jitter:
            return 1.0
        draw = uniform(self.config.seed, "jitter", item.id if item else "unknown", number)
        return math.exp(self.config.jitter * _NORMAL.inv_cdf(max(draw, 1e-12)))

    def _stage(self, ticket: Ticket, name: str, seconds: float) -> None:
        ticket.stages[name] = seconds
        self.meters.stages[name].observe(seconds)

    async def follow(self, ticket: Ticket) -> AsyncIterator[int]:
        """How many tokens there are by now, each time that there are more, until all are."""
        job, seen = ticket.job, 0
        while job.done_at is None or seen < job.emitted:
            if job.emitted == seen:
                await job.changed.wait()
                job.changed.clear()
            if job.emitted > seen:
                seen = job.emitted
                yield seen

    async def finish(self, ticket: Ticket) -> None:
        """Wait for the whole answer, then check it as a careful pipeline would."""
        job = ticket.job
        while job.done_at is None:
            await job.changed.wait()
            job.changed.clear()
        self.settle(ticket)

    def settle(self, ticket: Ticket) -> None:
        """The model is done: measure its stages, validate, count."""
        job = ticket.job
        if job.done_at is None or job.started_at is None or job.first_token_at is None:
            return
        self._stage(ticket, "model", job.done_at - job.started_at)
        before = self._clock()
        _valid(ticket.reply.text)
        self._stage(ticket, "validate", self._clock() - before)
        self._count(ticket, job.started_at, job.first_token_at, job.done_at)

    def _count(self, ticket: Ticket, started: float, first: float, done: float) -> None:
        meters, tokens = self.meters, len(ticket.pieces)
        meters.ttft.observe(first - ticket.arrived)
        meters.e2e.observe(done - ticket.arrived)
        meters.queued.observe(started - ticket.job.queued_at)
        meters.prefill.observe(first - started)
        meters.decode.observe(done - first)
        if tokens > 1:
            meters.gap.observe((done - first) / (tokens - 1))
        meters.prompt.inc(ticket.prompt_tokens)
        meters.generated.inc(tokens)
        meters.success.labels(self.config.model, ticket.finish).inc()

    def release(self, ticket: Ticket) -> None:
        """Whatever happened, give the slot back."""
        if ticket.job.done_at is None:
            self.batcher.cancel(ticket.job)


def _area(data: bytes) -> int:
    try:
        width, height = pixels.inspect(data)
    except BadImageError as error:
        raise ApiError(400, str(error), param="messages", code="invalid_image") from None
    return width * height


def _decode(ask: Ask, edge: int | None) -> tuple[_Seen, float]:
    """What was seen, and the seconds that it took this thread."""
    before = perf_counter()
    seen = _look([image_bytes(url) for url in ask.images], ask.text, edge)
    return seen, perf_counter() - before


def _look(images: list[bytes], text: str, edge: int | None) -> _Seen:
    try:
        pictures = tuple(pixels.see(data, edge) for data in images)
    except BadImageError as error:
        raise ApiError(400, str(error), param="messages", code="invalid_image") from None
    return _Seen(pictures, text_tokens(text))


def _kept(text: str, item: Item | None, share: float) -> int:
    """Characters of the item's prompt that are still there when the text is cut to its first ``share``."""
    start = text.find(item.prompt) if item else -1
    if item is None or start < 0:
        return 0
    return max(0, min(len(item.prompt), math.floor(len(text) * share) - start))


def _valid(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
