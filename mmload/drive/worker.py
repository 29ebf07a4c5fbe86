"""A Locust worker that carries its stripe of the schedule.

Run as ``python -m mmload.drive.worker --master-host H --master-port P``. It learns all else from the
master: the profile, from which it makes the same plan, and the instant at which to begin.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# For what it does when it is imported, which must be before Locust is.
import mmload.drive.patched  # noqa: F401 # isort: skip
import gevent
import locust.runners
from gevent.hub import get_hub
from locust.env import Environment
from locust.runners import WorkerRunner

from mmload import journal
from mmload import plan as planning
from mmload.drive import messages
from mmload.drive.clock import Clock
from mmload.drive.endpoint import Endpoint
from mmload.drive.lane import Lane
from mmload.drive.outbox import Outbox
from mmload.drive.oversample import Oversample
from mmload.drive.pump import Traffic
from mmload.drive.vitals import Vitals
from mmload.drive.warmup import warm_up
from mmload.drive.web import show
from mmload.model import NS_PER_MS, NS_PER_S, ErrorKind, MmloadError
from mmload.plan import Plan
from mmload.profile import Profile

_FLUSH_S = 0.1
_CONNECT_TRIES = 12
"""Of 5 s each."""
_ORPHANED_S = 10
"""Without a word from its master, a worker ends."""
_log = logging.getLogger("mmload.worker")


class Worker:
    """Answers the master's messages; owns the traffic of this process."""

    def __init__(self, environment: Environment, runner: WorkerRunner, base_dir: Path | None = None) -> None:
        """``base_dir`` takes the place of the master's profile folder, on a host that has none such."""
        self.environment = environment
        self.runner = runner
        self.base_dir = base_dir
        self.told = False
        self.plan: Plan | None = None
        self.traffic: Traffic | None = None
        self.outbox: Outbox | None = None
        self.names: list[str] = []
        for name, listener in (
            (messages.PLAN, self._on_plan),
            (messages.GO, self._on_go),
            (messages.STOP, self._on_stop),
            (messages.TAKE_OVER, self._on_take_over),
        ):
            runner.register_message(name, _guarded(listener), concurrent=True)

    # --- before the run -------------------------------------------------------------------------

    def _on_plan(self, data: Mapping[str, Any]) -> None:
        if self.told:
            return
        self.told = True
        index = data["index"]
        if index is None:
            # One too many: Locust would deal lanes out to it, which are wanted where the traffic is.
            _log.info("the master has workers enough")
            self.environment.events.quitting.fire(environment=self.environment)  # type: ignore[no-untyped-call]
            self.runner.quit()
            return
        try:
            self.plan = plan = self._make_plan(data)
            self._make_traffic(plan, data, index)
        except MmloadError as e:
            self.runner.send_message(messages.READY, {"index": index, "refused": str(e)})
            return
        warm_up(plan.adapter)
        _settle_memory()
        self.runner.send_message(messages.READY, {"index": index, "fingerprint": plan.fingerprint})

    def _make_plan(self, data: Mapping[str, Any]) -> Plan:
        """In a thread of the hub's pool: the heartbeat to the master must not stop meanwhile."""
        profile = Profile.model_validate(data["profile"])
        base_dir = self.base_dir or Path(data["base_dir"])
        made: Plan = get_hub().threadpool.apply(planning.build, (profile, base_dir))
        return made

    def _make_traffic(self, plan: Plan, data: Mapping[str, Any], index: int) -> None:
        profile, bodies = plan.profile, plan.bodies
        endpoint = Endpoint(
            profile.target,
            data["url"],
            plan.adapter,
            str(bodies.file),
            bodies.offset.tolist(),
            bodies.length.tolist(),
            plan.prompt_tokens,
            int(data["trace_prefix"], 16),
        )
        endpoint.resolve()
        phases = plan.schedule.phases
        shapes = [plan.shape_of(p.number) for p in phases]
        think = {p.name: p.think_time_s for p in profile.phase}
        self.outbox = Outbox(index, self._ship)
        if data["web"]:
            self.names = [f"{item.task} {item.slices.get('image_size', '')}" for item in plan.suite.items]
        self.traffic = Traffic(
            plan.schedule,
            index,
            int(data["workers"]),
            [None if s.open_loop else s.users for s in shapes],
            [think[p.group] for p in phases],
            endpoint,
            self.outbox,
            Clock(),
            int(profile.drain_s * NS_PER_S),
            profile.sessions.after_failure == "continue",
        )
        if profile.quality.sample_slow:
            slo_ns = [round(profile.slo_of(item.task).e2e_ms * NS_PER_MS) for item in plan.suite.items]
            self.traffic.sampling = Oversample(profile.quality.sample_slow, slo_ns, plan.schedule.chosen)
        self.environment.traffic = self.traffic  # type: ignore[attr-defined] # where lanes find it

    def _ship(self, parts: Mapping[str, Any]) -> None:
        self.runner.send_message(messages.BATCH, dict(parts))
        for rows in parts.get("records", ()) if self.names else ():
            show(self.environment, journal.decode_body(journal.RECORDS, rows), self.names)

    # --- the run --------------------------------------------------------------------------------

    def _on_go(self, data: Mapping[str, Any]) -> None:
        traffic, outbox = self.traffic, self.outbox
        if traffic is None or outbox is None or traffic.t0_ns:
            return
        t0 = int(data["t0_wall_ns"]) - traffic.clock.offset_ns
        traffic.start(t0)
        vitals = Vitals(traffic)
        while not traffic.finished.wait(timeout=_FLUSH_S):
            vitals.sample(outbox)
            outbox.flush()
        vitals.sample(outbox)
        outbox.flush()
        totals = {"index": outbox.index, "batches": outbox.batches, "records": outbox.recorded}
        self.runner.send_message(messages.DONE, totals)

    def _on_stop(self, data: Mapping[str, Any]) -> None:
        if self.traffic is not None:
            self.traffic.stop(ErrorKind.LOCAL_CANCELLED, data["reason"], data["grace_s"])

    def _on_take_over(self, data: Mapping[str, Any]) -> None:
        traffic, plan = self.traffic, self.plan
        if traffic is None or plan is None or traffic.index not in data["survivors"]:
            return
        share = plan.schedule.stripe(data["lost"], traffic.count).after(data["from_ns"])
        rank, sharing = data["survivors"].index(traffic.index), len(data["survivors"])
        traffic.take_over(share.stripe(rank, sharing), rank, sharing)


def _settle_memory() -> None:
    """What the plan was made with goes back to the system; what stays is not walked through again."""
    gc.unfreeze()  # what was thrown away while Locust was imported (``patched``) is among it
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the GNU C library
    if trim is not None:
        trim(0)


def _guarded(listener: Callable[[Mapping[str, Any]], None]) -> Callable[..., None]:
    def listen(environment: Environment, msg: Any) -> None:
        try:
            listener(msg.data)
        except Exception:
            # A fault of ours. Locust would log it and live on, and its master would wait for ever.
            _log.exception("this worker cannot go on")
            os._exit(1)

    return listen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mmload.drive.worker")
    parser.add_argument("--master-host", default="127.0.0.1")
    parser.add_argument("--master-port", type=int, required=True)
    parser.add_argument("--base-dir", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Given options, Locust does not look for a locust.conf of the folder or the home.
    environment = Environment(user_classes=[Lane], parsed_options=argparse.Namespace(web_base_path=""))
    locust.runners.CONNECT_RETRY_COUNT = _CONNECT_TRIES
    locust.runners.MASTER_HEARTBEAT_TIMEOUT = _ORPHANED_S
    try:
        runner = environment.create_worker_runner(options.master_host, options.master_port)
    except ConnectionError:
        where = f"{options.master_host}:{options.master_port}"
        sys.exit(f"mmload: no master answers at {where}; is `mmload run --master` running there?")
    worker = Worker(environment, runner, options.base_dir)
    gevent.signal_handler(signal.SIGTERM, runner.quit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _log.info("worker %s of pid %s connected", runner.worker_index, os.getpid())
    runner.greenlet.join()
    _log.info("worker %s ended after %.1f s of CPU", runner.worker_index, time.process_time())
    del worker


if __name__ == "__main__":
    main()
