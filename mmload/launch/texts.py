"""What a run folder keeps of the texts of its answers once they are scored: ``quality.texts`` of the profile.

Scorers must see answers as they came; nobody else has to. So the journal holds them whole while it grows, and
is written anew when the run is over. Not aware of scores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmload import journal
from mmload.model import Answer
from mmload.report.escape import redact
from mmload.summary import RUN_JOURNAL

_KEPT = "texts"
"""Key of the first frame that says what was done; without it the texts are whole."""
_LEAVING_S = 5.0
"""How long a master may take to close its journal behind its last frame."""


def seal(
    run_dir: Path, header: Mapping[str, Any], texts: str, secrets: Sequence[str], *, ended: bool
) -> None:
    """Leave of the answers' texts in the journal what ``texts`` allows; does nothing the second time.

    ``header`` is the body of its first frame; ``ended`` that its last was read, so that its writer is about
    to leave. A disk without room for a second copy does not cost the report, nor does a run that still goes
    on: it is said on stderr that the texts are whole.
    """
    if texts == "raw" or header.get(_KEPT) == texts:
        return
    keep: Callable[[str], str] = (lambda text: "") if texts == "none" else _redacted(tuple(secrets))

    def answers(body: list[Answer]) -> list[Answer]:
        kept = [(answer, keep(answer.text)) for answer in body]
        return [a if a.text == text else a._replace(text=text, whole=False) for a, text in kept]

    try:
        journal.rewrite(
            run_dir / RUN_JOURNAL,
            {journal.RUN: lambda body: body | {_KEPT: texts}, journal.ANSWERS: answers},
            _LEAVING_S if ended else 0.0,
        )
    except OSError as e:
        sys.stderr.write(f"mmload: {run_dir / RUN_JOURNAL}: answers are kept as they came ({e.strerror})\n")


def _redacted(secrets: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: redact(text, secrets)
