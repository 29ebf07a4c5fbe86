"""Follows the two journals of a run into a ``Summary``: live and at the end, with the same numbers.

Not aware of who writes them. Memory is flat but for about 24 bytes a record, which join a score (which
may come before or after its record) to what it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmload import journal
from mmload.histogram import Ints
from mmload.model import InputError, Item, PhasePlan, Record, Score
from mmload.profile import Cost
from mmload.summary.measures import Columns
from mmload.summary.run_info import RunInfo
from mmload.summary.sums import Joined, Summary

_BATCH: Final = 4096
_SEEN, _OK, _WITHIN, _SCORED = 1, 2, 4, 8
_ENTRY: Final = np.dtype([("bin", "<i4"), ("pi", "<f4"), ("e2e_us", "<i8"), ("flags", "u1")])


class _Register:
    """What a score needs to know of each record, by seq."""

    def __init__(self, phases: Sequence[PhasePlan]) -> None:
        self._first = np.array([p.first_seq for p in phases], np.int64)
        self._numbers = np.array([p.number for p in phases], np.int64)
        self._rows = [np.zeros(max(16, p.planned), _ENTRY) for p in phases]

    def _parts(self, seqs: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """(place of the phase, positions in ``seqs``, rows of the phase's table), made long enough."""
        place = np.searchsorted(self._first, seqs, side="right") - 1
        for where in np.unique(place).tolist():
            if where < 0:
                raise InputError(
                    f"a record numbered {seqs.min()} belongs to no phase: the journal is damaged"
                )
            positions = np.flatnonzero(place == where)
            index = seqs[positions] - self._first[where]
            rows = self._rows[where]
            needed = int(index.max()) + 1
            if needed > len(rows):
                self._rows[where] = np.zeros(max(needed, 2 * len(rows)), _ENTRY)
                self._rows[where][: len(rows)] = rows
            yield where, positions, index

    def first_time(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records not seen before; a batch that was sent twice is counted once."""
        if not records:
            return []
        seqs = np.array([r.seq for r in records], np.int64)
        fresh = np.zeros(len(seqs), bool)
        fresh[np.unique(seqs, return_index=True)[1]] = True
        for where, positions, index in self._parts(seqs):
            fresh[positions] &= (self._rows[where]["flags"][index] & _SEEN) == 0
        return records if fresh.all() else [r for r, new in zip(records, fresh.tolist(), strict=True) if new]

    def note(self, c: Columns) -> None:
        flags = _SEEN | np.where(c.ok, _OK, 0) | np.where(c.within_slo, _WITHIN, 0)
        pi = np.array(c.raw["pi"], np.float32)
        for where, at, index in self._parts(np.array(c.raw["seq"], np.int64)):
            rows = self._rows[where]
            rows["bin"][index], rows["pi"][index] = c.bin[at], pi[at]
            rows["e2e_us"][index], rows["flags"][index] = c.e2e_us[at], flags[at]

    def take(self, scores: Sequence[Score]) -> tuple[list[Score], Joined, list[Score]]:
        """(scores that count: of ok answers, not yet scored; what they judge; scores that came too early)."""
        seqs = np.array([s.seq for s in scores], np.int64)
        first = np.zeros(len(seqs), bool)
        first[np.unique(seqs, return_index=True)[1]] = True
        found = np.zeros(len(seqs), _ENTRY)
        phase = np.zeros(len(seqs), np.int64)
        for where, at, index in self._parts(seqs):
            rows = self._rows[where]
            found[at], phase[at] = rows[index], self._numbers[where]
            counts = (found["flags"][at] & (_SEEN | _OK | _SCORED)) == (_SEEN | _OK)
            rows["flags"][index[counts]] |= _SCORED
        flags = found["flags"]
        ready = first & ((flags & (_SEEN | _OK | _SCORED)) == (_SEEN | _OK))
        early = first & ((flags & _SEEN) == 0)
        hit = found[ready]
        joined = Joined(
            phase[ready], hit["bin"].astype(np.int64), (hit["flags"] & _WITHIN) > 0, hit["e2e_us"], hit["pi"]
        )
        counted = list(compress(scores, ready.tolist()))
        return counted, joined, list(compress(scores, early.tolist()))


class RunReader:
    """Reads a run folder as it stands; ``poll`` again for what was written since.

    ``load_items`` gets the suite's folder from the run's header, and gives the suite's items. ``cost``
    replaces the prices that the run was made with.
    """

    def __init__(
        self, run_dir: Path, load_items: Callable[[Path], Sequence[Item]], cost: Cost | None = None
    ) -> None:
        self.run_dir = run_dir
        self.summary = Summary()
        self.info: RunInfo | None = None
        self.events: list[dict[str, Any]] = []
        self.end: dict[str, Any] | None = None
        """Body of the END frame; None while the run goes on, or if it was cut."""
        self.last_ns = 0
        """Latest time that any record, row or event speaks of."""
        self._load_items = load_items
        self._cost = cost
        self._runs = journal.Follower(run_dir / journal.RUN_JOURNAL)
        self._scores = journal.Follower(run_dir / journal.SCORES_JOURNAL)
        self._register: _Register | None = None
        self._waiting: list[Score] = []
        self._collected: list[Record] = []

    def poll(self) -> int:
        """Take in all frames that are whole by now; gives how many. ``InputError``: no journal of ours."""
        frames = 0
        for kind, body in self._runs.poll():
            self._take(kind, body)
            frames += 1
        self._flush_records()
        if self.info is None:
            return frames
        pending, self._waiting = self._waiting, []
        for kind, body in self._scores.poll():
            frames += 1
            if kind == journal.SCORES:
                pending += body
            if len(pending) >= _BATCH:
                self._add_scores(pending)
                pending = []
        self._add_scores(pending)
        return frames

    @property
    def damaged(self) -> str:
        """Why the journal of the run cannot be read to its end; empty if it can."""
        if self._runs.damaged:
            return self._runs.damaged
        return "the journal breaks off within a frame" if self._runs.unread_bytes else ""

    @property
    def plan(self) -> RunInfo:
        """The run's plan. Raises ``InputError`` if the journal does not hold it yet."""
        if self.info is None:
            raise InputError(f"{self._runs.path}: no run begins here")
        return self.info

    def _take(self, kind: str, body: Any) -> None:
        if kind == journal.RUN:
            if self.info is None:
                self.info = RunInfo.from_header(
                    body, self._load_items(Path(body["suite_dir"])), cost=self._cost
                )
                self._register = _Register(self.info.phases)
            return
        if self.info is None or self._register is None:
            raise InputError(f"{self._runs.path}: records come before the run's own frame")
        if kind == journal.RECORDS:
            self._collected += body
            if len(self._collected) >= _BATCH:
                self._flush_records()
        elif kind == journal.TELEMETRY:
            self.summary.add_telemetry(body, self.info)
            self._at(t.t_ns for t in body)
        elif kind == journal.EVENT:
            self.events.append(body)
        elif kind == journal.END:
            self.end = body

    def _at(self, times: Iterable[int]) -> None:
        self.last_ns = max(self.last_ns, max(times, default=0))

    def _flush_records(self) -> None:
        """Work through what was collected: in large batches, as numpy has a price per call."""
        records, self._collected = self._collected, []
        if not records or self.info is None or self._register is None:
            return
        fresh = self._register.first_time(records)
        if len(fresh) < len(records):
            self.summary.tallies["duplicate_records"] += len(records) - len(fresh)
        columns = self.summary.add_records(fresh, self.info)
        if columns is not None:
            self._register.note(columns)
            self._at(int(t) for t in (columns.end_ns.max(), columns.due_ns.max()))

    def _add_scores(self, scores: Sequence[Score]) -> None:
        if not scores or self.info is None or self._register is None:
            return
        ready, joined, early = self._register.take(scores)
        self._waiting += early
        self.summary.add_scores(ready, joined, self.info)


def answers_of(run_dir: Path, seqs: set[int]) -> dict[int, str]:
    """Texts of the answers to the given requests, by one pass over the journal."""
    found: dict[int, str] = {}
    for kind, body in journal.Follower(run_dir / journal.RUN_JOURNAL).poll():
        if kind == journal.ANSWERS:
            found.update((a.seq, a.text) for a in body if a.seq in seqs)
    return found


def scores_of(run_dir: Path, seqs: set[int]) -> dict[int, Score]:
    """Scores of the given requests, by one pass over their journal; the last one counts."""
    found: dict[int, Score] = {}
    for kind, body in journal.Follower(run_dir / journal.SCORES_JOURNAL).poll():
        if kind == journal.SCORES:
            found.update((s.seq, s) for s in body if s.seq in seqs)
    return found
