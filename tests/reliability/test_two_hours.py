"""Hours of traffic in seconds: only the clock is not real. ``make soak`` sends more a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_in_two_hours_each_request_leaves_when_it_is_due_and_ends_as_it_should() -> None:
    script = Path(__file__).with_name("two_hours.py")
    done = subprocess.run(
        [sys.executable, str(script), "--hours", "2", "--rps", "3"],
        capture_output=True, text=True, timeout=120, cwd=script.parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "21," in done.stdout and "first_byte_timeout" in done.stdout and "truncated_body" in done.stdout
