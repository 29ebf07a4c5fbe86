"""The rows of a replay trace as the workload: each is sent at its own time, with its own content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmload import plan
from mmload.model import InputError
from mmload.profile import load

PROFILE = """
name = "recorded"

[target]
engine = "sim"

[mix]
items_file = "traffic.jsonl"

[[phase]]
name = "warm"
shape = "sustained"
duration_s = 2
rpm = 120
warmup = true

[[phase]]
name = "replayed"
shape = "replay"
trace = "traffic.jsonl"
duration_s = 10
repeats = 2
"""
ROWS: list[dict[str, Any]] = [
    {"timestamp_ms": 4000, "prompt": "Third?", "expected": "c", "images": []},
    {"timestamp_ms": 1000, "prompt": "First?", "expected": "a", "images": ["a.png"], "slices": {"x": "y"}},
    {"timestamp_ms": 1500, "prompt": "Second?", "expected": {"n": 1}, "scorer": "json", "images": []},
    {"timestamp_ms": 90_000, "prompt": "After the phase?", "expected": "d", "images": []},
]


def written(folder: Path, rows: list[Any], profile: str = PROFILE) -> Path:
    Image.new("RGB", (40, 30), (200, 0, 0)).save(folder / "a.png")
    lines = ["# recorded on a Tuesday", *(json.dumps(row) for row in rows)]
    (folder / "traffic.jsonl").write_text("\n".join(lines) + "\n\n")
    (folder / "recorded.toml").write_text(profile)
    return folder / "recorded.toml"


def test_each_row_is_sent_at_its_own_time_with_its_own_content(tmp_path: Path) -> None:
    made = plan.build(load(written(tmp_path, ROWS)), tmp_path, tmp_path / "cache")
    for replicate, start_s in ((0, 2), (1, 12)):
        phase = made.schedule.phases[1 + replicate]
        due = [made.schedule.arrival(k) for k in range(len(made.schedule))]
        mine = [arrival for arrival in due if arrival.phase == phase.number]
        assert [a.due_ns / 1e9 - start_s for a in mine] == [0, 0.5, 3]
        items = [made.suite.items[a.item] for a in mine]
        assert [item.prompt for item in items] == ["First?", "Second?", "Third?"]
        assert [item.truth["answer"] for item in items] == ["a", {"n": 1}, "c"]
        assert items[0].slices["x"] == "y" and len(items[0].images) == 1
        for arrival, item in zip(mine, items, strict=True):
            data = made.bodies.file.read_bytes()
            at, n = int(made.bodies.offset[arrival.item]), int(made.bodies.length[arrival.item])
            assert item.prompt.encode() in data[at : at + n]


def test_a_trace_apart_from_the_items_gives_times_only(tmp_path: Path) -> None:
    profile = written(tmp_path, ROWS, PROFILE.replace('trace = "traffic.jsonl"', 'trace = "times.csv"'))
    (tmp_path / "times.csv").write_text("".join(f"{t}\n" for t in range(8)))
    made = plan.build(load(profile), tmp_path, tmp_path / "cache")
    assert sorted({int(i) for i in made.schedule.item}) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"t": 1, "prompt": "?", "expected": "x", "images": ["no.png"]}, r"images\[0\]: .*no.png: No such"),
        ({"t": 1, "prompt": "?", "expected": "x"}, 'key "images" is missing'),
        ({"t": 1, "promt": "?"}, 'unknown key "promt"; did you mean "prompt"'),
        ({"prompt": "?", "expected": "x", "images": []}, "no time; found prompt, expected, images"),
        ({"t": "noon", "prompt": "?", "expected": "x", "images": []}, "'noon' is no time"),
        (3.5, "a line must hold an object, found float"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: Any, said: str) -> None:
    profile = load(written(tmp_path, [ROWS[0], row]))
    with pytest.raises(InputError, match=f"traffic.jsonl:3: {said}"):
        plan.build(profile, tmp_path, tmp_path / "cache")
