"""Compares text with a file under golden/.

``MMLOAD_WRITE_GOLDEN=1`` writes it instead, to be read before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("MMLOAD_WRITE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{name} changed; read the difference, then MMLOAD_WRITE_GOLDEN=1"
