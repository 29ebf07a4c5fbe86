"""What a worker has recorded and not yet shipped to the master.

Not aware of Locust: it is given a function that sends. Each batch has a number, so that the master
sees what was lost or came twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mmload.model import Answer, Record, Telemetry

_encode = msgspec.msgpack.Encoder().encode


class Outbox:
    def __init__(self, index: int, send: Callable[[Mapping[str, Any]], None]) -> None:
        self.index = index
        self._send = send
        self._records: list[Record] = []
        self._answers: list[Answer] = []
        self._telemetry: list[Telemetry] = []
        self._events: list[dict[str, Any]] = []
        self.batches = 0
        self.recorded = 0

    def add(self, record: Record, answer: Answer | None) -> None:
        self._records.append(record)
        if answer is not None:
            self._answers.append(answer)

    def add_telemetry(self, sample: Telemetry) -> None:
        self._telemetry.append(sample)

    def add_event(self, event: dict[str, Any]) -> None:
        self._events.append(event)

    def flush(self) -> None:
        """Ship what there is, if anything."""
        parts: dict[str, Any] = {}
        for kind, rows in (
            ("records", self._records),
            ("answers", self._answers),
            ("telemetry", self._telemetry),
        ):
            if rows:
                parts[kind] = _encode(rows)
        if self._events:
            parts["events"] = self._events
        if not parts:
            return
        parts |= {"index": self.index, "batch": self.batches, "n": len(self._records)}
        self.batches += 1
        self.recorded += len(self._records)
        self._records, self._answers, self._telemetry, self._events = [], [], [], []
        self._send(parts)
