"""mmload under a Locust of your own: its command line, its web page, ``--processes``, its operator.

    MMLOAD_PROFILE=burst.toml MMLOAD_TARGET=http://127.0.0.1:8000/v1 \\
        locust -f "$(python -m mmload.drive.locustfile)" --processes 2 --headless

The master writes the same run folder as ``mmload run`` (``MMLOAD_OUT``, default ``reports/...``), starts
the scorer, and ends with mmload's exit code. Lanes need workers: ``--processes N``, or ``--master`` and
``--worker``.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from mmload import journal, plugins
from mmload import plan as planning
from mmload.drive.lane import Lane
from mmload.drive.master import Master
from mmload.drive.shape import PlanShape
from mmload.drive.worker import Worker
from mmload.model import InputError, MmloadError
from mmload.profile import Profile, load

__all__ = ["Lane", "OwnLocust"]
_log = logging.getLogger("mmload")


class OwnLocust(PlanShape):
    """The shape that Locust finds here; it gets its plan when the test starts."""


class Guest(Master):
    """A master whose lanes are raised by the Locust that it is a guest of."""

    def _raise_lanes(self) -> None:
        wanted = self.shape.lanes_at(0.0)
        while self.runner.user_count < wanted:
            gevent.sleep(0.05)


def wanted_profile() -> tuple[Profile, Path]:
    """Profile of the environment variable ``MMLOAD_PROFILE``. Raises ``InputError``."""
    name = os.environ.get("MMLOAD_PROFILE")
    if not name:
        raise InputError("MMLOAD_PROFILE: the environment variable that names the profile is not set")
    target = os.environ.get("MMLOAD_TARGET")
    known = {
        "shape": plugins.names("shapes"),
        "task": plugins.names("tasks"),
        "protocol": plugins.names("wire"),
    }
    profile = load(Path(name), [f"target.url={target}"] if target else [], known=known)
    if profile.target.url is None:
        raise InputError("MMLOAD_TARGET: give the URL of a running target; none is started under your Locust")
    return profile, Path(name).parent


def conduct(environment: Environment, runner: MasterRunner) -> None:
    """One run from test start to exit code; the journal and the report are those of ``mmload run``."""
    try:
        profile, base_dir = wanted_profile()
        workers = runner.worker_count
        profile = profile.model_copy(update={"workers": workers})
        plan = planning.build(profile, base_dir)
        run_dir = journal.make_folder(profile.name, _out())
        order = planning.order(plan, str(profile.target.url), run_dir, True, True)
        (run_dir / "journal" / "plan.json").write_text(json.dumps(order))
        shape = environment.shape_class
        assert isinstance(shape, PlanShape)
        master = Guest(runner, shape, plan, order)
        scorer = subprocess.Popen([sys.executable, "-m", "mmload.grade", str(run_dir)])
        shape.plan = plan
        try:
            master.conduct()
        finally:
            scorer.wait(300)
        code = subprocess.run([sys.executable, "-m", "mmload", "report", str(run_dir)]).returncode
    except MmloadError as e:
        _log.error("mmload: %s", e)
        code = e.exit_code
    environment.process_exit_code = code
    if environment.parsed_options is not None and environment.parsed_options.headless:
        runner.quit()
    else:
        runner.stop()


def _out() -> Path | None:
    out = os.environ.get("MMLOAD_OUT")
    return Path(out) if out else None


def on_init(environment: Environment, runner: Any, **_: Any) -> None:
    if isinstance(runner, WorkerRunner):
        Worker(environment, runner)
    elif not isinstance(runner, MasterRunner):
        _log.error("mmload needs workers: add --processes 2, or start a --master and some --worker")
        environment.process_exit_code = 2
        sys.exit(2)


def on_test_start(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        gevent.spawn(conduct, environment, environment.runner)


events.init.add_listener(on_init)  # type: ignore[no-untyped-call] # Locust's own
events.test_start.add_listener(on_test_start)  # type: ignore[no-untyped-call] # Locust's own

if __name__ == "__main__":
    sys.stdout.write(f"{Path(__file__).resolve()}\n")
