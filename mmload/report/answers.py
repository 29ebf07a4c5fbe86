"""``answers/answers.jsonl``: sampled answers with their scores, bounded in number; redacted, unless the
profile says otherwise (``quality.texts``).

Half the room is for answers that did not pass, since those are what one comes to read. Which of each
kind are kept depends on their numbers alone, not on when they came in.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from mmload.model import Item, Score
from mmload.report.escape import redact, without
from mmload.report.files import write_text

MOST = 400
_LONGEST = 20_000


class AnswerRow(NamedTuple):
    seq: int
    phase_name: str
    item: Item | None
    text: str
    score: Score | None


def write_answers(
    folder: Path,
    rows: Iterable[AnswerRow],
    most: int = MOST,
    secrets: Sequence[str] = (),
    texts: str = "redacted",
    matrix: str | None = None,
) -> int:
    """Keep at most ``most`` answers, sorted by number; return how many were kept. Raises ``OSError``.

    ``texts`` as in the profile: ``redacted``, ``raw`` (as they came, less ``secrets``) or ``none``.
    ``matrix``: version and id of what scored them.
    """
    kept: dict[bool, list[tuple[int, int, AnswerRow]]] = {True: [], False: []}
    for row in rows:
        heap = kept[row.score is not None and not row.score.passed]
        entry = (-_draw(row.seq), row.seq, row)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    failed, others = (sorted(kept[kind], reverse=True) for kind in (True, False))
    share = max(most // 2, most - len(others))
    chosen = failed[:share]
    chosen += others[: most - len(chosen)]
    lines = [
        _line(row, tuple(secrets), texts, matrix) for _, _, row in sorted(chosen, key=lambda entry: entry[1])
    ]
    write_text(folder / "answers.jsonl", "".join(lines))
    return len(lines)


def _draw(seq: int) -> int:
    """A number that orders requests at random, but the same way every time."""
    return int.from_bytes(hashlib.blake2b(seq.to_bytes(8, "little"), digest_size=8).digest(), "little")


def _line(row: AnswerRow, secrets: tuple[str, ...], texts: str, matrix: str | None) -> str:
    text = without(row.text, secrets) if texts == "raw" else redact(row.text, secrets)
    entry: dict[str, Any] = {
        "seq": row.seq,
        "phase": row.phase_name,
        "item": row.item.id if row.item else None,
        "task": row.item.task if row.item else None,
        "answer": None if texts == "none" else text[:_LONGEST],
        "cut": len(text) > _LONGEST,
        "matrix": matrix,
        "score": None
        if row.score is None
        else {k: v for k, v in asdict(row.score).items() if k not in ("seq", "item", "task")},
    }
    return json.dumps(entry, ensure_ascii=True) + "\n"
