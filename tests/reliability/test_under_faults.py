"""All faults at once, and nothing else; ``make soak`` has 1, 10 and 100% at 500 requests a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.under_faults import meet


@pytest.mark.live
def test_every_request_is_accounted_for_whatever_it_meets(tmp_path: Path) -> None:
    found = meet(1.0, 100, 3, tmp_path)
    assert found.wrong == ""
    assert len([kind for kind in found.kinds if kind]) >= 15, found.kinds


@pytest.mark.live
def test_no_good_request_pays_for_the_connection_that_a_fault_cost(tmp_path: Path) -> None:
    found = meet(0.2, 150, 3, tmp_path)
    assert found.wrong == ""
    assert found.opened == 0
