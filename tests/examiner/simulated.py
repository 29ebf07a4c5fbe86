"""A whole run in simulated time: the real schedule, practice pipeline, scorers and figures.

Only sockets, pictures and the clock are left out: the pipeline is handed what a picture would have said of
its size, and its event loop jumps from timer to timer. What the report should find is enumerated beside it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

from synthetic import STARTED_AT
from virtual_loop import VirtualLoop, run

from mmload import corpus, journal, plugins, schedule
from mmload.corpus import Suite
from mmload.model import NS_PER_S, Answer, Arrival, Item, Record, Score, Telemetry
from mmload.profile import Profile, Sim, to_toml_dict
from mmload.serve.answers import answer
from mmload.serve.chat import ApiError, Ask
from mmload.serve.decoding import Decoder, Seen
from mmload.serve.known import Known
from mmload.serve.ladder import LIMITS, Ladder, Rung
from mmload.serve.meters import Meters
from mmload.serve.oracle import replies
from mmload.serve.pixels import Picture
from mmload.serve.sight import fit, jpeg_penalty
from mmload.serve.sim import Pipeline
from mmload.serve.tokens import text_tokens
from mmload.serve.views import Sized, view
from mmload.shapes.sustained import Sustained
from mmload.summary import Ending, RunReader, figures

RUNGS = tuple(LIMITS)
PHASE_S = 20.0
TASKS = {"extract": 0.4, "ui": 0.3, "chart": 0.3}


def profile(seed: int, rpm: float) -> Profile:
    """A phase for each rung of the ladder."""
    return Profile.model_validate(
        {
            "name": "examined",
            "seed": seed,
            "target": {"engine": "sim", "streaming": 0.0},
            "phase": [
                {"name": f"L{int(rung)}", "shape": "sustained", "duration_s": PHASE_S, "rpm": rpm}
                for rung in RUNGS
            ],
            "mix": {
                "items": 100,
                "tasks": TASKS,
                "images": {
                    "s": {"width": 512, "height": 512, "weight": 0.7},
                    "l": {"width": 1920, "height": 1080, "weight": 0.3},
                },
            },
            "slo": {"default": {"e2e_ms": 4000}},
        }
    )


class Pinned(Ladder):
    """On a rung for as long as its phase lasts, whatever the load."""

    def __init__(self, zero_s: float) -> None:
        super().__init__(4.0)
        self._zero_s = zero_s

    def admit(self, wait_s: float, now_s: float) -> Rung:
        return RUNGS[min(len(RUNGS) - 1, int((now_s - self._zero_s) / PHASE_S))]


class Undecoded(Decoder):
    """Takes the sizes of pictures from the suite; an item's number stands in the place of its pictures."""

    def __init__(self, items: Sequence[Item]) -> None:
        super().__init__(1, 1)
        self._items = items

    async def look(self, ask: Ask, edge: int | None) -> Seen:
        pictures = []
        for image in self._items[int(ask.images[0])].images:
            penalty = jpeg_penalty(image.quality) if image.format == "jpeg" and image.quality else 1.0
            size = fit(image.width, image.height, edge)
            pictures.append(Picture(image.width, image.height, *size, penalty, image.sha256))
        return Seen(tuple(pictures), text_tokens(ask.text))


@dataclass
class Reply:
    """How one arrival ended."""

    arrival: Arrival
    took_s: float
    status: int
    text: str
    server_timing: str
    prompt_tokens: int
    tokens: int


def drive(sim: Sim, items: Sequence[Item], arrivals: Sequence[Arrival]) -> list[Reply]:
    """Send every arrival when it is due; wait for all."""
    done: list[Reply] = []

    async def one(pipeline: Pipeline, loop: VirtualLoop, arrival: Arrival) -> None:
        item, began = items[arrival.item], loop.time()
        text = "\n".join(part for part in (item.system, item.prompt) if part)
        try:
            ticket = await pipeline.take(Ask(sim.model, text, (str(item.index),), False, False, 4096, True))
        except ApiError as error:
            done.append(Reply(arrival, loop.time() - began, error.status, "", "", 0, 0))
            return
        await pipeline.reach_model(ticket)
        await pipeline.finish(ticket)
        pipeline.settle(ticket)
        took, said = loop.time() - began, "".join(ticket.pieces)
        timing = ticket.server_timing()
        done.append(Reply(arrival, took, 200, said, timing, ticket.prompt_tokens, len(ticket.pieces)))

    async def main(loop: VirtualLoop) -> None:
        pipeline = Pipeline(sim, Known(items), Meters(sim.model), loop.time)
        pipeline._decoder = Undecoded(items)
        pipeline.start()
        zero = loop.time()
        pipeline.ladder = Pinned(zero)
        jobs = []
        for arrival in arrivals:
            await asyncio.sleep(zero + arrival.due_ns / NS_PER_S - loop.time())
            jobs.append(asyncio.create_task(one(pipeline, loop, arrival)))
        await asyncio.gather(*jobs)
        await pipeline.stop()

    run(main)
    return done


def record(reply: Reply) -> Record:
    """As a lane would have it, had its requests travelled in no time."""
    arrival, ok = reply.arrival, reply.status == 200
    end = arrival.due_ns + round(reply.took_s * NS_PER_S)
    return Record(
        seq=arrival.seq, phase=arrival.phase, item=arrival.item, worker=0, due_ns=arrival.due_ns,
        sent_ns=arrival.due_ns, first_byte_ns=end, first_token_ns=None, end_ns=end,
        outcome="ok" if ok else "failed", error="" if ok else "http_5xx", status=reply.status, attempts=1,
        attempt_errors="", stale_retries=0, request_bytes=1000, response_bytes=len(reply.text),
        tokens_in=reply.prompt_tokens if ok else None, tokens_out=reply.tokens if ok else None,
        tokens_cached=None, usage_source="usage" if ok else "", content_events=0, gaps_us=b"",
        server_timing=reply.server_timing, model="sim-large", finish_reason="stop" if ok else "",
        kernel_clock=True, reused_connection=True, pi=arrival.pi, sampled=arrival.sampled, error_detail="",
    )  # fmt: skip


class Examiner:
    """Scores answers by the tasks' own scorers; the same text of the same item is scored once."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._nonces = corpus.nonces(suite)
        self._tasks: dict[str, Any] = {task: plugins.get("tasks", task)() for task in TASKS}
        self._known: dict[tuple[int, str], Score] = {}

    def score(self, item: int, text: str, seq: int = 0) -> Score:
        found = self._known.get((item, text))
        if found is None:
            one = self.suite.items[item]
            found = self._tasks[one.task].score(one, text, 0, self._nonces)
            self._known[item, text] = found
        return replace(found, seq=seq)

    def report(self, folder: Path, sim: Sim, seed: int, rpm: float) -> dict[str, Any]:
        """``summary.json`` of one run against ``sim``, by way of the journals of a run."""
        plan_of = profile(seed, rpm)
        shapes = [Sustained(phase, folder) for phase in plan_of.phase]
        items = self.suite.items
        compiled = schedule.compile(plan_of, shapes, corpus.strata(self.suite), [i.task for i in items])
        replies_ = drive(sim, items, [compiled.arrival(k) for k in range(len(compiled))])
        self._write(folder, plan_of, compiled, replies_)
        reader = RunReader(folder, lambda _: list(items))
        reader.poll()
        return figures(reader.summary, reader.plan, Ending(reader.end))

    def _write(
        self, folder: Path, plan_of: Profile, compiled: schedule.Schedule, ended: Sequence[Reply]
    ) -> None:
        header = {
            "run_id": "examined", "profile": to_toml_dict(plan_of), "suite_dir": str(self.suite.dir),
            "phases": [list(p) for p in compiled.phases], "workers": 1, "started_at": STARTED_AT,
            "t0_wall_ns": 0, "target": "sim", "mmload_version": "0", "task_weights": TASKS,
        }  # fmt: skip
        writer = journal.Writer(folder / "journal" / "run.mmj")
        writer.append(journal.RUN, header)
        writer.append(journal.RECORDS, [record(reply) for reply in ended])
        seconds = int(compiled.phases[-1].end_ns // NS_PER_S)
        writer.append(
            journal.TELEMETRY,
            [Telemetry(0, s * NS_PER_S, 0.1, 100, 9, 1, 0, 1, 0, 0) for s in range(1, seconds)],
        )
        sent = {"0": {"sent": len(ended), "records": len(ended)}}
        writer.append(journal.END, {"reason": "done", "t_ns": compiled.phases[-1].end_ns, "workers": sent})
        writer.close()
        answers = [Answer(r.arrival.seq, r.arrival.item, r.text) for r in ended if r.status == 200]
        scores = journal.Writer(folder / "journal" / "scores.mmj")
        scores.append(journal.SCORES, [self.score(a.item, a.text, a.seq) for a in answers])
        scores.close()


# --- the truth, enumerated ------------------------------------------------------------------------


def by_task(items: Sequence[Item], values: Sequence[float]) -> float:
    """Mean over items, tasks by their declared weights."""
    total = 0.0
    for task, weight in TASKS.items():
        mine = [value for item, value in zip(items, values, strict=True) if item.task == task]
        total += weight * sum(mine) / len(mine)
    return total / sum(TASKS.values())


def true_quality(items: Sequence[Item], sim: Sim) -> dict[Rung, float]:
    """By rung. What is planted is wrong by construction, and befalls every item alike."""
    return {
        rung: (1 - sim.hallucination_rate)
        * by_task(items, [float(reply.right) for reply in replies(items, rung, sim.seed)])
        for rung in RUNGS
    }


def bait(item: Item) -> str:
    """What is answered to an item when a hallucination is planted."""
    text = "\n".join(part for part in (item.system, item.prompt) if part)
    sized = [Sized(i.width, i.height, i.width, i.height, 1.0) for i in item.images]
    seen = view(item, text, text_tokens(text), sized, LIMITS[Rung.FULL])
    return answer(item, seen, 1, planted=True).text


def alone_s(items: Sequence[Item], sim: Sim) -> list[float]:
    """Times that the items take with nobody before them in the queue, on every rung."""
    clean = sim.model_copy(update={"error_rate": 0.0, "hallucination_rate": 0.0})
    step_ns = int(PHASE_S * NS_PER_S / len(items))
    arrivals = [
        Arrival(0, int(rung * PHASE_S * NS_PER_S) + k * step_ns, 0, k, 1.0, True)
        for rung in range(len(RUNGS))
        for k in range(len(items))
    ]
    return [reply.took_s for reply in drive(clean, items, arrivals)]
