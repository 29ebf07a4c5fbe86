"""Whole runs on loopback, through the program as a user calls it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TINY = """
name = "tiny"
seed = 3
drain_s = 5
[target]
engine = "sim"
[target.sim]
speed = 60
[arrivals]
process = "constant"
[mix]
items = 24
images = { s = { width = 256, height = 256, weight = 1 } }
prompt_tokens = { 64 = 1 }
[slo.default]
e2e_ms = 60000
"""
"""An objective so wide that a busy machine does not make these runs invalid: their subject is not speed."""


@dataclass
class Ran:
    code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        assert (self.folder / "summary.json").exists(), self.stderr
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found


Mmload = Callable[..., Ran]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mmload", *arguments]


@pytest.fixture
def mmload(tmp_path: Path) -> Mmload:
    """Run TINY plus ``more`` lines of TOML; every other argument goes to the program."""

    def call(more: str, *arguments: str, name: str = "run", head: str = TINY) -> Ran:
        profile, folder = tmp_path / f"{name}.toml", tmp_path / name
        profile.write_text(head + more)
        done = subprocess.run(
            command("run", str(profile), "--out", str(folder), "--no-progress", *arguments),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr, folder)

    return call
