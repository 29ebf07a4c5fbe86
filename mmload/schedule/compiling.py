"""Profile + seed -> the plan of a run.

Arrivals, order of items, media reuse, sampling and times to think each have their own random stream, so that
changing one leaves the others as they were. Not aware of HTTP, of how many workers there are, or of clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmload.model import NS_PER_S, InputError, PhasePlan
from mmload.profile import Phase, Profile
from mmload.profile.rules import replicate_names
from mmload.schedule.arrivals import ShapeOfTime, due_times
from mmload.schedule.order import passes, with_reuse
from mmload.schedule.planned import CLOSED_RESERVE, Schedule, Suite, chosen
from mmload.schedule.streams import Stream, rng
from mmload.schedule.turns import Script, Starts, Turns, numbered, thoughts, unfolded

Ints = NDArray[np.int64]


def compile(
    profile: Profile,
    shapes: Sequence[ShapeOfTime],
    strata: NDArray[Any],
    tasks: Sequence[str],
    scripts: Sequence[Script] | None = None,
) -> Schedule:
    """The whole plan of a run.

    ``shapes``: one for each ``[[phase]]`` of the profile. ``strata``: stratum of each item of the suite.
    ``tasks``: task of each item. ``scripts``: what sessions of several turns ask; None if all requests stand
    alone. Raises ``InputError`` if the suite is empty or nothing is planned.
    """
    if not len(strata) or len(strata) != len(tasks):
        raise InputError(
            f"the suite has {len(tasks)} items and {len(strata)} strata; it needs at least one item"
        )
    pi = np.array([profile.quality.sample_by_task.get(t, profile.quality.sample) for t in tasks], np.float32)
    suite = Suite(np.asarray(strata, np.int64), pi)
    if scripts is not None:
        mean = sum(map(len, scripts)) / len(scripts)
        shapes = [Starts(shape, mean) for shape in shapes]
    phases, times = _plan(profile, shapes)
    due = np.concatenate(times) if times else np.empty(0, np.int64)
    if not len(due) and all(p.open_loop for p in phases):
        raise InputError("this profile and seed plan no request at all; raise a rate or a duration")
    if scripts is None:
        return _alone(profile, shapes, phases, times, due, suite)
    return _conversing(profile, phases, times, due, suite, scripts)


def _alone(
    profile: Profile,
    shapes: Sequence[ShapeOfTime],
    phases: list[PhasePlan],
    times: Sequence[Ints],
    due: Ints,
    suite: Suite,
) -> Schedule:
    """Every request stands alone."""
    counts = [len(mine) for mine in times]
    seq = np.concatenate(
        [p.first_seq + np.arange(n, dtype=np.int64) for p, n in zip(phases, counts, strict=True)]
    )
    item = _order(profile, phases, counts, suite.strata).astype(np.int32)
    _replay_rows(profile, shapes, phases, item)
    return _schedule(profile, phases, suite, due, seq, _numbers(phases, counts), item)


def _conversing(
    profile: Profile,
    phases: list[PhasePlan],
    times: Sequence[Ints],
    due: Ints,
    suite: Suite,
    scripts: Sequence[Script],
) -> Schedule:
    """Every arrival begins a session, which asks a script turn by turn. Scripts are dealt out as items are
    where requests stand alone, in the strata of their first items."""
    kinds: dict[tuple[int, int], int] = {}
    strata = [kinds.setdefault((int(suite.strata[s[0]]), len(s)), len(kinds)) for s in scripts]
    counts = [len(mine) for mine in times]
    drawn = _order(profile, phases, counts, np.array(strata, np.int64))
    item, first, lengths = unfolded(scripts, drawn)
    phases = numbered(phases, np.split(lengths, np.cumsum(counts)[:-1]))
    phase = _numbers(phases, [p.planned for p in phases])
    begins = first == np.arange(len(first))
    think = [thoughts(profile.sessions, profile.seed, p.number, begins[phase == p.number]) for p in phases]
    every = _schedule(profile, phases, suite, first, np.arange(len(first)), phase, item.astype(np.int32))
    turns = Turns(first, phase, every.item, every.pi, every.sampled, np.concatenate(think))
    starts = every.part(np.flatnonzero(begins))
    return replace(starts, due_ns=due, striped=False, turns=turns)


def _numbers(phases: Sequence[PhasePlan], counts: Sequence[int]) -> NDArray[np.int16]:
    return np.repeat(np.array([p.number for p in phases], np.int16), counts)


def _schedule(
    profile: Profile,
    phases: list[PhasePlan],
    suite: Suite,
    due: Ints,
    seq: Ints,
    phase: NDArray[np.int16],
    item: NDArray[np.int32],
) -> Schedule:
    pi = suite.pi[item]
    return Schedule(
        phases,
        seq,
        due,
        phase,
        item,
        pi,
        _sampled(profile.seed, phase, suite.strata[item], seq, pi),
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


def _order(profile: Profile, phases: Sequence[PhasePlan], counts: Sequence[int], strata: Ints) -> Ints:
    """Item (or script) of every open-loop arrival, in order; ``strata`` of the items (or scripts)."""
    size = len(strata)
    if profile.mix.order == "run":
        stretches = [(0, sum(counts))]
    else:
        stretches = [(plan.number + 1, count) for plan, count in zip(phases, counts, strict=True)]
    parts = []
    for key, count in stretches:
        fresh = passes(strata, profile.seed, -(-count // size), rng(profile.seed, Stream.ORDER, 0, key))
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


def _sampled(
    seed: int, phase: NDArray[np.int16], stratum: Ints, seq: Ints, pi: NDArray[np.float32]
) -> NDArray[np.bool_]:
    found = pi >= 1.0
    for i in np.flatnonzero((pi > 0.0) & (pi < 1.0)):
        found[i] = chosen(seed, int(phase[i]), int(stratum[i]), int(seq[i]), float(pi[i]))
    return found
