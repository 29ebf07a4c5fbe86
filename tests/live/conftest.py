"""Runs of the program on a profile of a few seconds."""

import subprocess
from pathlib import Path

import pytest
from whole_runs import TINY, Mmload, Ran, command


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
