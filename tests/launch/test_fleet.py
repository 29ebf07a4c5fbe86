"""What the launcher does beside the processes that it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

UNDER_NICE = """
import os
from mmload.launch import fleet
os.nice(12 - os.nice(0))
fleet._load_writers()
print(os.nice(0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
def test_a_run_under_nice_stays_where_it_is() -> None:
    ran = subprocess.run([sys.executable, "-c", UNDER_NICE], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("12\n", "")
