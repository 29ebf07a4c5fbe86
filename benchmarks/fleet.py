"""mmload's own sending path, pinned: a real Locust master and one real worker, as ``mmload run`` starts them.

The worker has the generator's core to itself; the master, which writes the journal, shares the server's.
Figures are read from the journal. Not aware of targets to reach.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from benchmarks.payload_task import SMALL
from benchmarks.tools import GENERATOR_CORE, HERE, SERVER_CORE, Said, Work, pinned, run
from mmload import journal, plan
from mmload.model import Record, Telemetry
from mmload.profile import Profile, to_toml_dict

_STAMPS = ("due_ns", "sent_ns", "first_byte_ns", "first_token_ns", "end_ns")
_ABSENT = -1
CACHE = Path(tempfile.mkdtemp(prefix="mmload-bench-cache-"))
"""Of this process: a body file that the kernel has dropped and read again lies in smaller pieces, and costs
4 us more for each 200 KB. The peers make their bodies anew too."""
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)


_WORKER = ["-m", "mmload.drive.worker"]
_NO_STAMPS = [
    "-c",
    "import locust, mmload.drive.connection as c, mmload.drive.worker as w\n"
    "c._SO_TIMESTAMPNS = 9999\n"
    "w.main()",
]
"""The worker, whose wish for kernel stamps the kernel refuses (there is no option 9999)."""


def profile_of(url: str, work: Work) -> Profile:
    """The traffic of ``work`` as a profile."""
    size = SMALL if work.body_bytes < 1000 else work.body_bytes // 1000
    phase: dict[str, Any] = {"name": "bench", "shape": "sustained", "duration_s": work.seconds}
    phase |= {"rpm": work.rate * 60} if work.rate else {"users": work.users}
    lanes = max(work.users, min(4096, int(work.rate * (0.5 if work.mode == "paced" else 0.0)), 4096))
    return Profile.model_validate(
        {
            "name": "bench",
            "drain_s": 3.0,
            "target": {"url": url, "streaming": 1.0 if work.stream else 0.0, "max_in_flight": lanes},
            "phase": [phase],
            "arrivals": {"process": work.arrivals},
            "mix": {
                "items": 400 if size == SMALL else 1,  # the peers send one body again and again
                "tasks": {"payload": 1.0},
                "unanswerable": 0.0,
                "prompt_tokens": {str(size): 1.0},
                "formats": {"png": 1.0},
                "images": {"m": {"width": 256, "height": 256, "weight": 1.0}},
            },
            "quality": {"sample": 0.0},
        }
    )


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


class Run:
    """What came out of one run, read from its journal frame by frame: a million records fit."""

    def __init__(self, path: Path) -> None:
        self._columns = {name: array.array("q") for name in ("seq", *_STAMPS)}
        self.telemetry: list[Telemetry] = []
        self.events: list[dict[str, Any]] = []
        self.end: dict[str, Any] = {}
        self.t0_wall_ns = 0
        self.planned = 0
        self.ended: dict[str, int] = {}
        """Records by outcome, those that did not end well by error kind."""
        self.kernel_clock = True
        for kind, body in journal.Follower(path).poll():
            self._take(kind, body)

    def _take(self, kind: str, body: Any) -> None:
        if kind == journal.RECORDS:
            for record in body:
                self._record(record)
        elif kind == journal.TELEMETRY:
            self.telemetry += body
        elif kind == journal.EVENT:
            self.events.append(body)
        elif kind == journal.RUN:
            self.t0_wall_ns = body["t0_wall_ns"]
        elif kind == journal.END:
            self.end = body

    def _record(self, record: Record) -> None:
        key = "ok" if record.outcome == "ok" else f"{record.outcome}:{record.error}"
        self.ended[key] = self.ended.get(key, 0) + 1
        if key == "ok":
            self._columns["seq"].append(record.seq)
            for name in _STAMPS:
                value = getattr(record, name)
                self._columns[name].append(_ABSENT if value is None else value)
            self.kernel_clock &= record.kernel_clock

    @property
    def recorded(self) -> int:
        return sum(self.ended.values())

    def column(self, name: str) -> Any:
        """A stamp of the records that ended well: int64 ns from the start of the run, in order of record."""
        return np.frombuffer(self._columns[name], dtype=np.int64)


def drive(url: str, work: Work, user_clock: bool = False) -> tuple[Run, Said]:
    """One run of mmload's fleet against ``url``. Raises ``RuntimeError`` with the log of whoever failed.

    ``user_clock`` denies the worker the kernel's receive stamps, to show what they are worth.
    """
    os.environ["MMLOAD_PLUGINS"] = str(HERE / "payload_task.py")
    os.environ["MMLOAD_CACHE"] = str(CACHE)
    profile = profile_of(url, work)
    made = plan.build(profile, HERE, CACHE)
    run_dir = Path(tempfile.mkdtemp(prefix="mmload-bench-"))
    order = plan.order(made, url, run_dir, remote=False, web=False)
    try:
        result, said = _drive(order, run_dir, work, _NO_STAMPS if user_clock else _WORKER)
        result.planned = sum(p.planned for p in made.schedule.phases)
        return result, said
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def _drive(order: dict[str, Any], run_dir: Path, work: Work, worker_code: list[str]) -> tuple[Run, Said]:
    (run_dir / "journal").mkdir()
    (run_dir / "journal/plan.json").write_text(json.dumps(order))
    port = str(_free_port())
    module = [sys.executable, "-m"]
    master_log, worker_log = run_dir / "master.log", run_dir / "worker.log"
    began = time.monotonic()
    with master_log.open("w") as log_m, worker_log.open("w") as log_w:
        master = subprocess.Popen(
            pinned([*module, "mmload.drive.master", "--run-dir", str(run_dir), "--port", port], SERVER_CORE),
            stdout=log_m, stderr=log_m,
        )  # fmt: skip
        worker = subprocess.Popen(
            pinned([sys.executable, *worker_code, "--master-port", port], GENERATOR_CORE, work.light),
            stdout=log_w, stderr=log_w,
        )  # fmt: skip
        try:
            code = master.wait(timeout=work.seconds + 60)
            _, status, used = os.wait4(worker.pid, 0)
            worker.returncode = os.waitstatus_to_exitcode(status)
        finally:
            for process in (master, worker):
                if process.poll() is None:
                    process.kill()
    wall = time.monotonic() - began
    path = run_dir / "journal/run.mmj"
    if code or not path.exists():
        raise RuntimeError(
            f"mmload: exit {code}\n{master_log.read_text()[-1500:]}\n{worker_log.read_text()[-1500:]}"
        )
    cpu_s = used.ru_utime + used.ru_stime
    return Run(path), Said(
        cpu_s, wall, {"max_rss_mb": used.ru_maxrss / 1024, "user_s": used.ru_utime, "system_s": used.ru_stime}
    )


def start_up(url: str) -> float:
    """Seconds of ``mmload run`` for one request, from the shell and back. Raises ``RuntimeError``."""
    work = Work("small", seconds=0.05, rate=20.0, arrivals="constant", users=8)
    out = Path(tempfile.mkdtemp(prefix="mmload-bench-"))
    profile = out / "once.toml"
    profile.write_text(tomli_w.dumps(to_toml_dict(profile_of(url, work))))
    command = [sys.executable, "-m", "mmload", "run", str(profile), "--plugin", str(HERE / "payload_task.py")]
    command += ["--out", str(out / "run"), "--workers", "1", "--no-progress", "--quiet"]
    try:
        return run(command, {"MMLOAD_CACHE": str(CACHE)}, timeout=60)[2]
    finally:
        shutil.rmtree(out, ignore_errors=True)
