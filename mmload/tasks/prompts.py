"""Versioned prompt files. A changed prompt is a new file with a new number, never an edit.

Not aware of tasks: it finds files by name and version. They stand in ``fixtures/prompts`` of the
repository, and in ``mmload/tasks/prompt_files`` of an installed wheel.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from mmload.model import InputError

JUDGE: Final = ("judge", 1)
"""Name and version of the prompt of a model as a judge."""


def folder() -> Path:
    """Where the prompt files are. Raises ``InputError`` if they are nowhere."""
    here = Path(__file__).resolve()
    for place in (here.parent / "prompt_files", here.parents[2] / "fixtures" / "prompts"):
        if place.is_dir():
            return place
    raise InputError(
        f"prompt files not found: neither {here.parent / 'prompt_files'} nor fixtures/prompts exists"
    )


@lru_cache(maxsize=64)
def prompt(name: str, version: int = 1) -> str:
    """Text of ``<name>.v<version>.txt`` without its final newline."""
    path = folder() / f"{name}.v{version}.txt"
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise InputError(f"{path}: prompt file cannot be read: {error.strerror}") from None


def fill(template: str, **slots: str) -> str:
    """``{name}`` replaced for the given names only: other braces of a prompt stay as they are."""
    for name, value in slots.items():
        template = template.replace("{" + name + "}", value)
    return template


def digest(*names: str) -> str:
    """Of the prompt files that a task uses; part of the task's version."""
    return hashlib.blake2b("\0".join(prompt(n) for n in names).encode(), digest_size=4).hexdigest()


def name_of(name: str, version: int) -> str:
    """Name, version and digest of a prompt, for what is written of a run."""
    found = hashlib.blake2b(prompt(name, version).encode(), digest_size=4).hexdigest()
    return f"{name}.v{version}-{found}"
