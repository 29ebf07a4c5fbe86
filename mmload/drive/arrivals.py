"""The arrivals that a worker has to send, in the order in which they come due.

Not aware of lanes, of the time that it is, or of what becomes of a request but that its answer has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any, Final

import numpy as np

from mmload.model import Arrival
from mmload.schedule import Schedule, Turns

_CHUNK: Final = 128
"""Arrivals made ready together: 0.1 ms of work, which is the most that the send may be late by it."""
NEVER: Final = 1 << 62
Row = tuple[int, int, int, int, float, bool]


class Arrivals:
    """The arrivals of one stripe in due order, made from the arrays a chunk at a time."""

    def __init__(self, schedule: Schedule) -> None:
        self._set(schedule.due_ns, schedule.seq, schedule.phase, schedule.item, schedule.pi, schedule.sampled)

    def _set(self, due: Any, *columns: Any) -> None:
        self._columns = (due, *columns)
        self._at = 0
        self._rows: list[Arrival] = []
        self._next = 0
        self._fill()

    def _fill(self) -> None:
        due, seq, phase, item, pi, sampled = (c[self._at : self._at + _CHUNK].tolist() for c in self._columns)
        self._rows = self._made(zip(seq, due, phase, item, pi, sampled, strict=True))
        self._at += len(self._rows)
        self._next = 0
        self.due_ns = self._rows[0].due_ns if self._rows else NEVER

    def _made(self, rows: Iterable[Row]) -> list[Arrival]:
        return [Arrival(*row) for row in rows]

    def pop(self) -> Arrival:
        arrival = self._rows[self._next]
        self._next += 1
        if self._next < len(self._rows):
            self.due_ns = self._rows[self._next].due_ns
        else:
            self._fill()
        return arrival

    def merge(self, schedule: Schedule) -> None:
        """Take over arrivals of a worker that was lost."""
        rest = self._at - (len(self._rows) - self._next)
        ours = [c[rest:] for c in self._columns]
        theirs = [
            schedule.due_ns, schedule.seq, schedule.phase, schedule.item, schedule.pi, schedule.sampled,
        ]  # fmt: skip
        joined: list[Any] = [np.concatenate([a, b]) for a, b in zip(ours, theirs, strict=True)]
        order = np.lexsort((joined[1], joined[0]))
        self._set(*(c[order] for c in joined))

    def remaining(self) -> list[Arrival]:
        """All that has not been popped; empties this."""
        left: list[Arrival] = []
        while self.due_ns != NEVER:
            left.append(self.pop())
        return left


class Conversations(Arrivals):
    """First turns of sessions as the schedule has them; later turns once they are added."""

    def __init__(self, schedule: Schedule, turns: Turns) -> None:
        self._turns = turns
        self._later: list[tuple[int, int, Arrival]] = []
        super().__init__(schedule)

    def _made(self, rows: Iterable[Row]) -> list[Arrival]:
        return [Arrival(*row, row[1]) for row in rows]

    def _fill(self) -> None:
        super()._fill()
        self._look()

    def _look(self) -> None:
        self._first_ns = self._rows[self._next].due_ns if self._next < len(self._rows) else NEVER
        self.due_ns = min(self._first_ns, self._later[0][0]) if self._later else self._first_ns

    def pop(self) -> Arrival:
        later = self._later and self._later[0][0] < self._first_ns
        arrival = heappop(self._later)[2] if later else super().pop()
        self._look()
        return arrival

    def add(self, turn: Arrival) -> None:
        """A later turn whose due time is now known."""
        heappush(self._later, (turn.due_ns, turn.seq, turn))
        self._look()

    def later(self, arrival: Arrival, end_ns: int) -> Arrival | None:
        """The turn after one whose answer ended at ``end_ns``; None after the last."""
        return self._turns.later(arrival, end_ns)

    def rest(self, arrival: Arrival) -> list[Arrival]:
        """All turns after one that will not be sent."""
        return self._turns.rest(arrival, arrival.due_ns)
