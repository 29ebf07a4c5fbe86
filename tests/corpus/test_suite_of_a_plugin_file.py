"""A task from a plain file draws suites of any size, though no other process could import it."""

from pathlib import Path
from typing import Any

import pytest

from mmload import corpus, plugins
from mmload.profile import Mix

PLUGIN = """
from mmload.tasks import Drawn, Want

class Blank:
    name, version, schema, pairs, want = "blank-of-a-file", "1", {"type": "object"}, False, Want

    def draw(self, rng, want):
        return Drawn([], "", f"say {rng.random()}", {}, [], True)

MMLOAD_PLUGINS = {"tasks": {"blank-of-a-file": Blank}}
"""


def test_a_task_from_a_plain_file_draws_a_suite_of_many_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    monkeypatch.setenv(plugins.FILES_VARIABLE, "")
    plugins.register_file(file)
    blank: Any = plugins.get("tasks", "blank-of-a-file")
    mix = Mix(items=40, tasks={"blank-of-a-file": 1.0}, unanswerable=0.0)
    suite = corpus.build(mix, {"blank-of-a-file": blank()}, tmp_path, processes=2)
    assert len({item.prompt for item in suite.items}) == 40
