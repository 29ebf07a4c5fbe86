"""Profile + seed -> every arrival of the run, and any worker's stripe of them.

Arrivals, order of items, media reuse and sampling each have their own random stream, so that changing
one leaves the others as they were. Not aware of HTTP, of how many workers there are, or of any clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mmload.model import NS_PER_S, Arrival, InputError, PhasePlan
from mmload.profile import Phase, Profile
from mmload.profile.rules import replicate_names
from mmload.schedule.arrivals import ShapeOfTime, due_times, invert
from mmload.schedule.order import passes, with_reuse
from mmload.schedule.streams import Stream, rng

__all__ = ["CLOSED_RESERVE", "Schedule", "Suite", "compile", "invert"]

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
    """All arrivals of the open-loop phases, by due time; arrays of one length. And the closed-loop plan."""

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
        )

    def stripe(self, index: int, count: int) -> Schedule:
        """The arrivals at places ``i % count == index``: the stripes of all indexes partition the run."""
        if not 0 <= index < count:
            raise ValueError(f"stripe {index} of {count}")
        return self._part(slice(index, None, count))

    def _part(self, part: slice) -> Schedule:
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
        return self._part(part)

    def closed(self, phase: int, k: int) -> tuple[int, int, float, bool]:
        """Sequence number, item, sampling probability and sampled of the k-th request of a closed loop."""
        plan = self.phases[phase]
        item = self.closed_item(phase, k)
        seq = plan.first_seq + k
        pi = self._pi[item]
        if 0.0 < pi < 1.0:
            return seq, item, pi, _chosen(self.seed, phase, int(self.suite.strata[item]), seq, pi)
        return seq, item, pi, pi >= 1.0

    def closed_requests(
        self, phase: int, first: int, step: int, n: int
    ) -> list[tuple[int, int, float, bool]]:
        """``closed`` of the ``n`` requests ``first, first + step...``, for senders in a hurry."""
        return [self.closed(phase, k) for k in range(first, first + n * step, step)]

    def closed_item(self, phase: int, k: int) -> int:
        """Item of the k-th request of a closed-loop phase (``seq = first_seq + k``), for any k."""
        stretch, place = divmod(k, _passes_at_once(len(self._pi)) * len(self._pi))
        known = self._stretches.get(phase)
        if known is None or known[0] != stretch:
            # Unless levels shall answer the same items, each closed loop begins with another quarter of
            # the suite, as far as can be from what was just sent.
            first_block = 0 if self.afresh else phase
            order = _closed_order(
                self.suite, self.seed, self.media_reuse, phase, stretch, first_block
            ).tolist()
            known = self._stretches[phase] = (stretch, order)
        return known[1][place]

    def chosen(self, arrival: Arrival, pi: float) -> bool:
        """Whether an answer is scored at probability ``pi``; raising ``pi`` keeps earlier choices."""
        return _chosen(self.seed, arrival.phase, int(self.suite.strata[arrival.item]), arrival.seq, pi)

    def closed_sampled(self, seq: int) -> tuple[float, bool]:
        """Probability that the answer to a closed-loop request is scored, and whether it is."""
        plan = next(p for p in reversed(self.phases) if p.first_seq <= seq)
        _, _, pi, sampled = self.closed(plan.number, seq - plan.first_seq)
        return pi, sampled

    @cached_property
    def _pi(self) -> list[float]:
        return [float(pi) for pi in self.suite.pi]

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
        return json.dumps(head, sort_keys=True).encode() + b"\n" + b"".join(a.tobytes() for a in arrays)


def compile(
    profile: Profile, shapes: Sequence[ShapeOfTime], strata: NDArray[Any], tasks: Sequence[str]
) -> Schedule:
    """The whole plan of a run.

    ``shapes``: one for each ``[[phase]]`` of the profile. ``strata``: stratum of each item of the suite.
    ``tasks``: task of each item. Raises ``InputError`` if the suite is empty or nothing is planned.
    """
    if not len(strata) or len(strata) != len(tasks):
        raise InputError(
            f"the suite has {len(tasks)} items and {len(strata)} strata; it needs at least one item"
        )
    pi = np.array([profile.quality.sample_by_task.get(t, profile.quality.sample) for t in tasks], np.float32)
    suite = Suite(np.asarray(strata, np.int64), pi)
    phases, times = _plan(profile, shapes)
    counts = [len(due) for due in times]
    due = np.concatenate(times) if times else np.empty(0, np.int64)
    phase = np.repeat(np.array([p.number for p in phases], np.int16), counts)
    seq = np.concatenate(
        [p.first_seq + np.arange(n, dtype=np.int64) for p, n in zip(phases, counts, strict=True)]
    )
    if not len(due) and all(p.open_loop for p in phases):
        raise InputError("this profile and seed plan no request at all; raise a rate or a duration")
    item = _open_items(profile, phases, counts, suite).astype(np.int32)
    _replay_rows(profile, shapes, phases, item)
    sampled = _sampled(profile.seed, phase, suite.strata[item], seq, suite.pi[item])
    return Schedule(
        phases,
        seq,
        due,
        phase,
        item,
        suite.pi[item],
        sampled,
        suite,
        profile.seed,
        profile.mix.media_reuse,
        afresh=profile.mix.order == "phase",
    )


def _plan(profile: Profile, shapes: Sequence[ShapeOfTime]) -> tuple[list[PhasePlan], list[Ints]]:
    """The phases in order, repetitions spelled out, and the due times of each."""
    plans: list[PhasePlan] = []
    times: list[Ints] = []
    start_ns = next_seq = 0
    for phase, shape in zip(profile.phase, shapes, strict=True):
        length_ns = round(shape.duration_s * NS_PER_S)
        for replicate, name in enumerate(replicate_names(phase)):
            number = len(plans)
            due = (
                due_times(profile.arrivals, profile.seed, number, shape) + start_ns
                if shape.open_loop
                else np.empty(0, np.int64)
            )
            users = 0 if shape.open_loop else _peak_users(phase, shape)
            plans.append(
                PhasePlan(
                    number,
                    name,
                    phase.shape,
                    shape.open_loop,
                    phase.warmup,
                    start_ns,
                    start_ns + length_ns,
                    users,
                    next_seq,
                    len(due),
                    replicate,
                    phase.name,
                )
            )
            times.append(due)
            start_ns += length_ns
            next_seq += len(due) if shape.open_loop else CLOSED_RESERVE
    return plans, times


def _peak_users(phase: Phase, shape: ShapeOfTime) -> int:
    moments = np.linspace(0.0, shape.duration_s, 2001)[:-1]
    windows = [start for start, _ in getattr(shape, "bursts", [])]
    last = shape.duration_s * (1 - 1e-9)
    peak = max(shape.users(float(t)) for t in (*moments, *windows, last))
    if peak < 1:
        raise InputError(f'phase "{phase.name}": a closed loop without users sends nothing')
    return peak


def _open_items(profile: Profile, phases: Sequence[PhasePlan], counts: Sequence[int], suite: Suite) -> Ints:
    """Item of every open-loop arrival, in order of sequence number."""
    size = len(suite.strata)
    if profile.mix.order == "run":
        stretches = [(0, sum(counts))]
    else:
        stretches = [(plan.number + 1, count) for plan, count in zip(phases, counts, strict=True)]
    parts = []
    for key, count in stretches:
        fresh = passes(suite.strata, profile.seed, -(-count // size), rng(profile.seed, Stream.ORDER, 0, key))
        parts.append(
            with_reuse(fresh[:count], profile.mix.media_reuse, rng(profile.seed, Stream.REUSE, 0, key))
        )
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _replay_rows(
    profile: Profile, shapes: Sequence[ShapeOfTime], phases: Sequence[PhasePlan], item: NDArray[np.int32]
) -> None:
    """Where the trace of a phase is the file of the items itself, each row is sent at its own time."""
    of = {phase.name: (phase, shape) for phase, shape in zip(profile.phase, shapes, strict=True)}
    first = 0
    for plan in phases:
        phase, shape = of[plan.group]
        count = plan.planned
        rows = getattr(shape, "rows", None)
        if rows is not None and phase.trace is not None and phase.trace == profile.mix.items_file:
            item[first : first + count] = rows
        first += count


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


def _chosen(seed: int, phase: int, stratum: int, seq: int, pi: float) -> bool:
    """Whether an answer is scored: a hash below ``pi``, so raising ``pi`` keeps every earlier choice."""
    if pi >= 1.0 or pi <= 0.0:
        return pi >= 1.0
    digest = hashlib.blake2b(f"{seed}|{phase}|{stratum}|{seq}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64 < pi


def _sampled(
    seed: int, phase: NDArray[np.int16], stratum: Ints, seq: Ints, pi: NDArray[np.float32]
) -> NDArray[np.bool_]:
    chosen = pi >= 1.0
    for i in np.flatnonzero((pi > 0.0) & (pi < 1.0)):
        chosen[i] = _chosen(seed, int(phase[i]), int(stratum[i]), int(seq[i]), float(pi[i]))
    return chosen
