"""What adds up by turn of a session. Not aware of phases' names, of figures or of gates."""

from __future__ import annotations

from typing import Any, Final

from mmload.histogram import Histogram, IntervalCounts, Ints
from mmload.summary.measures import Columns, M
from mmload.summary.run_info import RunInfo
from mmload.summary.table import Table

METRICS: Final = ("e2e", "service", "ttft")


class TurnSums:
    """Turns count from 0. A commutative monoid, as is the summary that it is part of."""

    def __init__(self) -> None:
        self.table = Table(len(M))
        self.latency = IntervalCounts()
        """By ``metric << 8 | turn``."""
        self.completed = 0
        """Sessions whose last turn was answered."""

    def add_records(self, c: Columns, rows: Ints, info: RunInfo, measured: Any) -> None:
        """``rows`` of ``M`` by record; ``measured``: bool by record, false in a warm-up."""
        turn, last = info.turn_of[c.item], info.last_turn[c.item]
        self.table.add(turn[measured], rows[measured])
        self.completed += int((measured & c.ok & last).sum())
        for number, mask, values in (
            (0, c.timed, c.e2e_us),
            (1, c.has_service, c.service_us),
            (2, c.has_ttft, c.ttft_us),
        ):
            mine = mask & measured
            self.latency.record_many((number << 8) | turn[mine], values[mine])

    def add_scores(self, turn: Ints, rows: Ints) -> None:
        self.table.add(turn, rows)

    def histogram(self, metric: str, turn: int) -> Histogram:
        key = (METRICS.index(metric) << 8) | turn
        return self.latency.histogram(key, key)

    def merge(self, other: TurnSums) -> None:
        self.table.merge(other.table)
        self.latency.merge(other.latency)
        self.completed += other.completed

    def parts(self) -> tuple[bytes, bytes, int]:
        return self.table.to_bytes(), self.latency.to_bytes(), self.completed

    @classmethod
    def of_parts(cls, parts: tuple[bytes, bytes, int]) -> TurnSums:
        made = cls()
        made.table, made.latency = Table.from_bytes(parts[0]), IntervalCounts.from_bytes(parts[1])
        made.completed = parts[2]
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TurnSums) and self.parts() == other.parts()

    __hash__ = None  # type: ignore[assignment]  # mutable
