"""Which matrix the stored scores of a run are by: the one that it was made with, or that of a later rescore.

A small file beside the journals, as a journal is only ever appended to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mmload.scorecard.matrix import Matrix

_FILE: Final = "journal/scored_by.json"


def keep(run_dir: Path, by: Matrix) -> None:
    """Raises ``OSError``."""
    (run_dir / _FILE).write_text(json.dumps(by.identity) + "\n", encoding="utf-8")


def scored_by(run_dir: Path, header: Mapping[str, Any]) -> dict[str, str | None]:
    """``matrix_version`` and ``matrix_id`` of a run's scores. ``header``: first frame of its journal."""
    try:
        found = json.loads((run_dir / _FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {"matrix_version": header.get("matrix_version"), "matrix_id": header.get("matrix_id")}
    return {"matrix_version": found["version"], "matrix_id": found["id"]}
