"""mmload under a Locust that the user starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from whole_runs import TINY, command

pytestmark = pytest.mark.live


def locust(tmp_path: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = subprocess.run(
        [sys.executable, "-m", "mmload.drive.locustfile"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "MMLOAD_PROFILE": str(tmp_path / "own.toml"),
        "MMLOAD_TARGET": url,
        "MMLOAD_OUT": str(tmp_path / "own"),
    }
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", file, "--headless", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
        cwd=tmp_path,
    )


def test_locust_with_processes_writes_the_same_run_folder_and_exits_by_the_verdict(tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text(TINY + '[[phase]]\nname = "base"\nshape = "sustained"\nduration_s = 3\nrpm = 1200\n')
    server = subprocess.Popen(command("serve", str(profile)), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        ran = locust(tmp_path, url, "--processes", "2")
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    finally:
        server.terminate()
        server.wait(20)
    summary = json.loads((tmp_path / "own" / "summary.json").read_text())
    assert summary["counts"]["ok"] == summary["counts"]["planned"] == 60
    assert summary["run"]["workers"] == 2
    assert "Aggregated" in ran.stdout + ran.stderr


def test_without_workers_it_says_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        TINY + '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 1\nrpm = 60\n'
    )
    ran = locust(tmp_path, "http://127.0.0.1:9/v1")
    assert ran.returncode == 2
    assert "--processes 2" in ran.stdout + ran.stderr
