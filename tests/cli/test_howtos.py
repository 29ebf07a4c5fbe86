"""What the how-to pages say beside their commands, which ``tests/docs`` runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from .conftest import Run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_every_capacity_command_of_the_howto_is_one_that_the_program_takes(
    mmload: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmload.cli._options import read_profile
    from mmload.cli.capacity import capacity

    monkeypatch.chdir(ROOT)
    text = (DOCS / "howto-capacity.md").read_text()
    lines = re.findall(r"^mmload capacity (.*?)(?:\s+#.*)?$", text, re.MULTILINE)
    assert len(lines) >= 4 and any("--resume" in line for line in lines)
    for line in lines:
        given = capacity.make_context("capacity", line.split()).params
        wanted = read_profile(given["profile"], given["target"], given["sets"])
        assert wanted.target.engine == (given["target"] or "sim")
    shown, _ = blocks("howto-capacity.md", "toml")
    shipped = tomllib.loads((ROOT / "traffic_profiles" / "capacity.toml").read_text())
    shown_keys, shipped_keys = tomllib.loads(shown)["capacity"], shipped["capacity"]
    assert {key: shown_keys[key] for key in shipped_keys} == shipped_keys


def test_a_search_with_an_unloaded_baseline_is_planned_as_the_howto_shows_it(
    mmload: Run, tmp_path: Path
) -> None:
    from mmload.profile import load
    from mmload.search.conduct import stepped
    from mmload.search.steps import Kind, Step

    _, shown = blocks("howto-capacity.md", "toml")
    path = tmp_path / "calm.toml"
    path.write_text('name = "calm"\n[target]\nengine = "sim"\n' + shown)
    assert mmload("check", path).code == 0
    made = stepped(load(path), Step(Kind.CLIMB, 300, 1, 15), 1, 3.0)
    calm = made.phase[0]
    assert (calm.name, calm.warmup, calm.repeats) == ("calm", True, 2)


def test_the_replay_howto_names_every_format_that_is_tested() -> None:
    text = (DOCS / "howto-replay.md").read_text()
    assert all(name in text for name in ("Mooncake", "BurstGPT", "Azure", "JSONL", "CSV"))
    for block in blocks("howto-replay.md", "toml"):
        tomllib.loads(block)
