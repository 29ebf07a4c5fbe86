"""Continuous batching, under a clock that jumps."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_loop import VirtualLoop, run

from mmload.serve.batch import BASE_S, CROWDING, Batcher, Job, QueueFullError


def served(
    jobs: list[Job], workers: int = 1, slots: int = 1, speed: float = 1.0, gap_s: float = 0.0
) -> Batcher:
    """Submit the jobs ``gap_s`` apart, and wait for all."""

    async def main(loop: VirtualLoop) -> Batcher:
        batcher = Batcher(workers, slots, 1000, speed, 0.02, loop.time)
        batcher.start()
        for job in jobs:
            batcher.submit(job)
            await asyncio.sleep(gap_s)
        while any(job.done_at is None for job in jobs):
            await asyncio.sleep(0.05)
        await batcher.stop()
        return batcher

    return run(lambda loop: main(loop))


def took(job: Job) -> float:
    assert job.done_at is not None and job.started_at is not None
    return job.done_at - job.started_at


@given(
    st.integers(1, 8000),
    st.integers(1, 400),
    st.sampled_from([1.0, 0.35]),
    st.floats(0.5, 2),
    st.floats(0.5, 8),
)
@settings(max_examples=30, deadline=None)
def test_alone_a_request_takes_its_documented_time(
    tokens_in: int, tokens_out: int, cost: float, jitter: float, speed: float
) -> None:
    job = Job(tokens_in, tokens_out, cost, jitter, streaming=True)
    served([job], speed=speed)
    expected = jitter * (BASE_S + cost * (tokens_in / 9000 + tokens_out / 160))
    assert job.service_s() == pytest.approx(expected)
    # The last decode step is a whole one; a wake-up may be half a millisecond early.
    assert took(job) == pytest.approx(expected / speed, abs=(cost / 160) / speed + 0.002)


def test_one_slot_serves_in_order_and_one_at_a_time() -> None:
    jobs = [Job(900, 80) for _ in range(4)]
    served(jobs)
    for before, after in itertools.pairwise(jobs):
        assert before.done_at is not None and after.started_at is not None
        assert after.started_at >= before.done_at


def test_a_batch_is_slower_for_each_and_faster_for_all() -> None:
    alone = Job(90, 160)
    served([alone])
    together = [Job(90, 160) for _ in range(4)]
    served(together, slots=4)
    done = max(job.done_at or 0 for job in together) - min(job.started_at or 0 for job in together)
    assert took(alone) * 1.2 < took(together[0]) < took(alone) * (1 + 3 * CROWDING) * 1.6
    assert done < 2 * took(alone)


def test_a_newcomer_joins_a_running_batch_and_its_prefill_delays_the_others() -> None:
    first, second = Job(90, 320, streaming=True), Job(9000, 10)
    quiet = Job(90, 320, streaming=True)
    served([quiet])
    served([first, second], slots=2, gap_s=1.0)
    assert second.started_at is not None and first.done_at is not None
    assert second.started_at < first.done_at
    assert took(first) > took(quiet) + 0.9


def test_workers_share_the_queue() -> None:
    jobs = [Job(900, 80) for _ in range(8)]
    served(jobs, workers=4)
    rounds = sorted({round(job.started_at or 0, 2) for job in jobs})
    assert len(rounds) == 2


def test_tokens_come_one_interval_after_another_and_end_complete() -> None:
    job = Job(90, 50, streaming=True)
    counts: list[int] = []

    async def main(loop: VirtualLoop) -> None:
        batcher = Batcher(1, 1, 10, 1.0, 0.02, loop.time)
        batcher.start()
        batcher.submit(job)
        while job.done_at is None:
            await job.changed.wait()
            job.changed.clear()
            counts.append(job.emitted)
        await batcher.stop()

    run(lambda loop: main(loop))
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == 50
    assert max(b - a for a, b in itertools.pairwise(counts)) <= 4


def test_the_queue_is_bounded() -> None:
    async def main(loop: VirtualLoop) -> None:
        batcher = Batcher(1, 1, 2, 1.0, 0.02, loop.time)
        batcher.start()
        batcher.submit(Job(9, 9))
        await asyncio.sleep(0.01)
        batcher.submit(Job(9, 9))
        batcher.submit(Job(9, 9))
        with pytest.raises(QueueFullError):
            batcher.submit(Job(9, 9))
        await batcher.stop()

    run(lambda loop: main(loop))


def test_who_goes_away_gives_the_slot_back() -> None:
    async def main(loop: VirtualLoop) -> None:
        batcher = Batcher(1, 1, 10, 1.0, 0.02, loop.time)
        batcher.start()
        leaver, waiting, last = Job(90, 10_000, streaming=True), Job(9, 9), Job(9, 9)
        for job in (leaver, waiting, last):
            batcher.submit(job)
        await asyncio.sleep(1)
        batcher.cancel(leaver)
        batcher.cancel(waiting)
        await asyncio.sleep(1)
        assert leaver.done_at is None and waiting.started_at is None
        assert last.done_at is not None
        assert (batcher.running, batcher.tokens_held, len(batcher.waiting)) == (0, 0, 0)
        await batcher.stop()

    run(lambda loop: main(loop))


def test_the_expected_wait_grows_with_those_ahead_and_is_none_while_a_slot_is_free() -> None:
    async def main(loop: VirtualLoop) -> None:
        batcher = Batcher(2, 1, 10, 1.0, 0.02, loop.time)
        batcher.start()
        waits = []
        for _ in range(5):
            waits.append(batcher.expected_wait_s())
            batcher.submit(Job(900, 100))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert waits[:2] == [0, 0]
        assert 0 < waits[2] < waits[3] < waits[4]
        assert batcher.expected_wait_s(3) > batcher.expected_wait_s()
        await batcher.stop()

    run(lambda loop: main(loop))


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 200)), min_size=1, max_size=25),
    st.integers(1, 3),
    st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_every_request_is_served_in_full_and_nothing_is_left_held(
    sizes: list[tuple[int, int]], workers: int, slots: int
) -> None:
    jobs = [Job(a, b) for a, b in sizes]
    batcher = served(jobs, workers, slots)
    assert all(job.emitted == job.tokens_out for job in jobs)
    assert (batcher.running, batcher.tokens_held) == (0, 0)
