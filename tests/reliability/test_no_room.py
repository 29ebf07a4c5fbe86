"""No disk, no descriptors, no ports, no master: a clear end, the right exit code, nothing half written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from whole_runs import TINY, command

from mmload.launch.children import free_port
from reliability.servers import faults, head

PHASE = '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 3\nrpm = 1800\n'
ROOT = os.geteuid() == 0
needs_namespaces = pytest.mark.skipif(
    not ROOT or shutil.which("unshare") is None, reason="mounts and network namespaces need root and unshare"
)


def ran(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=os.environ | environment)


@needs_namespaces
@pytest.mark.live
def test_a_full_disk_ends_the_run_with_its_reason_and_the_journal_is_whole(tmp_path: Path) -> None:
    profile, room, kept = tmp_path / "p.toml", tmp_path / "room", tmp_path / "kept"
    room.mkdir()
    profile.write_text(TINY + PHASE.replace("duration_s = 3", "duration_s = 12").replace("1800", "9000"))
    run = " ".join(command("run", str(profile), "--out", str(room / "run"), "--no-progress"))
    # The suite is drawn beforehand, elsewhere: it is the run folder that has no room.
    script = f"mount -t tmpfs -o size=300k tmpfs {room} && {run}; code=$?; cp -r {room} {kept}; exit $code"
    done = ran("unshare", "-m", "sh", "-c", script)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    again = ran(*command("report", str(kept / "run")))
    assert again.returncode == 5, again.stderr
    counts = json.loads((kept / "run" / "summary.json").read_text())["counts"]
    assert counts["planned"] == 1800 == sum(counts[k] for k in ("ok", "failed", "shed", "not_sent"))
    assert counts["ok"] > 50


@needs_namespaces
def test_a_read_only_folder_is_bad_input(tmp_path: Path) -> None:
    profile, room = tmp_path / "p.toml", tmp_path / "room"
    room.mkdir()
    profile.write_text(TINY + PHASE)
    run = " ".join(command("run", str(profile), "--out", str(room / "run"), "--no-progress"))
    done = ran("unshare", "-m", "sh", "-c", f"mount -t tmpfs -o ro,size=64k tmpfs {room} && {run}")
    assert done.returncode == 2 and "cannot be written (Read-only file system)" in done.stderr


@needs_namespaces
@pytest.mark.live
def test_no_ephemeral_port_left_is_our_fault_and_not_the_targets(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    slow = TINY.replace("speed = 60", "speed = 1").replace("[target]", '[target]\nconnection = "fresh"\n')
    profile.write_text(slow + PHASE.replace("1800", "9000"))
    run = " ".join(
        command("run", str(profile), "--out", str(folder), "--no-progress", "--master-port", "39999")
    )
    script = (
        "ip link set lo up && echo 40000 40040 > /proc/sys/net/ipv4/ip_local_port_range "
        f"&& echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse && {run}"
    )
    done = ran("unshare", "-n", "sh", "-c", script)
    assert done.returncode == 5, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["counts"]["errors"].get("local_port_exhausted", 0) > 0
    assert any("port" in reason for reason in summary["validity"]["reasons"])


@pytest.mark.live
def test_no_file_descriptor_left_is_our_fault_and_not_the_targets(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with faults(rates={"hang": 1.0}) as url:
        text = head(url, streaming=0, max_in_flight=200, first_byte_timeout_s=2)
        profile.write_text(text + PHASE.replace("1800", "12000"))
        run = " ".join(command("run", str(profile), "--out", str(folder), "--no-progress"))
        done = ran("sh", "-c", f"ulimit -n 48 2>/dev/null; {run}")
    assert hard > 48
    assert done.returncode == 5, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["counts"]["planned"] == 600
    assert summary["counts"]["errors"].get("local_fd_exhausted", 0) > 0
    assert any("ulimit -n" in reason for reason in summary["validity"]["reasons"])


def test_a_worker_without_a_master_says_where_it_looked() -> None:
    port = str(free_port())
    script = (
        "import mmload.drive.worker as w, sys; w._CONNECT_TRIES = 1; "
        f"sys.argv[1:] = ['--master-port', '{port}']; w.main()"
    )
    done = ran(sys.executable, "-c", script)
    assert done.returncode == 1
    assert f"no master answers at 127.0.0.1:{port}" in done.stderr
