"""Two hours of traffic in simulated time: ``python tests/reliability/two_hours.py --hours 2 --rps 100``.

The real plan, pump, lanes, attempts, adapters, outbox, vitals and journal of a worker; only the clock and the
sockets are left out. The clock jumps from event to event; an answer is on its connection some hundred
milliseconds after its request, one in 500 never comes, one in 500 is cut. Held against the run: every planned
request is recorded once, sent when it was due, and ended as it should have; the memory of the process is the
same in the last tenth as in the second. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import msgspec
import numpy as np
from gevent.event import Event
from gevent.hub import get_hub
from locust.env import Environment  # patches the standard library

sys.path.insert(0, str(Path(__file__).parents[1]))
from whole_runs import TINY

from mmload import journal
from mmload import plan as planning
from mmload.drive import lane, messages, outbox, pump, standby, vitals, worker
from mmload.drive.connection import Connection
from mmload.drive.lane import Lane
from mmload.profile import load

LANES = 256
TIMEOUTS = "first_byte_timeout_s = 5\nidle_timeout_s = 5\ntotal_timeout_s = 20\n"
TEXT = '{"status": "refused", "answer": null, "evidence": [], "confidence": 0, "nonce": ""}'
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
BODY = json.dumps({"model": "m", "choices": [_CHOICE], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
ANSWER = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
_AT_ONCE = 500
"""Events between two looks of the hub at what else is to be done (a connection replaced)."""
_SWEEP_NS, _FLUSH_NS = 50_000_000, 100_000_000


class World:
    """The clock, and what happens when."""

    def __init__(self) -> None:
        self.now = time.monotonic_ns()
        self.timer = 1 << 62
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.chance = random.Random(8)
        self.fates: Counter[str] = Counter()

    def after(self, ns: int, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + ns, next(self._order), what))

    def arm(self, at_ns: int) -> None:
        self.timer = at_ns

    def clock(self) -> Any:
        return SimpleNamespace(monotonic_ns=lambda: self.now, process_time_ns=time.process_time_ns)


def wire(world: World) -> type[Connection]:
    """A connection without a socket."""

    class Wire(Connection):
        def connect(self, *_: object) -> None:
            self.established = True

        def send(self, *_: object) -> None:
            self.fate = world.chance.random()
            ns = int(world.chance.lognormvariate(0, 0.5) * 200_000_000)
            if self.fate < 0.002:
                world.fates["first_byte_timeout"] += 1
                return
            world.fates["truncated_body" if self.fate < 0.004 else ""] += 1
            attempt = self.attempt
            world.after(min(ns, 4_000_000_000), lambda: self.arrive(attempt))

        def arrive(self, attempt: Any) -> None:
            assert self.attempt is attempt
            cut = 0.002 <= self.fate < 0.004
            if attempt.take(ANSWER.encode()[: -9 if cut else None], world.now):
                self._done(attempt)
            elif cut:
                self._lost("")

    return Wire


class Master:
    """Takes the place of the runner: what a worker sends goes into the journal."""

    def __init__(self, path: Path) -> None:
        self.journal = journal.Writer(path)

    def register_message(self, *_: object, **__: object) -> None:
        pass

    def send_message(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == messages.READY:
            assert "fingerprint" in data, data
        for part in (journal.TELEMETRY, journal.ANSWERS, journal.RECORDS):
            for rows in data.get(part, ()) if kind == messages.BATCH else ():
                self.journal.append_encoded(part, msgspec.Raw(rows))


def simulate(hours: float, rps: float, where: Path) -> tuple[Path, World]:
    """Drive it; gives the run folder, whose journal is whole, and the world that was."""
    where.mkdir(parents=True, exist_ok=True)
    path = where / "p.toml"
    text = TINY.replace(
        'engine = "sim"', f'url = "http://127.0.0.1:1/v1"\nmax_in_flight = {LANES}\n{TIMEOUTS}'
    )
    text = text.replace("[target.sim]\nspeed = 60\n", "").replace('"constant"', '"poisson"')
    phase = f'[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = {3600 * hours:g}\nrpm = {60 * rps:g}\n'
    path.write_text(text + phase)
    profile = load(path)
    plan = planning.build(profile, where)
    folder = where / "run"
    (folder / "journal").mkdir(parents=True)
    order = planning.order(plan, str(profile.target.url), folder, True, False)
    master = Master(folder / "journal" / "run.mmj")
    one = worker.Worker(SimpleNamespace(), master)  # type: ignore[arg-type]
    one._on_plan({**order, "index": 0})
    world = World()
    for module in (pump, lane, standby, vitals):
        module.time = world.clock()
    lane.send = lambda *_: -1  # there is no socket: what is to be sent is the connection's
    standby.Connection = wire(world)
    outbox.gevent = SimpleNamespace(sleep=lambda _: None)
    traffic, box = one.traffic, one.outbox
    assert traffic is not None and box is not None
    traffic._timer = SimpleNamespace(arm=world.arm)
    for _ in range(LANES):
        user = Lane(SimpleNamespace(traffic=traffic))
        user.on_start()
        user._greenlet = gevent.spawn(user.serve)
    gevent.sleep(0.05)
    header = {**order["run_frame"], "t0_wall_ns": time.time_ns() - int(3.6e12 * hours)}
    master.journal.append(journal.RUN, header)
    traffic.t0_ns = world.now
    traffic._rearm(world.now)
    _turn(world, traffic, box)
    totals = {"0": {"records": box.recorded, "batches": box.batches}}
    end = {"reason": "done", "t_ns": world.now - traffic.t0_ns, "workers": totals}
    master.journal.append(journal.END, end)
    master.journal.close()
    return folder, world


def _turn(world: World, traffic: pump.Traffic, box: outbox.Outbox) -> None:
    """From event to event in the hub, where the pump and the sweeper belong, until the traffic has ended."""
    hub, over = get_hub(), Event()
    signs = vitals.Vitals(traffic)

    def again(ns: int, what: Callable[[], None]) -> None:
        def do() -> None:
            what()
            if not traffic.finished.is_set():
                world.after(ns, do)

        world.after(ns, do)

    def ship() -> None:
        signs.sample(box)
        box.flush()

    def some() -> None:
        for _ in range(_AT_ONCE):
            if traffic.finished.is_set():
                over.set()
                return
            if world.timer <= world.events[0][0]:
                world.now, world.timer = max(world.now, world.timer), 1 << 62
                traffic._on_timer()
            else:
                at, _, what = heapq.heappop(world.events)
                world.now = max(world.now, at)
                what()
        hub.loop.run_callback(some)

    again(_SWEEP_NS, traffic._sweep)
    again(_FLUSH_NS, ship)
    hub.loop.run_callback(some)
    over.wait()
    ship()


def judge(folder: Path, world: World, hours: float, rps: float) -> tuple[str, str]:
    """What was seen, and the promise that does not hold."""
    seqs, lag, ends, rss = [], [], Counter[str](), []
    for kind, body in journal.Follower(folder / "journal" / "run.mmj").poll():
        if kind == journal.RECORDS:
            seqs += [r.seq for r in body]
            lag += [(r.due_ns, r.sent_ns - r.due_ns) for r in body]
            ends.update(r.error for r in body)
        elif kind == journal.TELEMETRY:
            rss += [t.rss_bytes / 1e6 for t in body]
    late = np.array(sorted(lag))[:, 1] / 1e6
    tenths = [float(part.max()) for part in np.array_split(late, 10)]
    memory = [float(np.median(part)) for part in np.array_split(np.array(rss), 10)]
    said = (
        f"{len(seqs):,} requests in {hours:g} h; ended {dict(ends)}; latest by tenth "
        f"{[round(ms, 3) for ms in tenths]} ms; memory by tenth {[round(mb) for mb in memory]} MB"
    )
    if sorted(seqs) != list(range(len(seqs))) or abs(len(seqs) / (3600 * hours * rps) - 1) > 0.05:
        return said, "the records are not those of the plan"
    if ends != world.fates:
        return said, f"not ended as they should have: {dict(world.fates)}"
    if max(tenths) > 1e-3:
        return said, "one left later than it was due"
    if memory[-1] > memory[1] + 4:
        return said, "memory grew"
    return said, ""


def main() -> int:
    assert Environment is not None
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--rps", type=float, default=100)
    parser.add_argument("--keep", type=Path, help="leave the run folder here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, world = simulate(options.hours, options.rps, options.keep or Path(scratch))
        said, wrong = judge(folder, world, options.hours, options.rps)
    print(said)
    if wrong:
        print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
