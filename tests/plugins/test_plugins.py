"""Implementations by name: built-ins and strangers through the same door."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmload import plugins
from mmload.model import InputError

BUILT_IN_SHAPES = ["burst", "ramp", "replay", "sine", "steps", "sustained"]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone after it."""
    monkeypatch.setattr(plugins, "_from_files", {})
    monkeypatch.setattr(plugins, "_files_read", set())
    monkeypatch.setenv(plugins.FILES_VARIABLE, "")
    yield


def mine(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(text)
    return file


def test_the_built_in_shapes_enter_by_entry_points() -> None:
    assert plugins.names("shapes") == BUILT_IN_SHAPES
    assert all(callable(plugins.get("shapes", name)) for name in BUILT_IN_SHAPES)


def test_names_are_told_without_importing_anything() -> None:
    script = (
        "import sys; from mmload import plugins; plugins.names('tasks');"
        "sys.exit('mmload.tasks' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no "brust"; did you mean "burst"\? There are: burst, ramp'):
        plugins.get("shapes", "brust")
    with pytest.raises(InputError, match="There are: none"):
        plugins.get("nothing-of-the-kind", "x")


def test_a_plain_file_adds_to_a_family_and_wins_over_a_built_in(tmp_path: Path) -> None:
    file = mine(tmp_path, "MMLOAD_PLUGINS = {'shapes': {'saw': int, 'burst': str}}")
    plugins.register_file(file)
    plugins.register_file(file)
    assert plugins.get("shapes", "saw") is int
    assert plugins.get("shapes", "burst") is str
    assert "saw" in plugins.names("shapes")


def test_the_processes_that_are_started_later_know_the_file_too(tmp_path: Path) -> None:
    plugins.register_file(mine(tmp_path, "MMLOAD_PLUGINS = {'shapes': {'saw': int}}"))
    script = "import sys; from mmload import plugins; sys.exit(plugins.get('shapes', 'saw') is not int)"
    assert subprocess.run([sys.executable, "-c", script], env=dict(os.environ), check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "a plugin file needs MMLOAD_PLUGINS = "),
        ("MMLOAD_PLUGINS = {'shapes': 5}", "a plugin file needs MMLOAD_PLUGINS = "),
        ("MMLOAD_PLUGINS = {'shape': {}}", 'MMLOAD_PLUGINS: no "shape"; did you mean "shapes"?'),
        ("1 / 0", "the plugin file fails: ZeroDivisionError"),
        ("def (", "the plugin file fails: SyntaxError"),
    ],
)
def test_a_file_that_is_no_plugin_is_an_input_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        plugins.register_file(mine(tmp_path, text))
    assert message in str(caught.value)
    assert os.environ[plugins.FILES_VARIABLE] == ""


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    for name in ("none.py", "folder", "text.txt"):
        with pytest.raises(InputError, match="no such plugin file"):
            plugins.register_file(tmp_path / name)
