"""A request that waits for its next attempt is recorded, whatever ends the waiting."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES: dict[str, dict[str, Any]] = {
    "the drain ends": {"retry_after": "30"},
    "the lane is ended": {"retry_after": "30", "kill": True},
    "a time that is no number": {"retry_after": "²"},
}


@pytest.fixture(scope="module")
def ran() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("retries_in_worker.py"))],
        input=json.dumps(list(CASES.values())),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(
    ("case", "attempts"),
    [("the drain ends", 1), ("the lane is ended", 1), ("a time that is no number", 3)],
)
def test_each_request_has_one_record_of_the_attempts_that_were_made(
    ran: dict[str, dict[str, Any]], case: str, attempts: int
) -> None:
    records = ran[case]["records"]
    assert sorted(r["seq"] for r in records) == list(range(ran[case]["planned"]))
    assert {(r["outcome"], r["error"], r["attempts"]) for r in records} == {("shed", "http_5xx", attempts)}
