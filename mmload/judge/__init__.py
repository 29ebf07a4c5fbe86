"""A model as a second opinion on a share of the answers, in a process of its own, at low priority.

Follows the journal of a run as the scorer does, and writes what the judge said beside it. Not aware of
scores, of how requests were sent, or of whether the judge is right: the summary holds it against the
scorers. Off unless the profile has ``[quality.judge]``; whatever happens here, the run goes on.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mmload import corpus, journal
from mmload.journal import IDLE_S, JUDGE_JOURNAL, RUN_JOURNAL
from mmload.judge.asking import chosen
from mmload.judge.endpoint import Endpoint, session
from mmload.judge.pace import Pace
from mmload.model import Answer, Item, Judgement, PhasePlan
from mmload.profile import Judge, Profile, judge_key

AFTER_END_S: Final = 120.0
"""How long the judge may go on after the run has ended. The launcher waits a little longer."""
_BACKLOG: Final = 20_000
"""Answers that may wait for the judge: their texts are in memory."""


class Desk:
    """Answers that wait for the judge, and those who carry them to it."""

    def __init__(
        self,
        endpoint: Endpoint,
        writer: journal.Writer,
        items: Sequence[Item],
        wanted: Callable[[int], bool],
        in_flight: int,
    ) -> None:
        self._endpoint, self._writer, self._items, self._wanted = endpoint, writer, items, wanted
        self._queue: asyncio.Queue[Answer] = asyncio.Queue()
        self._workers = [asyncio.create_task(self._work()) for _ in range(in_flight)]
        self.failed: Counter[str] = Counter()

    def take(self, answers: Iterable[Answer]) -> None:
        """Queue the chosen ones among the answers."""
        for answer in answers:
            if not self._wanted(answer.seq):
                continue
            if self._queue.qsize() >= _BACKLOG:
                self._write(Judgement(answer.seq, answer.item, None, "backlog", 0, 0))
            else:
                self._queue.put_nowait(answer)

    async def close(self, patience_s: float, stop: asyncio.Event) -> None:
        """Finish what waits, until ``patience_s`` have passed or ``stop`` is set; note what was left."""
        finished = asyncio.create_task(self._queue.join())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((finished, stopped), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*self._workers, finished, stopped):
                task.cancel()
            await asyncio.gather(*self._workers, finished, stopped, return_exceptions=True)
            while not self._queue.empty():
                answer = self._queue.get_nowait()
                self._write(Judgement(answer.seq, answer.item, None, "out_of_time", 0, 0))

    async def _work(self) -> None:
        while True:
            answer = await self._queue.get()
            item = self._items[answer.item]
            try:
                judgement = await self._endpoint.ask(item, answer)
            except asyncio.CancelledError:
                self._write(self._endpoint.cut(item, answer))
                raise
            except Exception:  # a fault of ours must not end the others; its text might quote a header
                judgement = Judgement(answer.seq, answer.item, None, "internal", None, None)
            self._write(judgement)
            self._queue.task_done()

    def _write(self, judgement: Judgement) -> None:
        if judgement.error:
            self.failed[judgement.error] += 1
        self._writer.append(journal.JUDGEMENTS, [judgement])


async def follow(
    run_dir: Path,
    environment: Mapping[str, str],
    stop: asyncio.Event,
    *,
    poll_s: float = 0.2,
    idle_s: float = IDLE_S,
    after_end_s: float = AFTER_END_S,
    alone: Callable[[], bool] = lambda: False,
) -> Counter[str] | None:
    """Judge a run while it goes on, and for ``after_end_s`` after its END frame at most.

    Appends to the judge's journal; what it holds is not judged again. Gives how many answers got no
    verdict, by reason; None if no run ever began, or it asks for no judge. Raises ``InputError`` for a
    journal that is not ours, a suite that is gone, or a key that is not set.
    """
    runs = journal.Follower(run_dir / RUN_JOURNAL)
    header = await _header(runs, stop, poll_s, idle_s, alone)
    profile = Profile.model_validate(header["profile"]) if header is not None else None
    if header is None or profile is None or profile.quality.judge is None:
        return None
    judge, suite = profile.quality.judge, corpus.load(Path(str(header["suite_dir"])))
    key = judge_key(judge, environment)
    wanted = _wanted(profile, judge, header, journal.resume(run_dir / JUDGE_JOURNAL, journal.JUDGEMENTS))
    writer = journal.Writer(run_dir / JUDGE_JOURNAL)
    try:
        async with session(judge, key) as http:
            endpoint = Endpoint(judge, http, Pace(judge.rpm), suite.dir)
            desk = Desk(endpoint, writer, suite.items, wanted, judge.max_in_flight)
            try:
                await _read_on(runs, desk, stop, poll_s, idle_s, alone)
            finally:
                await desk.close(after_end_s, stop)
    finally:
        writer.close()
    return desk.failed


async def _header(
    runs: journal.Follower, stop: asyncio.Event, poll_s: float, idle_s: float, alone: Callable[[], bool]
) -> dict[str, Any] | None:
    """Body of the run's first frame, once it is there."""
    give_up = time.monotonic() + idle_s
    while True:
        for kind, body in runs.poll():
            if kind == journal.RUN:
                return dict(body)
        if stop.is_set() or alone() or runs.damaged or time.monotonic() > give_up:
            return None
        await asyncio.sleep(poll_s)


async def _read_on(
    runs: journal.Follower,
    desk: Desk,
    stop: asyncio.Event,
    poll_s: float,
    idle_s: float,
    alone: Callable[[], bool],
) -> None:
    """Until END, ``stop``, a damaged journal, or one that nobody writes any more."""
    last_news = time.monotonic()
    while True:
        for kind, body in runs.poll():
            last_news = time.monotonic()
            if kind == journal.END:
                return
            if kind == journal.ANSWERS:
                desk.take(body)
                await asyncio.sleep(0)
        if stop.is_set() or runs.damaged or alone() or time.monotonic() - last_news > idle_s:
            return
        await asyncio.sleep(poll_s)


def _wanted(
    profile: Profile, judge: Judge, header: Mapping[str, Any], done: set[int]
) -> Callable[[int], bool]:
    """Chosen by hash, in a phase that counts, and not met before: a batch may arrive twice."""
    phases = [PhasePlan(*plan) for plan in header["phases"]]
    first = [phase.first_seq for phase in phases]

    def wanted(seq: int) -> bool:
        if seq in done or not chosen(profile.seed, seq, judge.sample):
            return False
        done.add(seq)
        return not phases[bisect_right(first, seq) - 1].warmup

    return wanted
