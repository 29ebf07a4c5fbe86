"""The target is spared: Ctrl-C, the breaker, and no request before its time, whatever stood still."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from whole_runs import command

from reliability.echoing import EchoServer, echoing
from reliability.servers import faults, head

pytestmark = pytest.mark.live
LONG = '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 60\nrpm = 3000\n'


def begun(profile: Path, folder: Path, target: EchoServer, *options: str) -> subprocess.Popen[bytes]:
    run = subprocess.Popen(command("run", str(profile), "--out", str(folder), "--quiet", *options))
    give_up = time.monotonic() + 60
    while len(target.at) < 25:
        assert run.poll() is None and time.monotonic() < give_up, "the run did not begin"
        time.sleep(0.02)
    return run


def test_ctrl_c_stops_sending_within_a_second_and_a_second_one_leaves_at_once(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    with echoing() as (target, _):
        profile.write_text(head(target.url, streaming=0) + LONG)
        run = begun(profile, folder, target)
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(40) == 130
        assert target.at[-1] - asked < 1.0
        summary = json.loads((folder / "summary.json").read_text())
        counts = summary["counts"]
        assert counts["planned"] == 3000 == sum(counts[k] for k in ("ok", "failed", "shed", "not_sent"))
        for part in ("throughput", "validity"):
            assert 1500 < summary[part]["offered_rpm"] < 4500, "of the time that was run, not of the plan"

        before = len(target.at)
        run = subprocess.Popen(command("run", str(profile), "--out", str(tmp_path / "two"), "--quiet"))
        while len(target.at) < before + 25:
            time.sleep(0.02)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        time.sleep(0.3)
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(40) == 130
        assert target.at[-1] - asked < 1.0
        assert time.monotonic() - asked < 15, "what was measured is still written"
        assert not [child for child in children if child.is_running()]
        assert (tmp_path / "two" / "summary.json").exists()


def test_a_target_that_only_fails_is_left_alone(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    with faults(rates={"error-500": 0.9}) as url:
        profile.write_text(head(url, stop_at_error_ratio=0.5, stop_window_s=3) + LONG)
        ran = subprocess.run(
            command("run", str(profile), "--out", str(folder), "--no-progress"),
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 5
    summary = json.loads((folder / "summary.json").read_text())
    counts = summary["counts"]
    assert counts["planned"] == 3000 == sum(counts[k] for k in ("ok", "failed", "shed", "not_sent"))
    assert counts["not_sent"] > 2000 and summary["run"]["end_reason"] == "error_rate"
    assert any("stop_at_error_ratio" in reason for reason in summary["validity"]["reasons"])
    assert "failed too often" in (folder / "report.md").read_text()


def test_after_a_stall_of_the_generator_at_most_a_second_of_the_plan_is_caught_up(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    with echoing() as (target, _):
        text = head(target.url, streaming=0) + LONG.replace("duration_s = 60", "duration_s = 6")
        profile.write_text(text.replace("e2e_ms = 60000", "e2e_ms = 1000"))
        run = begun(profile, folder, target)
        worker = next(
            p for p in psutil.Process(run.pid).children() if "mmload.drive.worker" in " ".join(p.cmdline())
        )
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(worker.pid, signal.SIGCONT)
        assert run.wait(60) == 5, "a generator that stood still makes the run invalid"
        came = len(target.at)
    rows = pq.read_table(
        folder / "requests.parquet", columns=["due_ns", "sent_ns", "outcome", "error", "error_detail"]
    ).to_pylist()
    left_out = [r for r in rows if r["outcome"] == "not_sent"]
    reset = sum(r["error"] == "connect_reset" for r in rows)
    assert len(rows) == 300, "each planned request has a record"
    assert 300 - len(left_out) - reset <= came <= 300 - len(left_out), "each came once, and none beyond"
    assert 60 < len(left_out) < 140, "two of three seconds, at 50 a second"
    assert {r["error"] for r in left_out} == {"schedule_drop"}
    assert all("stood still" in r["error_detail"] for r in left_out)
    rows = [r for r in rows if r["outcome"] != "not_sent"]
    # By any moment no more had left than were planned by then; they came late, never early.
    due, sent = sorted(r["due_ns"] for r in rows), sorted(r["sent_ns"] for r in rows)
    assert all(s >= d for s, d in zip(sent, due, strict=True))
    assert 0.8e9 < max(r["sent_ns"] - r["due_ns"] for r in rows) < 1.5e9
    summary = json.loads((folder / "summary.json").read_text())
    assert any("schedule_drop" in reason for reason in summary["validity"]["reasons"])


def test_a_worker_that_was_given_up_for_lost_stops_when_it_wakes(tmp_path: Path) -> None:
    profile, folder = tmp_path / "p.toml", tmp_path / "run"
    with echoing() as (target, _):
        text = head(target.url, streaming=0) + LONG.replace("duration_s = 60", "duration_s = 14")
        profile.write_text(text)
        run = begun(profile, folder, target, "--workers", "2")
        worker = next(
            p for p in psutil.Process(run.pid).children() if "mmload.drive.worker" in " ".join(p.cmdline())
        )
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(7)
        os.kill(worker.pid, signal.SIGCONT)
        woke = time.monotonic()
        assert run.wait(60) == 5
    sent = Counter(target.requests)
    late = [at - woke for at, seq in zip(target.at, target.requests, strict=True) if sent[seq] > 1]
    # What fell due in its last second before it could hear anything, of a share of 25 a second.
    assert max(sent.values()) <= 2 and sum(n == 2 for n in sent.values()) < 50
    assert max(late, default=0.0) < 2.0
    summary = json.loads((folder / "summary.json").read_text())
    counts, reasons = summary["counts"], summary["validity"]["reasons"]
    assert counts["planned"] == 700 == sum(counts[k] for k in ("ok", "failed", "shed", "not_sent"))
    assert counts["errors"]["worker_lost"] > 20
    assert any("lost worker" in reason for reason in reasons)
    assert not any("never arrived" in reason for reason in reasons), "what it says after that counts nowhere"
