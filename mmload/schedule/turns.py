"""Sessions of several turns: when they begin, what each turn asks, and how long is thought before it.

Only the first turn of a session has a due time: each later one is due when the answer before it has ended and
the time to think is over, which nobody knows before the run. All else is fixed with the schedule. Not aware
of answers or clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmload.model import NS_PER_S, Arrival, InputError, PhasePlan
from mmload.profile import Sessions
from mmload.schedule.arrivals import ShapeOfTime
from mmload.schedule.streams import Stream, rng

Ints = NDArray[np.int64]
Script = Sequence[int]
"""Items of a session, by turn."""


@dataclass(frozen=True, eq=False)
class Turns:
    """Every planned request, by sequence number: those of a session follow each other."""

    first: Ints
    """Sequence number of the session's first turn: the number of the session."""
    phase: NDArray[np.int16]
    """That of the session's beginning, however long it lasts."""
    item: NDArray[np.int32]
    pi: NDArray[np.float32]
    sampled: NDArray[np.bool_]
    think_ns: Ints
    """Pause before the turn, from the end of the answer before it; 0 of a first turn."""

    def __len__(self) -> int:
        return len(self.first)

    def later(self, arrival: Arrival, due_ns: int) -> Arrival | None:
        """The turn after ``arrival``, due its time to think after ``due_ns``; None after the last."""
        seq = arrival.seq + 1
        if seq >= len(self.first) or self.first[seq] != self.first[arrival.seq]:
            return None
        return arrival._replace(
            seq=seq,
            due_ns=due_ns + int(self.think_ns[seq]),
            item=int(self.item[seq]),
            pi=float(self.pi[seq]),
            sampled=bool(self.sampled[seq]),
        )

    def rest(self, arrival: Arrival, due_ns: int) -> list[Arrival]:
        """All turns after ``arrival``, as due at one instant: for those that will not be sent."""
        found = []
        turn = self.later(arrival, due_ns)
        while turn is not None:
            found.append(turn._replace(due_ns=due_ns))
            turn = self.later(turn, due_ns)
        return found

    def fingerprint_bytes(self) -> bytes:
        columns = ("<i8", "<i2", "<i4", "<f4", "<u1", "<i8")
        arrays: list[NDArray[Any]] = [
            self.first, self.phase, self.item, self.pi, self.sampled, self.think_ns,
        ]  # fmt: skip
        return b"".join(a.astype(kind).tobytes() for a, kind in zip(arrays, columns, strict=True))


class Starts:
    """A shape as sessions see it: they begin at its rate over the mean number of turns."""

    def __init__(self, shape: ShapeOfTime, mean: float) -> None:
        """Raises ``InputError`` for a shape whose arrivals are given, or that is a closed loop."""
        if getattr(shape, "exact_s", None) is not None or not shape.open_loop:
            raise InputError("sessions.turns: sessions need phases of an open-loop rate; this shape is none")
        self.duration_s = shape.duration_s
        self.open_loop = True
        self.users = shape.users
        self._shape, self._mean = shape, mean
        inverse: Any = getattr(shape, "inverse", None)
        if inverse is not None:
            self.inverse = lambda counts: inverse(counts * mean)

    def expected(self, t_s: float) -> float:
        """Sessions begun in [0, t]."""
        return self._shape.expected(t_s) / self._mean


def numbered(phases: Sequence[PhasePlan], lengths: Sequence[Ints]) -> list[PhasePlan]:
    """The phases with the sequence numbers and counts of all turns; ``lengths`` of their sessions."""
    plans, seq = [], 0
    for plan, mine in zip(phases, lengths, strict=True):
        planned = int(mine.sum())
        plans.append(plan._replace(first_seq=seq, planned=planned))
        seq += planned
    return plans


def unfolded(scripts: Sequence[Script], drawn: Ints) -> tuple[Ints, Ints, Ints]:
    """Of the drawn scripts, one after the other: the items of all turns, and by turn the sequence number of
    its session's first; by session its length."""
    size = np.array([len(script) for script in scripts], np.int64)
    flat = np.concatenate([np.asarray(script, np.int64) for script in scripts])
    begin = np.concatenate(([0], np.cumsum(size)[:-1]))
    lengths = size[drawn]
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    turn = np.arange(len(first)) - first
    items: Ints = flat[np.repeat(begin[drawn], lengths) + turn]
    return items, first, lengths


def thoughts(sessions: Sessions, seed: int, phase: int, first_turn: NDArray[np.bool_]) -> Ints:
    """Times to think before the turns of a phase, in nanoseconds; 0 before a first turn."""
    draw = rng(seed, Stream.THINK, phase)
    n, mean = len(first_turn), sessions.think_time_s
    if sessions.think == "constant":
        seconds = np.full(n, mean)
    elif sessions.think == "exponential":
        seconds = mean * draw.standard_exponential(n)
    else:
        # Lognormal of mean m, coefficient of variation c: sigma^2 = ln(1 + c^2), mu = ln m - sigma^2/2.
        square = np.log1p(sessions.think_cv**2)
        seconds = mean * np.exp(np.sqrt(square) * draw.standard_normal(n) - square / 2)
    return np.where(first_turn, 0, np.round(seconds * NS_PER_S)).astype(np.int64)
