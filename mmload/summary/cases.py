"""The requests that a report shows as evidence: for each way of going wrong, those that went furthest.

A commutative monoid, bounded in size: the first so many of each list by ``(order, seq)``, whichever way
the parts are put together. Not aware of gates; ``report.evidence`` knows which list weighs on which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from mmload.histogram import Ints
from mmload.model import Outcome, Score
from mmload.summary.measures import Columns
from mmload.summary.reasons import reason

POOR: Final = "poor"
"""Answers that did not pass, lowest score first, slowest first among equals."""
SLOW: Final = "slow"
"""Longest from the due time, whether right or not; requests that were given up count with their wait."""
ERROR: Final = "error:"
"""First of each error kind that failed; the kind follows."""
SHED: Final = "shed:"
_KEPT: Final = {POOR: 20, SLOW: 8}
_KEPT_OTHERWISE: Final = 4


class Case(NamedTuple):
    order: int
    """Lower is worse."""
    seq: int
    phase: int
    item: int
    e2e_us: int
    """-1: it never ended, or was never sent."""
    why: str
    """Reason in words; of a failed request what was found."""
    error: str = ""
    """Kind, of a request that failed or was shed."""


class Cases:
    """Lists of cases by name."""

    def __init__(self, lists: Mapping[str, Iterable[Sequence[Any]]] | None = None) -> None:
        self.lists: dict[str, list[Case]] = {
            name: [Case(*case) for case in found] for name, found in (lists or {}).items()
        }

    def add_records(self, c: Columns, measured: Any) -> None:
        """``measured``: bool by record, false in a warm-up."""
        timed = np.flatnonzero(measured & c.timed)
        # Only a batch's slowest can be a run's: no need to look at the others one by one.
        for i in timed[np.argsort(-c.e2e_us[timed], kind="stable")][: _KEPT[SLOW]].tolist():
            self._add(SLOW, self._case(c, i, -int(c.e2e_us[i]), str(c.raw["error_detail"][i])))
        for i in np.flatnonzero(measured & (c.failed | c.shed)).tolist():
            prefix = SHED if c.raw["outcome"][i] == Outcome.SHED else ERROR
            name = prefix + str(c.raw["error"][i])
            seq = int(c.raw["seq"][i])
            if self._has_room(name, (seq, seq)):
                self._add(name, self._case(c, i, seq, str(c.raw["error_detail"][i])))

    @staticmethod
    def _case(c: Columns, i: int, order: int, why: str) -> Case:
        e2e = int(c.e2e_us[i]) if c.end_ns[i] >= 0 else -1
        error = "" if c.ok[i] else str(c.raw["error"][i])
        return Case(order, int(c.raw["seq"][i]), int(c.phase[i]), int(c.item[i]), e2e, why, error)

    def add_scores(
        self, scores: Sequence[Score], phase: Ints, e2e_us: Ints, passed: Any, measured: Any
    ) -> None:
        """Arrays as long as ``scores``; ``passed`` and ``measured`` are bool."""
        for i in np.flatnonzero(measured & ~passed).tolist():
            score, e2e = scores[i], int(e2e_us[i])
            # Thousandths of the score above the time, so that one integer tells which is worse.
            poor = (round(score.value * 1000) << 40) - e2e
            for name, order in [(POOR, poor), *((name, poor) for name in _faults(score))]:
                if self._has_room(name, (order, score.seq)):
                    self._add(name, Case(order, score.seq, int(phase[i]), score.item, e2e, reason(score)))

    def _has_room(self, name: str, rank: tuple[int, int]) -> bool:
        found = self.lists.get(name, [])
        return len(found) < _KEPT.get(name, _KEPT_OTHERWISE) or rank < found[-1][:2]

    def _add(self, name: str, case: Case) -> None:
        found = self.lists.setdefault(name, [])
        found.append(case)
        self._trim(name)

    def _trim(self, name: str) -> None:
        found = self.lists[name] = sorted(self.lists[name])
        del found[_KEPT.get(name, _KEPT_OTHERWISE) :]

    @property
    def seqs(self) -> set[int]:
        return {case.seq for found in self.lists.values() for case in found}

    def merge(self, other: Cases) -> None:
        for name, found in other.lists.items():
            self.lists.setdefault(name, []).extend(found)
            self._trim(name)

    def plain(self) -> list[tuple[str, list[Case]]]:
        """For a serializer; ``Cases(dict(plain))`` brings it back."""
        return sorted(self.lists.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cases) and self.lists == other.lists

    __hash__ = None  # type: ignore[assignment]  # mutable


def _faults(score: Score) -> list[str]:
    """Other lists that an answer belongs on."""
    found = {
        "critical": score.critical > 0,
        "schema": score.schema == "invalid",
        "safety": bool(score.safety),
        "cross_talk": score.nonce == "foreign",
        "overreach": not score.answerable and score.status == "answered",
    }
    return [name for name, is_so in found.items() if is_so]
