"""Sessions through the real pump, with lanes that answer after so long; in an interpreter of its own.

Reads one JSON object from stdin: ``cases``, prints for each the records that came out, as objects. The pump
waits in real time; a case lasts under three seconds. For ``still_s`` none of it runs, while it waits or,
with ``in_lane``, while it hands over the second session.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import gevent
import numpy as np

from mmload import schedule
from mmload.drive.clock import Clock
from mmload.drive.connection import TimedOut
from mmload.drive.endpoint import Endpoint
from mmload.drive.outbox import not_sent
from mmload.drive.pump import Traffic
from mmload.model import ErrorKind, Outcome
from mmload.profile import Phase, Profile
from mmload.shapes.sustained import Sustained
from mmload.wire.openai_chat import OpenAIChat

SCRIPTS = [(0, 1, 2), (3, 4, 5)]
MS = 10**6


class Lane:
    """Takes what is due, answers after ``answer_ms``, and says how it ended."""

    def __init__(self, traffic: Traffic, kept: list, case: dict) -> None:
        self.traffic, self.kept, self.case = traffic, kept, case
        self.connection = None
        self.greenlet = gevent.spawn(self.serve)

    def serve(self) -> None:
        traffic = self.traffic
        while True:
            arrival = traffic.take()
            traffic.in_flight.add(self)
            sent = time.monotonic_ns() - traffic.t0_ns
            error = ""
            if self.case.get("in_lane") and arrival.seq == 3:
                stand_still(self.case["still_s"])
            try:
                gevent.sleep(self.case["answer_ms"] / 1e3)
                if arrival.item in self.case.get("fails", ()):
                    error = str(ErrorKind.HTTP_5XX)
            except TimedOut as e:
                error = str(e.kind)
            end = time.monotonic_ns() - traffic.t0_ns
            record = not_sent(arrival, traffic.index, 1, ErrorKind(error) if error else ErrorKind.DNS, "")
            outcome = Outcome.FAILED if error else Outcome.OK
            self.kept.append(
                record._replace(outcome=outcome, error=error, sent_ns=sent, end_ns=end, attempts=1)
            )
            traffic.ended(traffic.sessions, arrival, end, error)
            traffic.in_flight.discard(self)
            traffic.done(arrival, pause=True)


def stand_still(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def run(case: dict) -> list[dict]:
    phase = Phase(name="p", shape="sustained", duration_s=case["seconds"], rpm=case["rpm"])
    sessions = {"turns": 3, "think": "constant", "think_time_s": case["think_ms"] / 1e3}
    profile = Profile(name="p", target={"engine": "sim"}, phase=[phase], sessions=sessions,
                      arrivals={"process": "constant"})  # fmt: skip
    plan = schedule.compile(profile, [Sustained(phase, None)], np.zeros(6), ["t"] * 6, SCRIPTS)
    kept: list = []
    outbox = SimpleNamespace(add=lambda record, answer: kept.append(record))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(b"{}")
        url = "http://127.0.0.1:9"
        endpoint = Endpoint(profile.target, url, OpenAIChat("m"), file.name, [0] * 6, [1] * 6, [1] * 6, 1)
        traffics = [
            Traffic(plan, index, case.get("workers", 1), [None], [0.0], endpoint, outbox, Clock(),
                    round(case["drain_s"] * 1e9), case.get("go_on", False))
            for index in range(case.get("workers", 1))
        ]  # fmt: skip
        t0 = time.monotonic_ns()
        for traffic in traffics:
            for _ in range(case.get("lanes", 8)):
                Lane(traffic, kept, case)
            traffic.start(t0)
        if "still_s" in case and "in_lane" not in case:
            gevent.sleep(0.15)
            stand_still(case["still_s"])
        if "stop_ms" in case:
            gevent.sleep(case["stop_ms"] / 1e3)
            for traffic in traffics:
                traffic.stop(ErrorKind.LOCAL_CANCELLED, "interrupted", 0.2)
        for traffic in traffics:
            assert traffic.finished.wait(timeout=20), "the pump does not come to its end"
    return [record._asdict() | {"gaps_us": None} for record in kept]


if __name__ == "__main__":
    json.dump([run(case) for case in json.load(sys.stdin)["cases"]], sys.stdout)
