"""The fault server as a process, and the lane that meets it in another."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Send = Callable[..., list[list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def fault_urls() -> Iterator[dict[str, str]]:
    config = json.dumps({"drip_s": 0.2, "accept_s": 5.0, "bomb_mib": 8})
    server = subprocess.Popen(
        [sys.executable, "-m", "mmload.serve", "--engine", "faults", "--config", config],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["urls"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


@pytest.fixture(scope="session", params=["compiled", "in Python"])
def send(request: pytest.FixtureRequest) -> Send:
    """Send each case through a real lane; gives the records of each. Once with what is compiled (native.c),
    once with its twins in Python."""
    twins = {"MMLOAD_PURE_PYTHON": str(int(request.param == "in Python"))}

    def run(cases: list[dict[str, Any]], **environment: str) -> list[list[dict[str, Any]]]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("requests_in_worker.py"))],
            input=json.dumps({"cases": cases}),
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | twins | environment,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found: list[list[dict[str, Any]]] = json.loads(done.stdout)
        return found

    return run
