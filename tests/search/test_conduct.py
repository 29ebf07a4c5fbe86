"""What a search writes down and the runs that it makes, without driving any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline import Bench, profile_of, settings

from mmload import journal
from mmload.model import InputError
from mmload.profile import Capacity, load, to_toml_dict
from mmload.search.conduct import JOURNAL, SearchOptions, _Record, read_record, settings_of, stepped
from mmload.search.steps import Kind, Step

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "traffic_profiles" / "capacity.toml"


def recorded(folder: Path, levels: list[dict[str, Any]]) -> Path:
    """A search's folder as a process that was killed would leave it."""
    record = _Record.open(profile_of(), SearchOptions(out=folder))
    for level in levels:
        record.add(level)
    return folder / JOURNAL


def test_a_journal_cut_at_any_byte_yields_the_levels_that_were_whole(tmp_path: Path) -> None:
    levels = [{"number": k, "step": "climb", "rpm": 10.0 * k, "note": "x" * k} for k in range(3)]
    whole = recorded(tmp_path / "whole", levels).read_bytes()
    path = tmp_path / "cut.mmj"
    last = 0
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        try:
            header, found, offset = read_record(path)
        except InputError:
            assert last == 0
            continue
        assert header["profile"] == to_toml_dict(profile_of())
        assert found == levels[: len(found)] and offset <= cut and len(found) >= last
        last = len(found)
    assert last == 3


def test_a_search_goes_on_behind_half_a_frame(tmp_path: Path) -> None:
    bench = Bench(2)
    bench.search(settings())
    path = recorded(tmp_path / "cut", bench.levels[:4])
    with path.open("ab") as file:
        file.write(b"\x10\x00\x00\x00half")
    record = _Record.open(profile_of(), SearchOptions(resume=tmp_path / "cut"))
    assert record.levels == bench.levels[:4]
    record.add(bench.levels[4])
    assert read_record(path)[1] == bench.levels[:5]


def test_what_was_left_of_a_cut_step_is_not_overwritten(tmp_path: Path) -> None:
    recorded(tmp_path / "s", [{"number": 1}])
    (tmp_path / "s" / "levels" / "02").mkdir(parents=True)
    record = _Record.open(profile_of(), SearchOptions(resume=tmp_path / "s"))
    assert record.level_folder() == tmp_path / "s" / "levels" / "03"


def test_another_profile_or_another_pace_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "s", [])
    with pytest.raises(InputError, match="begun with another profile"):
        _Record.open(profile_of({"error_max": 0.5}), SearchOptions(resume=tmp_path / "s"))
    richer = profile_of().model_copy(update={"capacity": Capacity(max_minutes=99.0)})
    assert _Record.open(richer, SearchOptions(resume=tmp_path / "s")).levels == []
    with pytest.raises(InputError, match="begun without --quick"):
        _Record.open(profile_of(), SearchOptions(resume=tmp_path / "s", quick=True))
    with pytest.raises(InputError, match="no capacity search begins here"):
        _Record.open(profile_of(), SearchOptions(resume=tmp_path))
    writer = journal.Writer(tmp_path / JOURNAL)
    writer.append(journal.EVENT, {})
    writer.close()
    with pytest.raises(InputError, match="no capacity search begins here"):
        read_record(tmp_path / JOURNAL)


def test_the_state_is_readable_while_the_search_goes_on(tmp_path: Path) -> None:
    bench = Bench(2)
    bench.search(settings())
    options = SearchOptions(out=tmp_path / "s")
    record = _Record.open(profile_of(), options)
    for level in bench.levels[:3]:
        record.add(level)
        record.write(profile_of(), settings(), None, options)
        found = json.loads((tmp_path / "s" / "capacity.json").read_text())
        assert found["levels"] == record.levels and found["ended"] is None
    assert not (tmp_path / "s" / "capacity.html").exists()


def test_the_runs_of_a_search_are_fresh_and_send_the_same_items() -> None:
    profile = load(SHIPPED)
    one = stepped(profile, Step(Kind.CLIMB, 450, 1, 15), 1, 3.0)
    two = stepped(profile, Step(Kind.CONFIRM, 450, 6, 15), 2, 3.0)
    assert one.seed != two.seed and one.mix == two.mix == profile.mix
    assert one.seed == stepped(profile, Step(Kind.CLIMB, 450, 1, 15), 1, 3.0).seed
    warm, level = two.phase
    assert (warm.warmup, warm.rpm, warm.duration_s) == (True, 450, 3.0)
    assert (level.shape, level.rpm, level.repeats, level.duration_s) == ("sustained", 450, 6, 15)
    assert two.gates == profile.gates and two.slo == profile.slo


def test_the_way_down_is_a_burst_and_a_baseline_is_sent_before_every_level() -> None:
    profile = load(SHIPPED, ["quality.baseline=level-1"])
    made = stepped(profile, Step(Kind.DOWN, 450, 1, 15, over_rpm=900), 9, 3.0)
    base, warm, burst = made.phase
    assert (base.name, base.warmup, warm.warmup) == ("level-1", True, True)
    assert (burst.shape, burst.rpm, burst.peak_rpm) == ("burst", 450, 900)
    assert (burst.burst_start_s, burst.burst_s, burst.duration_s) == (15, 15, 45)


def test_quick_is_the_same_search_on_a_fifth_of_the_time() -> None:
    profile = load(SHIPPED)
    full, quick = settings_of(profile, False), settings_of(profile, True)
    assert full.max_minutes < 10 and quick.max_minutes < 2
    assert quick.replicates * quick.replicate_s < full.replicates * full.replicate_s / 3
    assert full.needed == quick.needed == 149


def test_without_a_rate_the_search_begins_at_half_of_the_expected_peak() -> None:
    assert settings_of(load(SHIPPED, ["expected_peak_rpm=90"]), False).start_rpm == 400
    profile = profile_of()
    assert settings_of(profile, False).start_rpm == 60
