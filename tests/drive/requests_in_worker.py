"""Sends single requests through the real lane, in an interpreter that Locust has patched.

Reads one JSON object from stdin: ``cases`` (each ``url``, ``stream`` and keys of ``[target]``;
``standing``: so many connections stand ready; ``still_s``: once a request has left, nothing runs here for so
long), prints a list of records and answers. A process of its own,
for Locust must not patch the tests' interpreter.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import gevent
import numpy as np
from locust.env import Environment  # patches the standard library

from mmload import schedule
from mmload.drive.clock import Clock
from mmload.drive.endpoint import Endpoint
from mmload.drive.lane import Lane
from mmload.drive.pump import Traffic
from mmload.model import Answer, Arrival, Record
from mmload.profile import Phase, Profile, Target
from mmload.shapes.sustained import Sustained
from mmload.wire.openai_chat import OpenAIChat
from mmload.wire.template import Template

BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}]%s}'


class Kept:
    """Takes the place of the outbox."""

    def __init__(self) -> None:
        self.rows: list[tuple[Record, Answer | None]] = []

    def add(self, record: tuple, answer: Answer | None) -> None:
        self.rows.append((Record._make(record), answer))


def send(case: dict) -> list[dict]:
    url, stream, times = case.pop("url"), case.pop("stream", False), case.pop("times", 1)
    padding = case.pop("padding", 0)
    pause_s, together_s = case.pop("pause_s", 0), case.pop("together_s", 0)
    template, standing = case.pop("file", None), case.pop("standing", 0)
    step_ns = case.pop("clock_step_s", 0) * 10**9
    still_s = case.pop("still_s", 0)
    target = Target.model_validate({"url": url, **case})
    phase = Phase(name="p", shape="sustained", duration_s=60, users=1)
    profile = Profile(name="p", target=target, phase=[phase])
    plan = schedule.compile(profile, [Sustained(phase, None)], np.zeros(1), ["t"])
    rest = (b',"stream":true,"stream_options":{"include_usage":true}' if stream else b"") + (
        b',"padding":"' + b"x" * padding + b'"' if padding else b""
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY % rest)
        file.flush()
        length = [file.tell()]
        adapter = Template("m", {}, Path(template)) if template else OpenAIChat("m")
        endpoint = Endpoint(target, url, adapter, file.name, [0], length, [9], 0xABC)
        endpoint.resolve()
        kept = Kept()
        traffic = Traffic(plan, 0, 1, [lambda t: 0], [0.0], endpoint, kept, Clock(), 10**9)
        traffic.start(time.monotonic_ns())
        lane = Lane(SimpleNamespace())
        lane.traffic, lane.endpoint = traffic, endpoint
        for _ in range(standing):
            traffic.standby.join()
        gevent.sleep(0.2 if standing else 0)
        # As if the wall clock had been set since the offset to it was sampled.
        traffic.clock.offset_ns -= step_ns
        if together_s:
            _together(traffic, endpoint, times, together_s)
            times = 0
        for seq in range(times):
            now = time.monotonic_ns() - traffic.t0_ns
            greenlet = gevent.spawn(lane._perform, Arrival(seq, now, 0, 0, 1.0, True))
            lane._greenlet = greenlet
            traffic.in_flight.add(lane)
            if still_s:
                gevent.sleep(0.2)
                until = time.monotonic() + still_s
                while time.monotonic() < until:
                    pass
            greenlet.join()
            traffic.in_flight.discard(lane)
            gevent.sleep(pause_s)
        lane._drop()
        held = len(traffic.standby._ready)
        traffic._watcher.stop()
        traffic._sweeper.stop()
    return [
        record._asdict() | {"answer": answer.text if answer else None, "held_after_all": held}
        for record, answer in kept.rows
    ]


def _together(traffic: Traffic, endpoint: Endpoint, times: int, apart_s: float) -> None:
    """Each request on a lane of its own, so many seconds after the one before; waits for all."""
    greenlets = []
    for seq in range(times):
        lane = Lane(SimpleNamespace())
        lane.traffic, lane.endpoint = traffic, endpoint
        now = time.monotonic_ns() - traffic.t0_ns
        lane._greenlet = gevent.spawn(lane._perform, Arrival(seq, now, 0, 0, 1.0, True))
        traffic.in_flight.add(lane)
        greenlets.append(lane._greenlet)
        gevent.sleep(apart_s)
    gevent.joinall(greenlets)


def main() -> None:
    assert Environment is not None
    out = [send(case) for case in json.load(sys.stdin)["cases"]]
    for rows in out:
        for row in rows:
            row["gaps_us"] = np.frombuffer(row["gaps_us"], "<u4").tolist()
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
