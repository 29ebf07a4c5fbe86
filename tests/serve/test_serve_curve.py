"""The whole simulated pipeline under load, in simulated time: what gives way first, and what never does."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from known_items import data_url, item, picture
from virtual_loop import VirtualLoop, run

from mmload.profile import Sim
from mmload.serve.chat import ApiError, Ask
from mmload.serve.known import Known
from mmload.serve.ladder import Rung
from mmload.serve.meters import Meters
from mmload.serve.oracle import right_share
from mmload.serve.sim import Pipeline

PICTURES = [picture(240, 180, mark=str(number)) for number in range(120)]
ITEMS = [item(number, data, xheight=9.0 + number % 12) for number, data in enumerate(PICTURES)]
CAPACITY_RPM = 300
"""At rung L0, for this suite at speed 1 with 4 workers: 4 x 60 s over a mean service time of about 0.8 s."""


@dataclass
class Seen:
    latency_s: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    rungs: Counter[Rung] = field(default_factory=Counter)
    shed: int = 0

    def quality(self) -> float:
        return sum(self.right) / len(self.right)

    def p95(self) -> float:
        return sorted(self.latency_s)[int(0.95 * len(self.latency_s))]


def load(rpm: float, seconds: float = 60.0, **config: Any) -> Seen:
    """Poisson arrivals for so many simulated seconds; waits for all."""
    seen, draws = Seen(), random.Random(11)

    async def one(pipeline: Pipeline, loop: VirtualLoop, number: int) -> None:
        one_item = ITEMS[number % len(ITEMS)]
        url = data_url(PICTURES[number % len(ITEMS)])
        ask = Ask("sim-large", one_item.prompt, (url,), False, False, 1024, True)
        start = loop.time()
        try:
            ticket = await pipeline.take(ask)
        except ApiError as error:
            assert error.status == 429
            seen.shed += 1
            return
        await pipeline.reach_model(ticket)
        await pipeline.finish(ticket)
        seen.latency_s.append(loop.time() - start)
        seen.right.append(ticket.reply.right)
        seen.rungs[ticket.rung] += 1

    async def main(loop: VirtualLoop) -> None:
        sim = Sim(**({"speed": 1.0, "image_cache": 0} | config))
        pipeline = Pipeline(sim, Known(ITEMS), Meters(sim.model), loop.time)
        pipeline.start()
        jobs, number, due = [], 0, loop.time()
        end = due + seconds
        while due < end:
            await asyncio.sleep(due - loop.time())
            jobs.append(asyncio.create_task(one(pipeline, loop, number)))
            number += 1
            due += draws.expovariate(rpm / 60)
        await asyncio.gather(*jobs)
        await pipeline.stop()

    run(lambda loop: main(loop))
    return seen


def test_well_below_capacity_everything_is_served_in_full_and_right_as_enumerated() -> None:
    seen = load(0.25 * CAPACITY_RPM, 200)
    assert seen.rungs[Rung.FULL] > 0.9 * sum(seen.rungs.values())
    assert seen.shed == 0
    assert abs(seen.quality() - right_share(ITEMS, Rung.FULL, seed=1)) < 0.02


def test_beyond_capacity_quality_gives_way_and_latency_holds() -> None:
    calm, pressed = load(0.5 * CAPACITY_RPM), load(2.0 * CAPACITY_RPM)
    assert pressed.rungs[Rung.FALLBACK] > 0.5 * sum(pressed.rungs.values())
    assert pressed.quality() < calm.quality() - 0.1
    assert pressed.p95() < 4.0
    assert pressed.shed == 0


def test_without_the_ladder_quality_holds_and_latency_gives_way() -> None:
    kept, pressed = load(2.0 * CAPACITY_RPM), load(2.0 * CAPACITY_RPM, ladder=False)
    assert set(pressed.rungs) == {Rung.FULL}
    assert abs(pressed.quality() - right_share(ITEMS, Rung.FULL, seed=1)) < 0.04
    assert pressed.p95() > 2 * kept.p95()
    assert pressed.shed > 0


def test_far_beyond_capacity_it_sheds_and_what_it_serves_is_served_in_time() -> None:
    seen = load(8.0 * CAPACITY_RPM, 30)
    assert seen.shed > 0.2 * (seen.shed + len(seen.right))
    assert seen.p95() < 1.5 * 4.0 + 2.0


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_the_mix_of_rungs_explains_the_quality(share: float) -> None:
    seen = load(share * CAPACITY_RPM, 120)
    total = sum(seen.rungs.values())
    expected = sum(n / total * right_share(ITEMS, rung, seed=1) for rung, n in seen.rungs.items())
    assert abs(seen.quality() - expected) < 0.03


def test_a_batch_sustains_more_than_slots_of_their_own() -> None:
    one_by_one = load(1.5 * CAPACITY_RPM, ladder=False, slots=1)
    together = load(1.5 * CAPACITY_RPM, ladder=False, slots=4)
    assert together.p95() < 0.5 * one_by_one.p95()


def test_the_same_load_gives_the_same_answers_again() -> None:
    first, second = load(CAPACITY_RPM, 20), load(CAPACITY_RPM, 20)
    assert (first.latency_s, first.right, first.rungs) == (second.latency_s, second.right, second.rungs)
