"""``mmload serve`` hands over to the practice pipeline, with the profile's habits and suite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run


@pytest.mark.live
def test_a_served_profile_answers_its_own_suite_until_interrupted(small: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "mmload", "serve", str(small), "--ready-file", str(ready)],
        env={**os.environ, "MMLOAD_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = _url_when_ready(process, ready)
        with urllib.request.urlopen(f"{url}/models", timeout=10) as answer:
            models = [model["id"] for model in json.load(answer)["data"]]
        assert "sim-large" in models
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert json.loads(out)["url"] == url
    assert list((tmp_path / "cache" / "suites").iterdir())


def _url_when_ready(process: subprocess.Popen[str], ready: Path) -> str:
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "not ready after a minute"
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(ready.read_text())
    return str(found["url"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "seed=1"], "--set overrides keys of a profile; give one"),
        (["--engine", "magic"], "is not one of 'sim', 'ocr'"),
        (["--port", "70000"], "70000 is no whole number from 0 to 65535"),
        (["none.toml"], "none.toml: no such profile"),
    ],
)
def test_bad_usage_is_exit_code_2(mmload: Run, arguments: list[str], message: str) -> None:
    ended = mmload("serve", *arguments)
    assert ended.code == 2
    assert message in ended.err
