"""Runs the program inside the test's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mmload import plugins
from mmload.cli import run_program


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def mmload(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``mmload("check", file)`` -> its exit code and what it printed; the cache is a folder of the test's."""
    monkeypatch.setenv("MMLOAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(plugins, "_from_files", {})
    monkeypatch.setattr(plugins, "_files_read", set())
    monkeypatch.setenv(plugins.FILES_VARIABLE, "")

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = run_program([str(a) for a in arguments])
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A profile whose suite is drawn in a second."""
    file = tmp_path / "small.toml"
    file.write_text(
        """\
name = "small"
[target]
engine = "sim"
[[phase]]
name = "base"
shape = "sustained"
duration_s = 10
rpm = 1200
[mix]
items = 6
tasks = { chart = 1 }
images = { s = { width = 320, height = 256, weight = 1 } }
prompt_tokens = { 64 = 1 }
[cost.models.sim-large]
input_usd_per_mtok = 1
output_usd_per_mtok = 1
[gates]
e2e_p95_ms = 1000
"""
    )
    return file
