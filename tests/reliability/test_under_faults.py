"""All faults at once at a modest rate; ``make soak`` does the same at 500 requests a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.under_faults import meet


@pytest.mark.live
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_every_request_is_accounted_for_whatever_it_meets(tmp_path: Path, share: float) -> None:
    found = meet(share, 100, 3, tmp_path)
    assert found.wrong == ""
    assert len([kind for kind in found.kinds if kind]) >= (5 if share < 1 else 15), found.kinds
