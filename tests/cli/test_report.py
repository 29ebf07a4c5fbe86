"""``mmload report`` of what is no single run: pages of a search and of a comparison, from their data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmload.cli.report import _comparison_again
from tests.report import sample_pages

from .conftest import Run

EXAMPLE = Path(__file__).parents[2] / "reports" / "examples" / "ocr-capacity" / "capacity.json"


def test_the_pages_of_a_search_are_drawn_again_from_its_data(mmload: Run, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "capacity.json")
    ended = mmload("report", tmp_path)
    found = json.loads(EXAMPLE.read_text())
    assert ended.code == {"go": 0, "no-go": 3, "inconclusive": 4, "invalid": 5}[found["verdict"]]
    assert "requests per minute at quality" in " ".join(ended.out.split())
    assert (tmp_path / "capacity.html").exists() and list((tmp_path / "plots").glob("capacity-*.svg"))
    assert (tmp_path / "capacity.md").read_text().startswith("# capacity: ")
    assert mmload("report", tmp_path, "--json").json == found


def test_those_of_a_comparison_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sample_pages.comparison()
    assert _comparison_again(tmp_path, found, False, False) == 0
    assert "ranks first" in capsys.readouterr().out
    for name in ("compare.html", "compare.md", "compare.json"):
        assert "large-cached" in (tmp_path / name).read_text()


def test_data_that_cannot_be_read_is_one_message(mmload: Run, tmp_path: Path) -> None:
    (tmp_path / "capacity.json").write_text("{")
    ended = mmload("report", tmp_path)
    assert ended.code == 2 and "capacity.json: cannot be read" in ended.err


def test_a_baseline_is_made_of_a_run_only(mmload: Run, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "capacity.json")
    ended = mmload("report", tmp_path, "--save-baseline", tmp_path / "b.json")
    assert ended.code == 2 and "a baseline is made of a run" in ended.err
