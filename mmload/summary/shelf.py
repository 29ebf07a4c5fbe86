"""Scores of a run by request, without holding them: where each stands in their journal, and the last frames.

A run of a million answers would need a gigabyte for its scores; here it is 24 bytes each. Whoever asks in the
order of the run, as the report does, finds nearly every score in a frame that was just read.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np

from mmload import journal
from mmload.model import Score

_FRAMES: Final = 64
"""Frames kept: of 256 scores at most, as the scorer writes them."""


class Shelf:
    """The scores journal of a run folder; of several scores of one request the last one counts."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / journal.SCORES_JOURNAL
        self._kept: OrderedDict[int, list[Score]] = OrderedDict()
        seqs: list[np.ndarray] = []
        frames: list[np.ndarray] = []
        places: list[np.ndarray] = []
        follower = journal.Follower(self._path)
        at = len(journal.MAGIC)
        for kind, body in follower.poll():
            if kind == journal.SCORES:
                seqs.append(np.array([score.seq for score in body], np.int64))
                frames.append(np.full(len(body), at, np.int64))
                places.append(np.arange(len(body), dtype=np.int64))
            at = follower.offset
        empty = [np.empty(0, np.int64)]
        self._seq, frame, place = (np.concatenate(c or empty) for c in (seqs, frames, places))
        order = np.argsort(self._seq, kind="stable")
        self._seq, self._frame, self._place = self._seq[order], frame[order], place[order]

    def __len__(self) -> int:
        return len(self._seq)

    def get(self, seq: int) -> Score | None:
        """None for an answer that has no score."""
        at = int(np.searchsorted(self._seq, seq, side="right")) - 1
        if at < 0 or self._seq[at] != seq:
            return None
        return self._scores(int(self._frame[at]))[int(self._place[at])]

    def _scores(self, offset: int) -> list[Score]:
        found = self._kept.get(offset)
        if found is None:
            found = self._kept[offset] = journal.frame_at(self._path, offset)[1]
            if len(self._kept) > _FRAMES:
                self._kept.popitem(last=False)
        return found
