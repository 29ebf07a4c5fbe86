"""SIGKILL in the middle of a run. Twenty moments each are run by ``make soak``; here is one of each kind that
tests/live does not hold already (a worker, the master)."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.crashes import broken, crash


@pytest.mark.live
@pytest.mark.parametrize(("victim", "after_s"), [("scorer", 1.1), ("target", 2.3), ("all", 1.7)])
def test_what_the_journal_had_acknowledged_is_reported(tmp_path: Path, victim: str, after_s: float) -> None:
    found = crash(victim, after_s, tmp_path)
    assert found.acknowledged > 10
    assert broken(victim, found) == ""
