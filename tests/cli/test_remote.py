"""A target that is not this machine: refused with the size of the load, or driven because it was allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run

PROFILE = """
name = "elsewhere"
[target]
url = "https://pipeline.invalid/v1"
connect_timeout_s = 1
[[phase]]
name = "a"
shape = "burst"
rpm = 60
peak_rpm = 600
duration_s = 30
[cost.models.sim-large]
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10.0
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.toml"
    path.write_text(PROFILE)
    return path


def test_without_leave_nothing_is_sent_and_the_size_of_the_load_is_said(mmload: Run, elsewhere: Path) -> None:
    ended = mmload("run", elsewhere, "--out", elsewhere.parent / "out")
    assert ended.code == 2
    assert "target.allow_remote = true" in ended.err and "--yes" in ended.err
    assert "up to 600 requests a minute" in ended.err and "USD" in ended.err
    assert not (elsewhere.parent / "out").exists()


@pytest.mark.parametrize("leave", [["--yes"], ["--set", "target.allow_remote=true"]])
def test_with_leave_the_load_is_said_before_the_first_byte(
    mmload: Run, elsewhere: Path, leave: list[str]
) -> None:
    ended = mmload("run", elsewhere, *leave, "--out", elsewhere.parent / "out")
    # The name resolves nowhere: that is as far as a test goes.
    assert ended.code == 2 and "cannot be resolved" in ended.err
    assert "pipeline.invalid is not this machine. The plan: up to 600 requests a minute" in ended.err
    assert "WARNING" not in ended.err


def test_an_unchecked_certificate_is_said_aloud_even_when_quiet(mmload: Run, elsewhere: Path) -> None:
    ended = mmload("run", elsewhere, "--yes", "--insecure", "--quiet", "--out", elsewhere.parent / "out")
    assert "WARNING: the certificate of pipeline.invalid is not checked" in ended.err


def test_leave_for_the_target_is_no_leave_for_another_fault(mmload: Run, elsewhere: Path) -> None:
    ended = mmload("run", elsewhere, "--yes", "--set", "phase.a.peak_rmp=5")
    assert ended.code == 2 and 'did you mean "peak_rpm"' in ended.err


def test_a_closed_loop_is_said_by_its_users(mmload: Run, elsewhere: Path) -> None:
    text = PROFILE.replace('shape = "burst"\nrpm = 60\npeak_rpm = 600', 'shape = "sustained"\nusers = 7')
    elsewhere.write_text(text)
    ended = mmload("run", elsewhere)
    assert "up to 7 requests at a time, about " in ended.err


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_a_search_is_told_by_its_budgets_before_anything_is_sent(
    mmload: Run, elsewhere: Path, quick: list[str]
) -> None:
    budgets = ["--set", "capacity.max_rpm=3000", "--set", "capacity.max_requests=700"]
    ended = mmload("capacity", elsewhere, *budgets, *quick, "--out", elsewhere.parent / "out")
    assert ended.code == 2 and "give --yes if you may load it" in ended.err
    assert (
        "The search: up to 3,000 requests a minute (capacity.max_rpm), at most 700 requests in" in ended.err
    )
    assert "for about " in ended.err and " USD" in ended.err
    assert not (elsewhere.parent / "out").exists()
    ended = mmload("capacity", elsewhere, *budgets, "--set", "capacity.max_usd=4")
    assert "for at most 4.00 USD" in ended.err
    ended = mmload("capacity", elsewhere, *budgets, *quick, "--yes", "--insecure", "--no-progress",
                   "--out", elsewhere.parent / "out")  # fmt: skip
    assert "pipeline.invalid is not this machine. The search: up to 3,000" in ended.err
    assert "WARNING: the certificate of pipeline.invalid is not checked" in ended.err
    assert "cannot be resolved" in ended.err and ended.code == 2


def test_every_candidate_elsewhere_is_told_by_all_of_its_rounds(mmload: Run, elsewhere: Path) -> None:
    here = "here:target.url=http://127.0.0.1:9/v1"
    arguments = ["compare", elsewhere, "--candidate", "there", "--candidate", here, "--rounds", "3"]
    planned = mmload("check", elsewhere, "--set", "target.allow_remote=true", "--json").json["requests"]
    ended = mmload(*arguments)
    assert ended.code == 2 and "--yes" in ended.err
    assert f"{3 * planned:,} requests in all" in ended.err
    allowed = mmload(*arguments, "--yes", "--no-progress", "--out", elsewhere.parent / "out")
    assert "there: pipeline.invalid is not this machine. The plan: up to 600 requests" in allowed.err
    assert "\nhere: " not in allowed.err and "cannot be resolved" in allowed.err


def test_what_holds_for_every_candidate_goes_with_a_profile_only(mmload: Run, tmp_path: Path) -> None:
    ended = mmload("compare", tmp_path / "a", tmp_path / "b", "--target", "sim", "--seed", "4")
    assert ended.code == 2 and "--target, --seed go with one PROFILE" in ended.err
