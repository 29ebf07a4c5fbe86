"""Before the first request: a worker that is late is waited for, one that never comes ends the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from whole_runs import TINY, command

from mmload.launch.children import free_port
from reliability.servers import faults, head

HERE = Path(__file__).parent
PHASE = '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 1\nrpm = 1200\n'


@pytest.mark.live
def test_a_worker_that_listens_late_still_hears_the_plan(tmp_path: Path) -> None:
    profile, folder, port = tmp_path / "late.toml", tmp_path / "run", str(free_port())
    with faults() as url:
        profile.write_text(head(url) + PHASE)
        run = subprocess.Popen(
            command("run", str(profile), "--out", str(folder), "--master", "--master-port", port, "--quiet")
        )
        late = late_worker(port, listen := tmp_path / "listen")
        log = folder / "logs" / "master.log"
        wait_for_workers(log, 1)
        time.sleep(2)
        listen.touch()
        assert run.wait(60) in (0, 5)
        assert late.wait(30) == 0
    counts = json.loads((folder / "summary.json").read_text())["counts"]
    assert counts["ok"] == counts["planned"] == 20


@pytest.mark.live
def test_a_worker_that_went_before_the_run_leaves_no_gap_and_one_too_many_goes_home(tmp_path: Path) -> None:
    profile, folder, port = tmp_path / "gap.toml", tmp_path / "run", str(free_port())
    with faults() as url:
        profile.write_text(head(url) + PHASE)
        run = subprocess.Popen(
            command("run", str(profile), "--out", str(folder), "--workers", "2",
                    "--master", "--master-port", port, "--quiet")
        )  # fmt: skip
        gone = worker(port)
        log = folder / "logs" / "master.log"
        wait_for_workers(log, 1)
        gone.terminate()
        gone.wait(30)
        wait_for(lambda: any(word in log.read_text() for word in ("missing", " quit")))
        held = late_worker(port, listen := tmp_path / "listen")
        wait_for_workers(log, 2)
        others = [worker(port), worker(port)]
        # Nothing begins before the one that is held: the other two are there in time, and one is too many.
        wait_for(lambda: any(other.poll() is not None for other in others))
        listen.touch()
        others.append(held)
        assert run.wait(60) in (0, 5)
        assert [other.wait(30) for other in others] == [0, 0, 0]
        assert '{"Lane": 256} (256 total users)' in log.read_text(), "lanes are where the traffic is"
    counts = json.loads((folder / "summary.json").read_text())["counts"]
    assert counts["ok"] == counts["planned"] == 20


def worker(port: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("worker", "--master-host", "127.0.0.1", "--master-port", port), stderr=subprocess.DEVNULL
    )


def late_worker(port: str, listen: Path) -> subprocess.Popen[bytes]:
    """Connects, and hears nothing until ``listen`` exists."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "late_worker.py"), "--master-port", port],
        env={**os.environ, "LISTEN": str(listen)},
    )


def wait_for_workers(log: Path, count: int) -> None:
    """Until so many have connected, those that have gone since among them."""
    wait_for(lambda: log.exists() and log.read_text().count("reported as ready") == count)


def wait_for(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_workers_that_never_get_ready_are_named_and_the_run_ends() -> None:
    said = subprocess.run(
        [sys.executable, str(HERE / "never_ready.py")], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert said[0].startswith("worker 1 did not get ready within 1 s; see logs/worker-*.log | ")
    assert int(said[0].rpartition("| ")[2]) >= 2, "the plan is told again and again"
    assert said[1].startswith("a worker was lost while it made itself ready")


def test_a_refused_plan_leaves_a_users_folder_as_it_was(tmp_path: Path) -> None:
    profile, folder = tmp_path / "bad.toml", tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    (folder / "notes.txt").write_text("keep me")
    (folder / "deep" / "more.txt").write_text("me too")
    profile.write_text(TINY + '[[phase]]\nname = "p"\nshape = "replay"\nduration_s = 1\ntrace = "none.csv"\n')
    ran = subprocess.run(
        command("run", str(profile), "--out", str(folder)), capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 2 and "none.csv" in ran.stderr and "Traceback" not in ran.stderr
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == [
        "deep", "deep/more.txt", "notes.txt",
    ]  # fmt: skip
    assert (folder / "notes.txt").read_text() == "keep me"
