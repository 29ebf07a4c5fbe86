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
from dataclasses import dataclass
from statistics import NormalDist
from time import perf_counter
from typing import Any

from mmload.model import InputError, Item
from mmload.profile import Sim
from mmload.serve.answers import Reply, answer, stranger, uniform
from mmload.serve.batch import Batcher, Job, QueueFullError
from mmload.serve.chat import ApiError, Ask, joined
from mmload.serve.decoding import Decoder, Seen
from mmload.serve.known import Known
from mmload.serve.ladder import LIMITS, Ladder, Rung
from mmload.serve.media_cache import MediaCache
from mmload.serve.meters import Meters
from mmload.serve.planting import Planted, disguise, ideal, plant
from mmload.serve.prefix_cache import PrefixCache
from mmload.serve.stage import Stage, StageFullError
from mmload.serve.ticket import Ticket
from mmload.serve.tokens import pieces, text_tokens
from mmload.serve.views import CHAT_OVERHEAD_TOKENS, View, context_tokens, view

RETRIEVAL_S = 0.02
CACHE_TOKENS_PER_SLOT = 16_384
_NORMAL = NormalDist()


@dataclass(eq=False, kw_only=True)
class SimTicket(Ticket):
    job: Job
    reply: Reply


class Pipeline:
    """Everything that a served request passes, in one event loop and a few decoding threads."""

    any_model = False

    def __init__(
        self, config: Sim, known: Known, meters: Meters, clock: Callable[[], float] = perf_counter
    ) -> None:
        """Raises InputError for a price of a model that there is not."""
        self.config = config
        self.known = known
        self.meters = meters
        self.ladder = Ladder(config.slo_ms / 1e3, config.ladder)
        self.batcher = Batcher(
            config.workers,
            config.slots,
            config.queue_limit,
            config.speed,
            config.stream_interval_ms / 1e3,
            clock,
        )
        self._clock = clock
        self._names = (config.model, config.fallback_model)
        self._decoder = Decoder(config.preprocess_workers, config.preprocess_queue)
        self._retrieval = Stage(config.retrieval_workers, config.queue_limit)
        self._images = MediaCache(config.image_cache)
        self._prefixes = PrefixCache(config.prefix_cache)
        self._coming = 0
        """Admitted and not yet in the model's queue."""
        self._times_asked: Counter[str] = Counter()
        for name in config.prices:
            if name not in self._names:
                raise InputError(f"sim.prices.{name}: no such model; there are {' and '.join(self._names)}")
        meters.watch(
            running=lambda: self.batcher.running,
            waiting=lambda: len(self.batcher.waiting) + self._coming,
            cache=self._cache_share,
            rung=lambda: self.ladder.rung,
        )

    def _cache_share(self) -> float:
        return min(1.0, self.batcher.tokens_held / (self.batcher.slots * CACHE_TOKENS_PER_SLOT))

    def models(self) -> list[dict[str, Any]]:
        return [self._model(name) for name in dict.fromkeys(self._names)]

    def _model(self, name: str) -> dict[str, Any]:
        price = self.config.prices.get(name)
        if price is None:
            return {"id": name}
        per_token = {"prompt": price.input_usd_per_mtok / 1e6, "completion": price.output_usd_per_mtok / 1e6}
        return {"id": name, "pricing": {kind: f"{usd:.12f}".rstrip("0") for kind, usd in per_token.items()}}

    def start(self) -> None:
        self._decoder.start()
        self.batcher.start()

    async def stop(self) -> None:
        await self.batcher.stop()
        self._decoder.stop()

    async def take(self, ask: Ask) -> SimTicket:
        """Pass every stage up to the model's queue. Raises ApiError: 400 bad image, 429 shed, 500 planted."""
        arrived = self._clock()
        rung = self._admit(arrived)
        self._coming += 1
        try:
            ticket = await self._prepare(ask, rung, arrived)
            self.batcher.submit(ticket.job)
        except (QueueFullError, StageFullError):
            raise self._shed(self.batcher.expected_wait_s(self._coming)) from None
        finally:
            self._coming -= 1
        return ticket

    def _admit(self, now: float) -> Rung:
        wait = max(self._decoder.expected_wait_s(), self.batcher.expected_wait_s(self._coming))
        self.meters.wait.set(wait)
        rung = self.ladder.admit(wait, now)
        if rung is Rung.SHED or len(self.batcher.waiting) + self._coming >= self.config.queue_limit:
            raise self._shed(wait)
        self.meters.rungs.labels(f"L{int(rung)}").inc()
        return rung

    def _shed(self, wait_s: float) -> ApiError:
        return ApiError(
            429,
            f"overloaded: a request would wait {wait_s:.1f} s",
            kind="rate_limit_exceeded",
            code="overloaded",
            retry_after_s=max(1, math.ceil(wait_s - 0.25 * self.ladder.slo_s)),
        )

    async def _prepare(self, ask: Ask, rung: Rung, arrived: float) -> SimTicket:
        stages: dict[str, float] = {}
        seen = await self._decoder.look(ask, LIMITS[rung].edge)
        stages["preprocess"] = self._clock() - arrived
        item = self.known.find([picture.sha256 for picture in seen.pictures[ask.subject]], ask.asked)
        asked = item.id if item else "unknown"
        number = self._times_asked[asked]
        self._times_asked[asked] += 1
        planted = plant(self.config, asked, number)
        for name in planted.names():
            self.meters.planted.labels(name).inc()
        before = self._clock()
        await self._retrieve()
        stages["retrieval"] = self._clock() - before
        if planted.error:
            raise ApiError(500, "the pipeline failed (planted)", kind="server_error", code="planted_error")
        before = self._clock()
        ticket = self._decide(ask, rung, seen, item, planted, self._jitter(asked, number), arrived)
        stages["policy"] = self._clock() - before
        for name, seconds in stages.items():
            self._stage(ticket, name, seconds)
        return ticket

    async def _retrieve(self) -> None:
        seconds = RETRIEVAL_S / self.config.speed + self.config.extra_delay_ms / 1e3
        async with self._retrieval:
            if seconds > 0.0005:
                await asyncio.sleep(seconds)

    def _decide(
        self,
        ask: Ask,
        rung: Rung,
        seen: Seen,
        item: Item | None,
        planted: Planted,
        jitter: float,
        arrived: float,
    ) -> SimTicket:
        """Policy: which model answers, from how much; what it will say, and what that takes."""
        limits = LIMITS[rung]
        small = limits.fallback or ask.model == self.config.fallback_model
        model = self._names[small]
        asked_tokens = text_tokens(ask.asked) if ask.history else seen.text_tokens
        got = view(item, ask.asked, asked_tokens, seen.pictures[ask.subject], limits, small)
        reply = self._reply(ask, item, got, planted)
        parts = pieces(disguise(reply.text, planted))
        kept = context_tokens(seen.text_tokens, limits)
        tokens_in = kept + sum(picture.tokens() for picture in seen.pictures) + CHAT_OVERHEAD_TOKENS
        cached = self._cached_tokens(ask, seen, model, whole=kept == seen.text_tokens)
        sent = parts[: ask.max_tokens]
        job = Job(tokens_in - cached, len(sent), got.eyes.cost, jitter, ask.stream)
        return SimTicket(
            rung=rung,
            model=model,
            scale=min(got.scales, default=1.0),
            arrived=arrived,
            stages={},
            prompt_tokens=tokens_in,
            cached_tokens=cached,
            text="".join(parts),
            pieces=sent,
            finish="length" if len(parts) > len(sent) else "tool_calls" if ask.tool else "stop",
            stall_s=self.config.stall_ms / 1e3 if planted.stalled else 0.0,
            dropped=planted.dropped,
            job=job,
            reply=reply,
        )

    def _cached_tokens(self, ask: Ask, seen: Seen, model: str, whole: bool) -> int:
        """Of the prompt, what needs no prefill: all of the turn's before it, if that is still held and this
        one is ``whole``; of the rest the pictures that are held."""
        pictures = [(p.sha256, p.seen_width, p.seen_height) for p in seen.pictures]
        earlier, tokens = 0, 0
        if ask.history and whole:
            shown, text = sum(len(said.images) for said in ask.history), joined(ask.history[:-1])
            if self._prefixes.holds((model, text, *pictures[:shown])):
                earlier = shown
                tokens = text_tokens(text) + sum(p.tokens() for p in seen.pictures[:shown])
                self._images.cached_tokens(seen.pictures[:shown], model)
        self._prefixes.keep((model, ask.text, *pictures))
        return tokens + self._images.cached_tokens(seen.pictures[earlier:], model)

    def _reply(self, ask: Ask, item: Item | None, got: View, planted: Planted) -> Reply:
        if item is None:
            return Reply(stranger(ask.wants_envelope or ask.tool is not None), False, True, False)
        if planted.foreign and len(self.known.items) > 1:
            other = self.known.items[(item.index + 1) % len(self.known.items)]
            return Reply(ideal(other), False, False, True)
        return answer(item, got, self.config.seed, planted.invented)

    def _jitter(self, asked: str, number: int) -> float:
        if not self.config.jitter:
            return 1.0
        draw = uniform(self.config.seed, "jitter", asked, number)
        return math.exp(self.config.jitter * _NORMAL.inv_cdf(max(draw, 1e-12)))

    def _stage(self, ticket: SimTicket, name: str, seconds: float) -> None:
        ticket.stages[name] = seconds
        self.meters.stages[name].observe(seconds)

    async def reach_model(self, ticket: SimTicket) -> None:
        """Wait in the queue for a slot."""
        job = ticket.job
        while job.started_at is None:
            await job.changed.wait()
            job.changed.clear()
        self._stage(ticket, "queue", job.started_at - job.queued_at)

    async def follow(self, ticket: SimTicket) -> AsyncIterator[int]:
        """How many tokens there are by now, each time that there are more, until all are."""
        job, seen = ticket.job, 0
        while job.done_at is None or seen < job.emitted:
            if job.emitted == seen:
                await job.changed.wait()
                job.changed.clear()
            if job.emitted > seen:
                seen = job.emitted
                yield seen

    async def finish(self, ticket: SimTicket) -> None:
        """Wait for the whole answer."""
        job = ticket.job
        while job.done_at is None:
            await job.changed.wait()
            job.changed.clear()

    def settle(self, ticket: SimTicket) -> None:
        """The model is done: validate as a careful pipeline would, measure, count."""
        job = ticket.job
        if job.done_at is None or job.started_at is None or job.first_token_at is None:
            return
        self._stage(ticket, "model", job.done_at - job.started_at)
        before = self._clock()
        _valid(ticket.text)
        self._stage(ticket, "validate", self._clock() - before)
        meters, tokens = self.meters, len(ticket.pieces)
        meters.queued.observe(job.started_at - job.queued_at)
        meters.prefill.observe(job.first_token_at - job.started_at)
        meters.decode.observe(job.done_at - job.first_token_at)
        meters.answered(ticket, job.first_token_at - ticket.arrived, job.done_at - ticket.arrived, tokens)

    def release(self, ticket: SimTicket) -> None:
        """Whatever happened, give the slot back."""
        if ticket.job.done_at is None:
            self.batcher.cancel(ticket.job)


def _valid(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
