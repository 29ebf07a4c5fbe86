"""The plan of a run: every arrival, and any worker's stripe of them.

Not aware of how it was drawn, of HTTP, of how many workers there are, or of any clock.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmload.model import Arrival, PhasePlan
from mmload.schedule.order import passes, with_reuse
from mmload.schedule.streams import Stream, rng
from mmload.schedule.turns import Turns

CLOSED_RESERVE: Final = 1 << 24
"""Sequence numbers kept for a closed-loop phase, whose count the target decides."""
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Suite:
    """What the schedule needs to know of the items: one entry an item, in the order of the suite."""

    strata: Ints
    """Stratum of each item; every stretch of the run sees the strata in the same proportions."""
    pi: NDArray[np.float32]
    """Probability with which an answer to the item is scored."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """All arrivals of the open-loop phases, by due time; arrays of one length. And the closed-loop plan.

    Where requests come in sessions of several turns, the arrivals are the first turns; ``turns`` has all.
    """

    phases: list[PhasePlan]
    seq: Ints
    due_ns: Ints
    phase: NDArray[np.int16]
    item: NDArray[np.int32]
    pi: NDArray[np.float32]
    sampled: NDArray[np.bool_]
    suite: Suite
    seed: int
    media_reuse: float
    afresh: bool = False
    """Every phase begins the suite at the same place (``mix.order = "phase"``)."""
    striped: bool = False
    turns: Turns | None = None

    def __len__(self) -> int:
        return len(self.seq)

    def arrival(self, place: int) -> Arrival:
        """The arrival at a place in the arrays."""
        return Arrival(
            int(self.seq[place]),
            int(self.due_ns[place]),
            int(self.phase[place]),
            int(self.item[place]),
            float(self.pi[place]),
            bool(self.sampled[place]),
            None if self.turns is None else int(self.due_ns[place]),
        )

    def planned_items(self, phase: int | None = None) -> NDArray[np.int32]:
        """Items of all open-loop requests, later turns among them, of one phase or of the run."""
        of, items = (self.phase, self.item) if self.turns is None else (self.turns.phase, self.turns.item)
        return items if phase is None else items[of == phase]

    def times_ns(self, answer_ns: int) -> Ints:
        """When each open-loop request would be due, by sequence number, if every answer took so long."""
        if self.turns is None:
            return self.due_ns
        first = self.turns.first
        turn = np.arange(len(first)) - first
        thought = np.cumsum(self.turns.think_ns)
        begun: Ints = np.repeat(self.due_ns, np.diff(np.append(self.seq, len(first))))
        times: Ints = begun + thought - thought[first] + turn * answer_ns
        return times

    @property
    def turns_each(self) -> float:
        """Requests that an arrival stands for, in the mean: the turns of its session."""
        return 1.0 if self.turns is None or not len(self) else len(self.turns) / len(self)

    def stripe(self, index: int, count: int) -> Schedule:
        """The arrivals at places ``i % count == index``: the stripes of all indexes partition the run."""
        if not 0 <= index < count:
            raise ValueError(f"stripe {index} of {count}")
        return self.part(slice(index, None, count))

    def part(self, part: slice | Ints) -> Schedule:
        """The arrivals at some places."""
        return replace(
            self,
            seq=self.seq[part],
            due_ns=self.due_ns[part],
            phase=self.phase[part],
            item=self.item[part],
            pi=self.pi[part],
            sampled=self.sampled[part],
            striped=True,
        )

    def after(self, from_ns: int) -> Schedule:
        """The arrivals that are due at ``from_ns`` or later."""
        part = slice(int(np.searchsorted(self.due_ns, from_ns)), None)
        return self.part(part)

    def closed(self, phase: int, k: int) -> tuple[int, int, float, bool]:
        """Sequence number, item, sampling probability and sampled of the k-th request of a closed loop."""
        return self.closed_requests(phase, k, 1, 1)[0]

    def closed_requests(
        self, phase: int, first: int, step: int, n: int
    ) -> list[tuple[int, int, float, bool]]:
        """``closed`` of the ``n`` requests ``first, first + step...``, for senders in a hurry."""
        first_seq, every_pi, strata = self.phases[phase].first_seq, self._pi, self.suite.strata
        made = []
        k, end = first, first + n * step
        while k < end:
            stretch = k // self._stretch_size
            items, begin = self._stretch(phase, stretch), stretch * self._stretch_size
            while k < end and k < begin + self._stretch_size:
                item = items[k - begin]
                seq, pi = first_seq + k, every_pi[item]
                sampled = pi >= 1.0
                if 0.0 < pi < 1.0:
                    sampled = chosen(self.seed, phase, int(strata[item]), seq, pi)
                made.append((seq, item, pi, sampled))
                k += step
        return made

    def closed_item(self, phase: int, k: int) -> int:
        """Item of the k-th request of a closed-loop phase (``seq = first_seq + k``), for any k."""
        stretch, place = divmod(k, self._stretch_size)
        return self._stretch(phase, stretch)[place]

    def _stretch(self, phase: int, stretch: int) -> list[int]:
        """Items of that stretch of a closed-loop phase."""
        known = self._stretches.get(phase)
        if known is None or known[0] != stretch:
            # Unless levels shall answer the same items, each closed loop begins with another quarter of
            # the suite, as far as can be from what was just sent.
            first_block = 0 if self.afresh else phase
            order = _closed_order(
                self.suite, self.seed, self.media_reuse, phase, stretch, first_block
            ).tolist()
            known = self._stretches[phase] = (stretch, order)
        return known[1]

    def chosen(self, arrival: Arrival, pi: float) -> bool:
        """Whether an answer is scored at probability ``pi``; raising ``pi`` keeps earlier choices."""
        return chosen(self.seed, arrival.phase, int(self.suite.strata[arrival.item]), arrival.seq, pi)

    @cached_property
    def _pi(self) -> list[float]:
        return [float(pi) for pi in self.suite.pi]

    @cached_property
    def _stretch_size(self) -> int:
        return _passes_at_once(len(self._pi)) * len(self._pi)

    @cached_property
    def _stretches(self) -> dict[int, tuple[int, list[int]]]:
        """By phase, the stretch in use and its items: a hot loop asks for one after the other."""
        return {}

    def fingerprint_bytes(self) -> bytes:
        """All that is planned, as bytes: equal for equal plans on every machine.

        Raises ``ValueError`` on a stripe: only the whole schedule has a fingerprint.
        """
        if self.striped:
            raise ValueError("a stripe has no fingerprint of its own")
        head = {
            "phases": [list(plan) for plan in self.phases],
            "seed": self.seed,
            "media_reuse": self.media_reuse,
            "closed": [
                [self.closed_item(plan.number, k) for k in range(len(self.suite.strata))]
                for plan in self.phases
                if not plan.open_loop
            ],
        }
        arrays = (
            self.seq.astype("<i8"),
            self.due_ns.astype("<i8"),
            self.phase.astype("<i2"),
            self.item.astype("<i4"),
            self.pi.astype("<f4"),
            self.sampled.astype("<u1"),
            self.suite.strata.astype("<i8"),
            self.suite.pi.astype("<f4"),
        )
        planned = [json.dumps(head, sort_keys=True).encode(), b"\n", *[a.tobytes() for a in arrays]]
        if self.turns is not None:
            planned.append(self.turns.fingerprint_bytes())
        return b"".join(planned)


_STRETCH: Final = 1024
"""Requests of a closed loop that are ordered together, at least."""


def _passes_at_once(items: int) -> int:
    return max(4, -(-_STRETCH // items))


@lru_cache(maxsize=64)
def _closed_order(
    suite: Suite, seed: int, media_reuse: float, phase: int, stretch: int, first_block: int
) -> Ints:
    """Items of a stretch of so many passes of a closed-loop phase."""
    draw = rng(seed, Stream.ORDER, 1, phase, stretch)
    fresh = passes(suite.strata, seed, _passes_at_once(len(suite.strata)), draw, first_block)
    return with_reuse(fresh, media_reuse, rng(seed, Stream.REUSE, 1, phase, stretch))


def chosen(seed: int, phase: int, stratum: int, seq: int, pi: float) -> bool:
    """Whether an answer is scored: a hash below ``pi``, so raising ``pi`` keeps every earlier choice."""
    if pi >= 1.0 or pi <= 0.0:
        return pi >= 1.0
    digest = hashlib.blake2b(f"{seed}|{phase}|{stratum}|{seq}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64 < pi
