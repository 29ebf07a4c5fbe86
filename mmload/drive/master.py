"""The Locust master of a run: gathers the workers, gives the start, writes the one journal.

Run as ``python -m mmload.drive.master --run-dir RUN --port P --workers N``. SIGTERM or SIGINT ends the
traffic and lets what is in flight finish; SIGUSR1 does the same because the budget is spent, SIGUSR2
because enough is known, SIGHUP because the target fails too often.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

# For what it does when it is imported, which must be before Locust is.
import mmload.drive.patched  # noqa: F401 # isort: skip
import gevent
import msgspec
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from mmload import journal
from mmload import plan as planning
from mmload.drive import messages
from mmload.drive.lane import Lane
from mmload.drive.outbox import not_sent
from mmload.drive.shape import PlanShape
from mmload.drive.web import add_page
from mmload.model import NS_PER_MS, Arrival, ErrorKind, MmloadError, Outcome, Record
from mmload.plan import Plan
from mmload.profile import Profile

_CONNECT_S: Final = 60.0
_REMOTE_S: Final = 600.0
"""Workers on other hosts are started by hand."""
_PREPARE_S: Final = 900.0
_SPAWN_S: Final = 30.0
_LEAD_NS: Final = 150 * NS_PER_MS
"""From the start message to the schedule's zero: it must reach every worker before."""
_REMOTE_LEAD_NS: Final = 300 * NS_PER_MS
"""The same to workers on other hosts."""
_GRACE_S: Final = 5.0
_log = logging.getLogger("mmload.master")


class Master:
    """Conducts one run."""

    def __init__(self, runner: MasterRunner, shape: PlanShape, plan: Plan, order: Mapping[str, Any]) -> None:
        """``order`` is the launcher's ``plan.json``."""
        self.runner = runner
        self.shape = shape
        self.plan = plan
        self.order = order
        self.expected = int(order["workers"])
        self.lead_ns = _REMOTE_LEAD_NS if order["remote"] else _LEAD_NS
        self.path = Path(order["run_dir"]) / journal.RUN_JOURNAL
        self.journal = journal.Writer(self.path)
        self.index: dict[str, int] = {}
        """By Locust's id, number of each worker that takes part: they are told it with the plan. Locust's own
        numbers do not do, for whoever came and went before the run has used one up."""
        self.ready: dict[int, Mapping[str, Any]] = {}
        self.done: dict[int, Mapping[str, Any]] = {}
        self.batches: dict[int, int] = {}
        self.lost: set[int] = set()
        self.reason = "done"
        self.broken = ""
        """Why the journal can no longer be written."""
        self.changed = Event()
        runner.register_message(messages.READY, self._on_ready)
        runner.register_message(messages.BATCH, self._on_batch)
        runner.register_message(messages.DONE, self._on_done)

    # --- messages -------------------------------------------------------------------------------

    def _on_ready(self, environment: Environment, msg: Any) -> None:
        self.ready[msg.data["index"]] = msg.data
        self.changed.set()

    def _on_batch(self, environment: Environment, msg: Any) -> None:
        data = msg.data
        index, number = data["index"], data["batch"]
        expected = self.batches.get(index, 0)
        if index in self.lost:
            # It had only stood still. Others send what is due by now: the target would get it twice.
            self._send_stop(msg.node_id)
            return
        if number < expected:
            return
        if number > expected:
            self._event("batch_missing", worker=index, expected=expected, got=number)
        self.batches[index] = number + 1
        try:
            for kind in (journal.TELEMETRY, journal.ANSWERS, journal.RECORDS):
                for rows in data.get(kind, ()):
                    self.journal.append_encoded(kind, msgspec.Raw(rows))
            for event in data.get("events", ()):
                self.journal.append(journal.EVENT, event)
        except OSError as e:
            # Locust would log it and go on; what is not written down must not be sent either.
            self.broken = f"{self.path}: {e.strerror}: what is recorded until then is kept"
            self.changed.set()

    def _on_done(self, environment: Environment, msg: Any) -> None:
        if msg.data["index"] not in self.lost:
            self.done[msg.data["index"]] = msg.data
        self.changed.set()

    # --- the run --------------------------------------------------------------------------------

    def conduct(self) -> None:
        """From the first worker to the last record. Raises ``MmloadError``."""
        self._gather()
        self._prepare()
        self._start()
        while len(self.done.keys() | self.lost) < self.expected:
            self._look_for_lost()
            self._wait(0.1)
            if self.broken:
                raise MmloadError(self.broken)
        totals = {str(i): {"records": d["records"], "batches": d["batches"]} for i, d in self.done.items()}
        for index, total in self.done.items():
            got = self.batches.get(index, 0)
            if got < total["batches"]:
                self._event("batch_missing", worker=index, expected=total["batches"], got=got)
        self.journal.append(journal.END, {"reason": self.reason, "t_ns": self._now(), "workers": totals})
        self.journal.close()

    def _wait(self, seconds: float) -> None:
        self.changed.wait(timeout=seconds)
        self.changed.clear()

    def _gather(self) -> None:
        patience = _REMOTE_S if self.order["remote"] else _CONNECT_S
        give_up = time.monotonic() + patience
        while len(alive := self._alive()) < self.expected:
            if time.monotonic() > give_up:
                raise MmloadError(
                    f"only {len(alive)} of {self.expected} workers came within {patience:.0f} s"
                )
            if self.reason != "done":
                raise MmloadError("interrupted before the first request")
            gevent.sleep(0.02)
        # In the order in which they came.
        came = sorted(alive, key=self.runner.get_worker_index)
        self.index = {client: index for index, client in enumerate(came[: self.expected])}

    def _alive(self) -> set[str]:
        return {client.id for client in self.runner.clients.all if client.state != STATE_MISSING}

    def _prepare(self) -> None:
        keys = ("profile", "base_dir", "url", "workers", "trace_prefix", "web")
        told = {k: self.order[k] for k in keys}
        give_up = time.monotonic() + _PREPARE_S
        again_s = 0.05
        while len(self.ready) < self.expected:
            # Said again and again: a worker that has just connected may not listen for it yet.
            for client in self._alive() | self.index.keys():
                self.runner.send_message(messages.PLAN, {**told, "index": self.index.get(client)}, client)
            if not self.index.keys() <= self._alive():
                raise MmloadError("a worker was lost while it made itself ready; see logs/worker-*.log")
            if time.monotonic() > give_up:
                late = sorted(set(range(self.expected)) - set(self.ready))
                raise MmloadError(
                    f"worker {', '.join(map(str, late))} did not get ready within {_PREPARE_S:.0f} s; "
                    "see logs/worker-*.log"
                )
            if self.reason != "done":
                raise MmloadError("interrupted before the first request")
            self._wait(again_s)
            again_s = min(2 * again_s, 0.5)
        for index, answer in self.ready.items():
            if "refused" in answer:
                raise MmloadError(f"worker {index} cannot take part: {answer['refused']}")
            if answer["fingerprint"] != self.plan.fingerprint:
                raise MmloadError(
                    f"worker {index} made another workload ({answer['fingerprint'][:12]}) than the master "
                    f"({self.plan.fingerprint[:12]}): its versions of mmload, Pillow or numpy differ"
                )

    def _raise_lanes(self) -> None:
        self.runner.start_shape()

    def _start(self) -> None:
        self._raise_lanes()
        give_up = time.monotonic() + _SPAWN_S
        while not self.runner.spawning_completed:
            if time.monotonic() > give_up:
                raise MmloadError(f"the lanes were not up within {_SPAWN_S:.0f} s; see logs/worker-*.log")
            gevent.sleep(0.01)
        t0_wall = time.time_ns() + self.lead_ns
        self.shape.t0_ns = time.monotonic_ns() + self.lead_ns
        self.journal.append(journal.RUN, {**self.order["run_frame"], "t0_wall_ns": t0_wall})
        self.runner.send_message(messages.GO, {"t0_wall_ns": t0_wall})
        if self.reason != "done":
            self._send_stop()

    def stop(self, reason: str) -> None:
        """End the traffic early."""
        if self.reason == "done" and not self.journal.closed:
            self.reason = reason
            if self.shape.t0_ns:
                self._event("budget_stop" if reason == "budget" else reason)
                self._send_stop()

    def _send_stop(self, client_id: str | None = None) -> None:
        """To one worker, or to all."""
        self.runner.send_message(messages.STOP, {"reason": self.reason, "grace_s": _GRACE_S}, client_id)

    def _now(self) -> int:
        return time.monotonic_ns() - self.shape.t0_ns if self.shape.t0_ns else 0

    def _event(self, name: str, **more: Any) -> None:
        self.journal.append(journal.EVENT, {"t_ns": self._now(), "name": name, **more})

    # --- a worker is lost -----------------------------------------------------------------------

    def _look_for_lost(self) -> None:
        alive = {self.index[client] for client in self._alive() if client in self.index}
        for index in set(self.ready) - alive - self.lost - set(self.done):
            self._lose(index)

    def _lose(self, index: int) -> None:
        """Others take what it had still to send; what it may have sent is recorded as lost with it."""
        from_ns = self._now() + self.lead_ns
        self.lost.add(index)
        survivors = sorted(set(self.ready) - self.lost - set(self.done))
        for client, number in self.index.items():
            if number == index:
                self._send_stop(client)  # heard if it wakes again
        self._event("worker_lost", worker=index, survivors=survivors)
        _log.error("worker %d is lost; %s take over what is due from now on", index, survivors)
        if survivors:
            self.runner.send_message(
                messages.TAKE_OVER, {"lost": index, "from_ns": from_ns, "survivors": survivors}
            )
        limit = from_ns if survivors else 1 << 62
        records = [r for r in self._unrecorded(index) if r.due_ns < limit]
        for i in range(0, len(records), 1000):
            self.journal.append(journal.RECORDS, records[i : i + 1000])

    def _unrecorded(self, index: int) -> list[Record]:
        """Records for the requests of a lost worker of which nothing was received."""
        known = set(journal.seqs(journal.Follower(self.path), journal.RECORDS))
        share = self.plan.schedule.stripe(index, self.expected)
        turns = self.plan.schedule.turns
        records: list[Record] = []
        for arrival in (share.arrival(i) for i in range(len(share))):
            rest = turns.rest(arrival, arrival.due_ns) if turns is not None else []
            lost = [a for a in (arrival, *rest) if a.seq not in known]
            # Of a session only the first turn of which nothing is known can have been sent.
            records += [self._lost_record(a, index, sent=a is lost[0]) for a in lost]
        return records

    def _lost_record(self, arrival: Arrival, index: int, sent: bool) -> Record:
        size = int(self.plan.bodies.length[arrival.item])
        record = not_sent(arrival, index, size, ErrorKind.WORKER_LOST, "its worker was lost")
        sent = sent and arrival.due_ns <= self._now()
        return record._replace(outcome=Outcome.FAILED if sent else Outcome.NOT_SENT, attempts=int(sent))


def _await_order(path: Path) -> dict[str, Any]:
    """The launcher starts us before it has planned; it writes the order in one piece, and we end with it."""
    while not path.exists():
        gevent.sleep(0.02)
    order: dict[str, Any] = json.loads(path.read_text())
    return order


def _run(options: argparse.Namespace) -> int:
    order = _await_order(options.run_dir / "journal" / "plan.json")
    profile = Profile.model_validate(order["profile"])
    plan = planning.build(profile, Path(order["base_dir"]))
    shape = PlanShape(plan)
    environment = Environment(user_classes=[Lane], shape_class=shape)
    environment.stop_timeout = profile.target.total_timeout_s + _GRACE_S
    runner = environment.create_master_runner(options.bind_host, options.port)
    master = Master(runner, shape, plan, order)
    if options.web_port is not None:
        add_page(environment, options.web_host, options.web_port, order)
    for number, reason in (
        (signal.SIGTERM, "interrupted"),
        (signal.SIGINT, "interrupted"),
        (signal.SIGUSR1, "budget"),
        (signal.SIGHUP, "error_rate"),
        (signal.SIGUSR2, "settled"),
    ):
        gevent.signal_handler(number, master.stop, reason)
    try:
        master.conduct()
    finally:
        runner.quit()
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mmload.drive.master")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--bind-host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--web-host", default="127.0.0.1")
    parser.add_argument("--web-port", type=int)
    options = parser.parse_args()
    # Locust's web page reads the process's arguments again, as its own.
    del sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        code = _run(options)
    except (MmloadError, OSError) as e:
        sys.stderr.write(f"mmload: {e}\n")  # where the launcher reads it
        code = e.exit_code if isinstance(e, MmloadError) else 1
    sys.exit(code)


if __name__ == "__main__":
    main()
