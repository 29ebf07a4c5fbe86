"""A whole run on loopback with a judge beside the scorer, through the program as a user calls it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from live.conftest import TINY

from judge.conftest import Stub

KEY = "sk-canary-51c0de"
QUIET = ("--no-progress",)
MORE = """
[quality.judge]
url = "{url}"
model = "judge-1"
api_key_env = "MMLOAD_TEST_JUDGE_KEY"
sample = 0.5
rpm = 6000
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
[[phase]]
name = "steady"
shape = "sustained"
duration_s = 4
rpm = 900
"""


def run(tmp_path: Path, url: str, key: str | None = KEY, *options: str) -> tuple[int, str, Path]:
    profile, folder = tmp_path / "judged.toml", tmp_path / "run"
    profile.write_text(TINY + MORE.format(url=url))
    environment = {k: v for k, v in os.environ.items() if k != "MMLOAD_TEST_JUDGE_KEY"}
    done = subprocess.run(
        [sys.executable, "-m", "mmload", "run", str(profile), "--out", str(folder), *QUIET, *options],
        env=environment | ({"MMLOAD_TEST_JUDGE_KEY": key} if key else {}),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, folder


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


@pytest.mark.live
def test_a_run_with_a_judge_reports_its_agreement_and_its_cost_and_leaks_no_key(
    tmp_path: Path, stub: Stub
) -> None:
    code, said, folder = run(tmp_path, stub.url)
    assert code == 0, said
    found = summary(folder)
    judge = found["quality"]["judge"]
    assert judge["failed"] == 0 and judge["n"] == judge["compared"] == len(stub.cases)
    assert 10 <= judge["n"] < found["quality"]["n_scored"] == 60
    assert judge["agreement_low"] <= judge["agreement_ratio"] <= judge["agreement_high"]
    assert found["cost"]["judge_usd"] == judge["cost_usd"] == pytest.approx(judge["n"] * 0.00101)
    assert set(stub.keys) == {f"Bearer {KEY}"}
    assert KEY not in said
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert folder / "journal/judge.mmj" in files
    assert not [file for file in files if KEY.encode() in file.read_bytes()]


@pytest.mark.live
def test_the_last_metrics_of_a_run_tell_of_its_judge(tmp_path: Path, stub: Stub) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pages: list[str] = []
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(0.2):
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
                pages.append(page.read().decode())

    scraping = threading.Thread(target=scrape)
    scraping.start()
    code, said, folder = run(tmp_path, stub.url, KEY, "--prometheus-port", str(port), "--metrics-linger", "3")
    over.set()
    scraping.join()
    assert code == 0, said
    judge = summary(folder)["quality"]["judge"]
    told = dict(re.findall(r"^(mmload_judge_\w+)(?:\{.*\})? (\S+)$", pages[-1], re.MULTILINE))
    assert float(told["mmload_judge_agreement_ratio"]) == pytest.approx(judge["agreement_ratio"])
    assert float(told["mmload_judge_cost_usd"]) == pytest.approx(judge["cost_usd"])


@pytest.mark.live
def test_a_judge_that_refuses_everything_costs_a_run_nothing(tmp_path: Path, stub: Stub) -> None:
    stub.rule = lambda _case, _times: 401
    code, said, folder = run(tmp_path, stub.url)
    assert code == 0, said
    judge = summary(folder)["quality"]["judge"]
    assert judge["n"] == 0 and judge["failed"] == len(stub.cases) and judge["cost_usd"] == 0
    assert KEY not in said


@pytest.mark.live
def test_a_key_that_is_missing_is_said_before_anything_is_sent(tmp_path: Path, stub: Stub) -> None:
    code, said, folder = run(tmp_path, stub.url, key=None)
    assert code == 2 and "MMLOAD_TEST_JUDGE_KEY is not set" in said
    assert not folder.exists() and not stub.cases
