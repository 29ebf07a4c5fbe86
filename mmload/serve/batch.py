"""Model workers with continuous batching: bounded queue, prefill in chunks, decoding in steps.

Each worker (a replica of the model) has ``slots``. A cycle takes one prefill chunk of the oldest request
that still needs it, and one decode step of every request that is past it. With one slot a request takes
base + tokens_in / 9000 + tokens_out / 160 seconds (times its model's cost and its own jitter, over speed).
Not aware of pictures, answers or HTTP.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

BASE_S = 0.10
PREFILL_TOKENS_PER_S = 9000.0
DECODE_TOKENS_PER_S = 160.0
CHUNK_TOKENS = 2048
CROWDING = 0.12
"""Each further request in a batch makes a decode step so much longer: why batches are not free."""
_PACE = 0.1
"""Weight of the newest request in the moving averages that waits are foretold from."""
_ABORT_S = 0.25
"""Longest time for which a request whose asker has gone still holds its slot while decoding."""
_SLEEP_FLOOR_S = 0.0005


class QueueFullError(Exception):
    """The bounded queue in front of the model has no place left."""


@dataclass(eq=False)
class Job:
    """One request at the model. Times are the loop's clock, seconds."""

    tokens_in: int
    tokens_out: int
    cost: float = 1.0
    jitter: float = 1.0
    streaming: bool = False
    queued_at: float = 0.0
    started_at: float | None = None
    first_token_at: float | None = None
    done_at: float | None = None
    emitted: int = 0
    """Tokens out so far."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: bool = False
    prefill_left_s: float = 0.0
    steps_left: float = 0.0
    planned_s: float = 0.0
    """Service time as foreseen, at the batcher's speed."""

    def service_s(self) -> float:
        """Time at an otherwise empty worker, at speed 1."""
        prefill = BASE_S + self.cost * self.tokens_in / PREFILL_TOKENS_PER_S
        return self.jitter * (prefill + self.cost * self.tokens_out / DECODE_TOKENS_PER_S)


class Batcher:
    """``workers`` replicas of ``slots`` each behind one queue of at most ``limit`` waiting requests."""

    def __init__(
        self, workers: int, slots: int, limit: int, speed: float, pause_s: float, clock: Callable[[], float]
    ) -> None:
        self.slots = workers * slots
        self.limit = limit
        self.speed = speed
        self.waiting: deque[Job] = deque()
        self.running = 0
        self.tokens_held = 0
        """Tokens of prompt and answer that running requests keep in the cache."""
        self._waiting_s = 0.0
        """Planned time of all that wait."""
        self._running_s = 0.0
        self._planned_s = Job(tokens_in=1500, tokens_out=120).service_s() / speed
        """Planned time of a request, lately; at first, a guess."""
        self._stretch = 1.0
        """How much longer than planned a request lately held its slot: what a crowded batch costs."""
        self._clock = clock
        self._replicas = [_Replica(self, slots, pause_s, clock) for _ in range(workers)]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(replica.run()) for replica in self._replicas]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def submit(self, job: Job) -> None:
        """Queue ``job``. Raises QueueFullError; the caller then sheds."""
        if len(self.waiting) >= self.limit and self.running >= self.slots:
            raise QueueFullError
        job.queued_at = self._clock()
        job.prefill_left_s = (BASE_S + job.cost * job.tokens_in / PREFILL_TOKENS_PER_S) * job.jitter
        job.steps_left = max(1, job.tokens_out) * job.jitter
        job.planned_s = job.service_s() / self.speed
        self._planned_s += _PACE * (job.planned_s - self._planned_s)
        self._waiting_s += job.planned_s
        self.waiting.append(job)
        # A busy replica looks into the queue by itself; waking all idle ones for one request is waste.
        idle = next((replica for replica in self._replicas if not replica.wake.is_set()), None)
        if idle is not None:
            idle.wake.set()

    def expected_wait_s(self, ahead: int = 0) -> float:
        """Wait of a newcomer behind those queued and ``ahead`` still on their way.

        From the planned time of the very requests that wait: a mean of past ones would be wrong for as long
        as it remembers the rung before this one.
        """
        if len(self.waiting) + ahead + self.running < self.slots:
            return 0.0
        # Running requests end one after another: the first leaves in half of a slot's share of one.
        first = self._running_s / self.running / 2 if self.running else 0.0
        return self._stretch * (first + self._waiting_s + ahead * self._planned_s) / self.slots

    def admitted(self, job: Job) -> None:
        """A replica has taken ``job`` from the queue."""
        self.running += 1
        self.tokens_held += job.tokens_in
        self._waiting_s -= job.planned_s
        self._running_s += job.planned_s

    def left(self, job: Job) -> None:
        """A replica has done with ``job``."""
        self.running -= 1
        self.tokens_held -= job.tokens_in
        self._running_s -= job.planned_s
        if job.done_at is not None and job.started_at is not None and job.planned_s > _SLEEP_FLOOR_S:
            ratio = (job.done_at - job.started_at) / job.planned_s
            self._stretch += _PACE * (ratio - self._stretch)

    def cancel(self, job: Job) -> None:
        """The asker is gone: give its place to another."""
        job.cancelled = True
        if job.started_at is None and job in self.waiting:
            self.waiting.remove(job)
            self._waiting_s -= job.planned_s


class _Replica:
    def __init__(self, owner: Batcher, slots: int, pause_s: float, clock: Callable[[], float]) -> None:
        self.wake = asyncio.Event()
        """Not set: asleep."""
        self.wake.set()
        self._owner = owner
        self._slots = slots
        self._pause_s = pause_s
        self._clock = clock
        self._running: list[Job] = []
        self._now = clock()

    @property
    def free(self) -> int:
        return self._slots - len(self._running)

    async def run(self) -> None:
        while True:
            if not self._running and not self._owner.waiting:
                self.wake.clear()
                await self.wake.wait()
                self._now = self._clock()
            self._admit()
            if self._running:
                await self._cycle()

    def _admit(self) -> None:
        waiting = self._owner.waiting
        while waiting and self.free > 0:
            job = waiting.popleft()
            job.started_at = self._clock()
            job.changed.set()
            self._running.append(job)
            self._owner.admitted(job)

    async def _cycle(self) -> None:
        """One prefill chunk and one decode step, or as many steps as nobody would notice."""
        prefilling = next((job for job in self._running if job.prefill_left_s > 0), None)
        decoding = [job for job in self._running if job.prefill_left_s <= 0]
        step_s = self._step_s(decoding)
        chunk_s, steps = 0.0, 0
        if prefilling is None:
            steps = self._steps(decoding, step_s)
        elif decoding:
            chunk_s, steps = min(prefilling.prefill_left_s, CHUNK_TOKENS / PREFILL_TOKENS_PER_S), 1
        else:
            chunk_s = prefilling.prefill_left_s
        await self._pass((chunk_s + steps * step_s) / self._owner.speed)
        if prefilling is not None:
            prefilling.prefill_left_s -= chunk_s
            if prefilling.prefill_left_s < 1e-9:
                prefilling.prefill_left_s = 0.0
        self._progress(decoding, steps)

    def _step_s(self, decoding: list[Job]) -> float:
        if not decoding:
            return 0.0
        crowd = 1.0 + CROWDING * (len(decoding) - 1)
        return max(job.cost for job in decoding) * crowd / DECODE_TOKENS_PER_S

    def _steps(self, decoding: list[Job], step_s: float) -> int:
        """Steps until somebody finishes; fewer if a stream must show tokens or a newcomer could join."""
        most = max(1, math.ceil(min(job.steps_left for job in decoding)))
        watched = self.free > 0 or any(job.streaming for job in decoding)
        pause_s = self._pause_s if watched else _ABORT_S
        return min(most, max(1, int(pause_s * self._owner.speed / step_s)))

    async def _pass(self, seconds: float) -> None:
        """Let simulated time pass; late wake-ups are made good by the next one, so rates do not drift."""
        self._now = max(self._now + seconds, self._clock() - self._pause_s)
        late = self._now - self._clock()
        await asyncio.sleep(late if late > _SLEEP_FLOOR_S else 0)

    def _progress(self, decoding: list[Job], steps: int) -> None:
        now = self._clock()
        for job in decoding:
            job.steps_left -= steps
            if job.first_token_at is None:
                job.first_token_at = now
            done = job.tokens_out - math.ceil(max(0.0, job.steps_left) / job.jitter)
            job.emitted = max(job.emitted, done)
            if job.steps_left <= 0:
                job.emitted, job.done_at = job.tokens_out, now
            if job.streaming or job.done_at is not None:
                job.changed.set()
        for job in [j for j in self._running if j.done_at is not None or j.cancelled]:
            self._running.remove(job)
            self._owner.left(job)
