"""Whole runs on loopback, through the program as a user calls it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


SEARCHED = (
    TINY.replace("speed = 60", "speed = 60\nladder = false")
    + """
[[phase]]
name = "not-used"
shape = "sustained"
duration_s = 3
rpm = 60
[gates]
quality_min = 0.2
error_max = 0.5
[capacity]
start_rpm = 900
max_rpm = 1800
growth = 2.0
step_s = 2
warmup_s = 1
replicates = 4
replicate_s = 2
max_minutes = 4
"""
)
"""A capacity search of three steps: two that climb to its limit, and one that confirms it."""


def search(profile: Path, *more: str) -> list[str]:
    return command("capacity", str(profile), "--no-progress", *more)
