"""What a worker has recorded reaches the journal once, in batches that are neither tiny nor huge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    script = Path(__file__).with_name("batches_in_master.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_some_hundred_records_go_together_and_nothing_is_sent_for_none(shipped: dict[str, Any]) -> None:
    assert shipped["nothing"] == 0, "an empty outbox sends nothing"
    assert shipped["rows"] == [1024, 1024, 452, 5]
    assert shipped["outbox"] == [4, 2505] == [shipped["batches"], sum(shipped["rows"])]


def test_a_batch_that_came_twice_is_written_once_and_one_that_is_lost_is_named(
    shipped: dict[str, Any],
) -> None:
    # The first batch came twice, the third not at all, the fourth twice.
    assert shipped["seqs"] == [*range(2048), *range(2500, 2505)]
    assert shipped["events"] == [["batch_missing", {"worker": 3, "expected": 2, "got": 3}]]
    assert shipped["texts"] == [f"text {seq}" for seq in range(1300)]


def test_a_frame_of_the_journal_is_small(shipped: dict[str, Any]) -> None:
    assert max(rows for kind, rows in shipped["frames"] if kind in ("records", "answers")) == 128
    assert sum(kind == "telemetry" for kind, _ in shipped["frames"]) == 1
    assert sum(kind == "event" for kind, _ in shipped["frames"]) == 1
