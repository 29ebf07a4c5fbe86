"""Hundreds of requests in flight at once; ``make soak`` has 5,000."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.in_flight import meet


@pytest.mark.live
def test_each_of_many_requests_in_flight_at_once_is_answered_once_with_the_files_it_takes(
    tmp_path: Path,
) -> None:
    # 780 lanes: far more than the 256 open files that most systems allow before one asks for more.
    found = meet(400, 1.5, 3, tmp_path, before="ulimit -Sn 256; ")
    assert found.wrong == ""
    assert found.most_waiting > 580 and found.sent == 1200
