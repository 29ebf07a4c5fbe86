"""The practice pipeline's own curve: offered rate against quality, latency and rungs, in simulated time.

No request is sent and no picture is decoded: the pipeline's own queue, ladder and answers run under a clock
that jumps. It says what a perfect load test of ``--engine sim`` should find.

    python benchmarks/practice_curve.py SUITE_DIR [--sim '{"speed": 8, "slo_ms": 2000}'] [--rpm 400 800 1200]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

from mmload.model import Item
from mmload.profile import Sim
from mmload.serve.chat import ApiError, Ask
from mmload.serve.decoding import Decoder, Seen
from mmload.serve.known import Known
from mmload.serve.meters import Meters
from mmload.serve.pixels import Picture
from mmload.serve.sight import fit, jpeg_penalty
from mmload.serve.sim import Pipeline
from mmload.serve.tokens import text_tokens


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0
        select = self._selector.select  # asyncio keeps its selector there

        def jump(timeout: float | None = None) -> Any:
            self._virtual_s += max(0.0, timeout or 0.0)
            return select(0)

        self._selector.select = jump

    def time(self) -> float:
        return self._virtual_s


class Undecoded(Decoder):
    """Takes sizes from the suite's manifest; the item's id stands in the place of its picture."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__(1, 1)
        self._items = {item.id: item for item in items}

    async def look(self, ask: Ask, edge: int | None) -> Seen:
        pictures = []
        for image in self._items[ask.images[0]].images:
            penalty = jpeg_penalty(image.quality) if image.format == "jpeg" and image.quality else 1.0
            size = fit(image.width, image.height, edge)
            pictures.append(Picture(image.width, image.height, *size, penalty, image.sha256))
        return Seen(tuple(pictures), text_tokens(ask.text))


async def drive(loop: JumpingLoop, config: Sim, known: Known, rpm: float, seconds: float) -> dict[str, Any]:
    pipeline = Pipeline(config, known, Meters(config.model), loop.time)
    pipeline._decoder = Undecoded(known.items)
    latencies: list[float] = []
    right: list[bool] = []
    rungs: Counter[int] = Counter()

    async def one(item: Item) -> None:
        text = "\n".join(part for part in (item.system, item.prompt) if part)
        start = loop.time()
        try:
            ticket = await pipeline.take(Ask(config.model, text, (item.id,), False, False, 4096, True))
        except ApiError:
            rungs[4] += 1
            return
        await pipeline.reach_model(ticket)
        await pipeline.finish(ticket)
        latencies.append(loop.time() - start)
        right.append(ticket.reply.right)
        rungs[int(ticket.rung)] += 1

    draws, order = random.Random(7), list(known.items)
    draws.shuffle(order)
    pipeline.start()
    jobs, due, number = [], loop.time(), 0
    end = due + seconds
    while due < end:
        await asyncio.sleep(due - loop.time())
        jobs.append(asyncio.ensure_future(one(order[number % len(order)])))
        number, due = number + 1, due + draws.expovariate(rpm / 60)
    await asyncio.gather(*jobs)
    await pipeline.stop()
    latencies.sort()
    return {
        "quality": sum(right) / len(right),
        "p50": latencies[len(latencies) // 2],
        "p95": latencies[int(0.95 * len(latencies))],
        "rungs": {rung: count / number for rung, count in sorted(rungs.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--sim", default="{}")
    parser.add_argument(
        "--rpm", type=float, nargs="+", default=[400, 600, 800, 1000, 1200, 1600, 2000, 2800, 4000]
    )
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    config, known = Sim.model_validate_json(options.sim), Known.from_dir(options.suite)
    print("| rpm offered | quality | p50 s | p95 s | L0 | L1 | L2 | L3 | shed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rpm in options.rpm:
        loop = JumpingLoop()
        found = loop.run_until_complete(drive(loop, config, known, rpm, options.seconds))
        loop.close()
        shares = " | ".join(f"{found['rungs'].get(rung, 0):.0%}" for rung in range(5))
        print(f"| {rpm:.0f} | {found['quality']:.3f} | {found['p50']:.2f} | {found['p95']:.2f} | {shares} |")


if __name__ == "__main__":
    main()
