"""Requests whose next attempt waits while the run ends, through real lanes and the real pump.

Reads a list of cases from stdin, prints for each the planned requests and the records. ``kill``: the lanes
are ended, as Locust ends them. In an interpreter of its own, for Locust patches the one that it is imported
into.
"""

import json
import sys
import tempfile
import time
from types import SimpleNamespace

import gevent
import numpy as np
from gevent.server import StreamServer
from locust.env import Environment  # patches the standard library

from mmload import schedule
from mmload.drive.clock import Clock
from mmload.drive.endpoint import Endpoint
from mmload.drive.lane import Lane
from mmload.drive.pump import Traffic
from mmload.model import Record
from mmload.profile import Phase, Profile, Target
from mmload.shapes.sustained import Sustained
from mmload.wire.openai_chat import OpenAIChat

PLANNED = 10


def run(case: dict) -> dict:
    later = case["retry_after"].encode("latin-1")

    def refuse(client, _address) -> None:
        while client.recv(65536):
            client.sendall(b"HTTP/1.1 503 Later\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % later)

    server = StreamServer(("127.0.0.1", 0), refuse)
    server.start()
    url = f"http://127.0.0.1:{server.address[1]}/v1"
    target = Target.model_validate({"url": url, "retries": 2, "retry_backoff_s": 0.01})
    phase = Phase(name="p", shape="sustained", duration_s=0.5, rpm=PLANNED * 120)
    profile = Profile(name="p", target=target, phase=[phase], arrivals={"process": "constant"})
    plan = schedule.compile(profile, [Sustained(phase, None)], np.zeros(1), ["t"])
    kept = []
    outbox = SimpleNamespace(add=lambda record, answer: kept.append(Record._make(record)))
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"{}")
        file.flush()
        endpoint = Endpoint(target, url, OpenAIChat("m"), file.name, [0], [2], [9], 1)
        endpoint.resolve()
        traffic = Traffic(plan, 0, 1, [None], [0.0], endpoint, outbox, Clock(), 5 * 10**8)
        lanes = [Lane(SimpleNamespace(traffic=traffic)) for _ in range(PLANNED)]
        for lane in lanes:
            lane._greenlet = gevent.spawn(live, lane)
        gevent.sleep(0.1)
        traffic.start(time.monotonic_ns())
        if case.get("kill"):
            gevent.sleep(0.8)
            gevent.killall([lane._greenlet for lane in lanes])
        assert traffic.finished.wait(timeout=10), "the pump does not come to its end"
    server.stop()
    return {"planned": PLANNED, "records": [r._asdict() | {"gaps_us": None} for r in kept]}


def live(lane: Lane) -> None:
    lane.on_start()
    try:
        lane.serve()
    finally:
        lane.on_stop()


if __name__ == "__main__":
    assert Environment is not None
    json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
