"""Runs of one candidate put one after the other as one run, whose phases are replicates of each other.

Journals in, journals out: everything that a report is made of follows from them. Not aware of candidates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mmload import journal
from mmload.model import NS_PER_S, PhasePlan, Record, Score, Telemetry
from mmload.summary import RUN_JOURNAL, SCORES_JOURNAL

_GAP: Final = 1 << 32
"""More than a block has numbers: those of a closed loop begin 2**24 apart."""
_TIMES: Final = tuple(name for name in Record._fields if name.endswith("_ns"))


@dataclass(frozen=True)
class _Shift:
    """What is added to the numbers of one block."""

    seq: int
    phase: int
    ns: int

    def plan(self, p: PhasePlan, block: int) -> PhasePlan:
        return p._replace(
            number=p.number + self.phase,
            name=f"{p.name}, round {block + 1}",
            start_ns=p.start_ns + self.ns,
            end_ns=p.end_ns + self.ns,
            first_seq=p.first_seq + self.seq,
        )

    def record(self, r: Record) -> Record:
        times: dict[str, Any] = {
            name: None if (t := getattr(r, name)) is None else t + self.ns for name in _TIMES
        }
        return r._replace(seq=r.seq + self.seq, phase=r.phase + self.phase, **times)


def pool(blocks: Sequence[Path], out: Path) -> None:
    """Write the journals of ``out`` from those of the blocks, which have the same phases and suite."""
    headers = [_header(b) for b in blocks]
    plans = [[PhasePlan(*p) for p in h["phases"]] for h in headers]
    shifts, at_ns = [], 0
    for k, plan in enumerate(plans):
        shifts.append(_Shift(k * _GAP, k * len(plan), at_ns))
        # Whole seconds: the bins that everything is summed in stay those of the block.
        at_ns += -(-max(plan[-1].end_ns, _ended_ns(blocks[k])) // NS_PER_S) * NS_PER_S
    runs = journal.Writer(out / RUN_JOURNAL)
    scores = journal.Writer(out / SCORES_JOURNAL)
    runs.append(journal.RUN, _joined(headers, plans, shifts))
    ends = [_copy(b, shift, runs, scores) for b, shift in zip(blocks, shifts, strict=True)]
    if all(e is not None for e in ends):
        runs.append(journal.END, _end([e for e in ends if e is not None], shifts))
    runs.close()
    scores.close()


def _header(block: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        body for kind, body in journal.Follower(block / RUN_JOURNAL).poll() if kind == journal.RUN
    )
    return found


def _ended_ns(block: Path) -> int:
    """When the last answer was in; 0 of a block that was cut."""
    for kind, body in journal.Follower(block / RUN_JOURNAL).poll():
        if kind == journal.END:
            return int(body["t_ns"])
    return 0


def _joined(
    headers: Sequence[Mapping[str, Any]], plans: Sequence[Sequence[PhasePlan]], shifts: Sequence[_Shift]
) -> dict[str, Any]:
    phases: list[PhasePlan] = []
    for k, (plan, shift) in enumerate(zip(plans, shifts, strict=True)):
        seen = {p.group: sum(q.group == p.group for q in phases) for p in plan}
        phases += [shift.plan(p, k)._replace(replicate=seen[p.group] + p.replicate) for p in plan]
    prints = {key: "|".join(str(h.get(key)) for h in headers) for key in _PRINTS}
    return {
        **headers[0],
        "phases": [list(p) for p in phases],
        "bursts": [
            [start + shift.ns / NS_PER_S, end + shift.ns / NS_PER_S]
            for h, shift in zip(headers, shifts, strict=True)
            for start, end in h.get("bursts") or []
        ],
        "blocks": [h["run_id"] for h in headers],
        **{key: hashlib.sha256(text.encode()).hexdigest() for key, text in prints.items()},
    }


_PRINTS: Final = ("workload_fingerprint", "content_fingerprint")


def _copy(
    block: Path, shift: _Shift, runs: journal.Writer, scores: journal.Writer
) -> Mapping[str, Any] | None:
    """Copy a block's frames; gives its last one, None if it was cut."""
    end: Mapping[str, Any] | None = None
    for kind, body in journal.Follower(block / RUN_JOURNAL).poll():
        if kind == journal.RECORDS:
            runs.append(kind, [shift.record(r) for r in body])
        elif kind == journal.ANSWERS:
            runs.append(kind, [a._replace(seq=a.seq + shift.seq) for a in body])
        elif kind == journal.TELEMETRY:
            runs.append(kind, [_later(t, shift) for t in body])
        elif kind == journal.EVENT:
            moved = {**body, "t_ns": body["t_ns"] + shift.ns}
            if "phase" in body:
                moved["phase"] = body["phase"] + shift.phase
            runs.append(kind, moved)
        elif kind == journal.END:
            end = body
    for kind, body in journal.Follower(block / SCORES_JOURNAL).poll():
        if kind == journal.SCORES:
            scores.append(kind, [_renumbered(s, shift) for s in body])
    return end


def _later(t: Telemetry, shift: _Shift) -> Telemetry:
    return t._replace(t_ns=t.t_ns + shift.ns)


def _renumbered(score: Score, shift: _Shift) -> Score:
    return replace(score, seq=score.seq + shift.seq)


def _end(ends: Sequence[Mapping[str, Any]], shifts: Sequence[_Shift]) -> dict[str, Any]:
    workers: dict[str, dict[str, int]] = {}
    for end in ends:
        for worker, counts in (end.get("workers") or {}).items():
            mine = workers.setdefault(worker, {})
            for key, n in counts.items():
                if isinstance(n, int):
                    mine[key] = mine.get(key, 0) + n
    reason = next((e["reason"] for e in ends if e["reason"] != "done"), "done")
    return {"reason": reason, "t_ns": ends[-1]["t_ns"] + shifts[-1].ns, "workers": workers}
