"""What was planned: everything about a run that is known before its first record.

Built from the first frame of a journal and the suite; not aware of any result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload import corpus
from mmload.corpus import Scripts
from mmload.histogram import Ints
from mmload.model import NS_PER_MS, NS_PER_S, InputError, Item, PhasePlan, Record
from mmload.price import PriceBook, image_tokens
from mmload.profile import Cost, Phase, Profile

_MAX_BINS: Final = 1800
_NO_LIMIT: Final = np.int64(2**62)
_LEVEL_PARTS: Final = 6
_LEVEL_S: Final = 10.0


class Window(NamedTuple):
    """A stretch of one phase, in whole bins: ``[first, last)``."""

    phase: int
    first: int
    last: int


class Level(NamedTuple):
    """Windows that were offered the same load: a step, a sustained phase, its replicates."""

    name: str
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class RunInfo:
    """The plan, with what of it is asked for by every record already looked up by item index."""

    header: Mapping[str, Any]
    profile: Profile
    phases: tuple[PhasePlan, ...]
    items: Sequence[Item]
    book: PriceBook
    tasks: tuple[str, ...]
    task_weights: tuple[float, ...]
    """Weight of each task in the score; not normalised."""
    task_of: Ints
    slo_us: Ints
    """Objective of each item, due to last byte."""
    slo_ttft_us: Ints
    streamed: npt.NDArray[np.bool_]
    """Whether each item asks for a streamed answer."""
    formula_tokens: Ints
    """Input tokens by formula: the prompt's estimate and each image's by its model's rule; -1 if unknown."""
    input_estimate: tuple[int, ...]
    """Stands in for usage that never arrived: ``formula_tokens``, or the prompt's alone."""
    slices: tuple[tuple[str, str], ...]
    """(dimension, value) by slice number."""
    slice_of: Ints
    """Slice numbers, shape (items, dimensions)."""
    scripts: Scripts | None
    """What sessions of several turns ask; None where requests stand alone."""
    turn_of: Ints
    """Turn at which each item is asked, from 0."""
    last_turn: npt.NDArray[np.bool_]
    """Whether an item is the last of its session."""
    bin_ns: int
    """Length of the time bins that everything is summed in: 1 s, longer in runs beyond 30 minutes."""

    @cached_property
    def counts(self) -> npt.NDArray[np.bool_]:
        """By phase, whether it counts: it is no warm-up."""
        return np.array([not phase.warmup for phase in self.phases], bool)

    @classmethod
    def from_header(
        cls,
        header: Mapping[str, Any],
        items: Sequence[Item],
        cost: Cost | None = None,
    ) -> RunInfo:
        """``header`` is the body of the RUN frame; ``cost`` replaces the prices that the run was made with.

        Raises ``InputError`` without items or phases.
        """
        profile = Profile.model_validate(header["profile"])
        phases = tuple(PhasePlan(*p) for p in header["phases"])
        if not items or not phases:
            raise InputError("the run has no items or no phases: its suite or its journal is damaged")
        tasks = tuple(sorted({i.task for i in items}))
        number = {task: k for k, task in enumerate(tasks)}
        slos = [profile.slo_of(i.task) for i in items]
        scripts = Scripts.of_run(header, len(items))
        slices, slice_of = _slices(items, scripts)
        texts = corpus.text_tokens(items, scripts)
        formula = np.array(_formula_tokens(items, texts, profile.target.model, scripts), np.int64)
        end_s = phases[-1].end_ns / NS_PER_S
        return cls(
            header=header,
            profile=profile,
            phases=phases,
            items=items,
            book=PriceBook(cost or profile.cost, profile.target.model, _started(header)),
            tasks=tasks,
            task_weights=_task_weights(profile, header, tasks),
            task_of=np.array([number[i.task] for i in items], np.int64),
            slo_us=np.array([round(s.e2e_ms * 1000) for s in slos], np.int64),
            slo_ttft_us=np.array(
                [round(s.ttft_ms * 1000) if s.ttft_ms else _NO_LIMIT for s in slos], np.int64
            ),
            streamed=np.array([i.streaming for i in items], bool),
            formula_tokens=formula,
            input_estimate=tuple(
                text if tokens < 0 else int(tokens)
                for text, tokens in zip(texts, formula.tolist(), strict=True)
            ),
            slices=slices,
            slice_of=slice_of,
            scripts=scripts,
            turn_of=np.array(
                [max(0, turn) for turn in scripts.place] if scripts else [0] * len(items), np.int64
            ),
            last_turn=np.array(
                [scripts.place[i] + 1 == scripts.length(i) if scripts else True for i in range(len(items))],
                bool,
            ),
            bin_ns=max(1, math.ceil(end_s / _MAX_BINS)) * NS_PER_S,
        )

    def trace_id(self, seq: int) -> str:
        """Id that a request carried in ``x-request-id`` and ``traceparent``; empty if the run kept none."""
        prefix = self.header.get("trace_prefix")
        return f"{prefix}{seq:016x}" if prefix else ""

    def session_of(self, record: Record) -> tuple[int | None, int | None]:
        """Number of a record's session (that of its first request) and turn in it, from 1."""
        if self.scripts is None:
            return None, None
        turn = int(self.turn_of[record.item])
        return record.seq - turn, turn + 1

    @property
    def bin_s(self) -> float:
        return self.bin_ns / NS_PER_S

    @property
    def measured(self) -> list[PhasePlan]:
        """Phases that count: all but the warm-ups."""
        return [p for p in self.phases if not p.warmup]

    def profile_phase(self, plan: PhasePlan) -> Phase | None:
        return next((p for p in self.profile.phase if p.name == plan.group), None)

    def bins_of(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Whole bins nearest to a stretch of time: ``[first, last)``, at least one."""
        first = round(start_ns / self.bin_ns)
        return first, max(first + 1, round(end_ns / self.bin_ns))

    def whole(self, plan: PhasePlan) -> Window:
        """All of a phase, with the bins that it shares with its neighbours."""
        return Window(plan.number, plan.start_ns // self.bin_ns, -(-plan.end_ns // self.bin_ns))

    def bursts(self, plan: PhasePlan) -> list[tuple[float, float]]:
        """Burst windows in seconds of the run, of a phase whose shape is ``burst``."""
        phase = self.profile_phase(plan)
        if plan.shape != "burst" or phase is None:
            return []
        start, end = plan.start_ns / NS_PER_S, plan.end_ns / NS_PER_S
        length = phase.burst_s or phase.duration_s / 6
        begin = phase.duration_s / 3 if phase.burst_start_s is None else phase.burst_start_s
        starts = [begin]
        while phase.burst_every_s and starts[-1] + phase.burst_every_s < phase.duration_s:
            starts.append(starts[-1] + phase.burst_every_s)
        return [(start + b, min(end, start + b + length)) for b in starts if start + b < end]

    def stretches(self, plan: PhasePlan) -> list[Window]:
        """All of a phase, cut where its planned load changes: between cuts only chance changes anything."""
        whole = self.whole(plan)
        cuts = {
            self.bins_of(round(t * NS_PER_S), plan.end_ns)[0]
            for _, start, end in self._parts(plan)
            for t in (start, end)
        }
        edges = [whole.first, *sorted(c for c in cuts if whole.first < c < whole.last), whole.last]
        return [Window(plan.number, first, last) for first, last in pairwise(edges)]

    def levels(self) -> list[Level]:
        """The offered loads that the measured phases hold; stretches that declare one load are pooled."""
        pooled: dict[object, tuple[str, list[Window]]] = {}
        for plan in self.measured:
            for name, start_s, end_s in self._parts(plan):
                window = Window(
                    plan.number, *self.bins_of(round(start_s * NS_PER_S), round(end_s * NS_PER_S))
                )
                pooled.setdefault(self._declared(plan, name), (name, []))[1].append(window)
        return [Level(name, tuple(windows)) for name, windows in pooled.values()]

    def _declared(self, plan: PhasePlan, name: str) -> object:
        """The constant load that the profile declares for a stretch, else the stretch's own name."""
        phase = self.profile_phase(plan)
        if phase is None or plan.shape not in ("sustained", "burst"):
            return name
        if name.endswith(": burst"):
            return (phase.peak_rpm, phase.peak_users)
        return (phase.rpm, phase.users) if not isinstance(phase.rpm, list) else name

    def _parts(self, plan: PhasePlan) -> list[tuple[str, float, float]]:
        start, end = plan.start_ns / NS_PER_S, plan.end_ns / NS_PER_S
        if plan.shape == "sustained":
            return [(plan.group, start, end)]
        bursts = self.bursts(plan)
        if bursts:
            # What follows a burst is recovery, judged by recovery_s: it is not the base load's own level.
            base = [(f"{plan.group}: base", start, bursts[0][0])] if bursts[0][0] > start else []
            return base + [(f"{plan.group}: burst", b, e) for b, e in bursts]
        n = self._steps(plan)
        width = (end - start) / n
        return [
            (f"{plan.group}: {k + 1} of {n}", start + k * width, start + (k + 1) * width) for k in range(n)
        ]

    def _steps(self, plan: PhasePlan) -> int:
        """Equal parts of a phase whose rate changes: its own steps, else up to six of 10 s or more."""
        phase = self.profile_phase(plan)
        for steps in (phase.rpm, phase.users) if phase and plan.shape == "steps" else ():
            if isinstance(steps, list) and steps:
                return len(steps)
        length = (plan.end_ns - plan.start_ns) / NS_PER_S
        return max(1, min(_LEVEL_PARTS, int(length // _LEVEL_S)))


def _started(header: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(header.get("started_at")))
    except ValueError:
        return None


def _formula_tokens(
    items: Sequence[Item], texts: Sequence[int], model: str, scripts: Scripts | None
) -> list[int]:
    """Of text and pictures that each item's request carries, earlier turns included; -1 if unknown."""
    shown = scripts.fresh(items) if scripts else [item.images for item in items]
    each = [[image_tokens(model, image.width, image.height) for image in images] for images in shown]
    vision = [sum(n for n in images if n is not None) for images in each]
    unknown = [int(None in images) for images in each]
    if scripts is not None:
        nothing = [0] * len(items)
        vision, unknown = scripts.carried(vision, nothing), scripts.carried(unknown, nothing)
    return [-1 if bad else text + seen for text, seen, bad in zip(texts, vision, unknown, strict=True)]


def _task_weights(profile: Profile, header: Mapping[str, Any], tasks: Sequence[str]) -> tuple[float, ...]:
    declared = profile.quality.task_weights or header.get("task_weights") or profile.mix.tasks
    weights = tuple(float(declared.get(task, 0.0)) for task in tasks)
    return weights if sum(weights) > 0 else (1.0,) * len(tasks)


def _slices(items: Sequence[Item], scripts: Scripts | None) -> tuple[tuple[tuple[str, str], ...], Ints]:
    rows = [
        {"task": i.task, "variant": _variant(i), "answerable": "yes" if i.answerable else "no", **i.slices}
        for i in items
    ]
    for row, turn in zip(rows, scripts.place, strict=True) if scripts else ():
        row["turn"] = str(turn + 1) if turn >= 0 else "none"
    dimensions = sorted({d for row in rows for d in row})
    keys = sorted({(d, str(row.get(d, "none"))) for row in rows for d in dimensions})
    number = {key: k for k, key in enumerate(keys)}
    table = [[number[d, str(row.get(d, "none"))] for d in dimensions] for row in rows]
    return tuple(keys), np.array(table, np.int64)


def _variant(item: Item) -> str:
    return item.variant if item.severity == 0 else f"{item.variant}@{item.severity}"


def milliseconds(us: float | None) -> float | None:
    """Microseconds as milliseconds, to the microsecond; nothing stays nothing."""
    return None if us is None else round(us * 1000 / NS_PER_MS, 3)
