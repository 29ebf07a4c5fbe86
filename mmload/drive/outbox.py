"""What a worker has recorded and not yet shipped to the master.

Not aware of Locust: it is given a function that sends. Each batch has a number, so that the master
sees what was lost or came twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import gevent
import msgspec

from mmload.model import Answer, Arrival, ErrorKind, Outcome, Record, Telemetry

_ROWS: Final = 128
"""Encoded in one go: 0.1 ms of work."""
_MOST_ROWS: Final = 1024
"""Of one batch. A message costs the worker and the master as much as some hundred rows in it."""
_BREATH_S: Final = 0.001
"""Between two goes. A sleep of 0 would not do: gevent runs what is ready for up to 5 ms before it looks
at timers and sockets again."""
_encode = msgspec.msgpack.Encoder().encode


class Outbox:
    def __init__(self, index: int, send: Callable[[Mapping[str, Any]], None]) -> None:
        self.index = index
        self._send = send
        self._records: list[tuple[Any, ...]] = []
        self._answers: list[Answer] = []
        self._telemetry: list[Telemetry] = []
        self._events: list[dict[str, Any]] = []
        self._encoded: dict[str, list[bytes]] = {}
        """By kind, what goes with the next batch."""
        self._rows = 0
        """Records among it."""
        self.batches = 0
        self.recorded = 0

    def add(self, record: tuple[Any, ...], answer: Answer | None) -> None:
        """``record`` is a ``Record``, or a tuple in its order: they are shipped as the same bytes."""
        self._records.append(record)
        if answer is not None:
            self._answers.append(answer)

    def add_telemetry(self, sample: Telemetry) -> None:
        self._telemetry.append(sample)

    def add_event(self, event: dict[str, Any]) -> None:
        self._events.append(event)

    def flush(self) -> None:
        """Ship what there is. It is encoded a little at a time: in between the hub sends what is due."""
        for _ in range(-(-max(len(self._records), len(self._answers)) // _ROWS)):
            self._pack()
            if self._rows >= _MOST_ROWS:
                self._ship()
            gevent.sleep(_BREATH_S)
        self._pack()
        self._ship()

    def _pack(self) -> None:
        records, answers = self._records[:_ROWS], self._answers[:_ROWS]
        del self._records[:_ROWS], self._answers[:_ROWS]
        telemetry, self._telemetry = self._telemetry, []
        self._rows += len(records)
        for kind, rows in (("records", records), ("answers", answers), ("telemetry", telemetry)):
            if rows:
                self._encoded.setdefault(kind, []).append(_encode(rows))

    def _ship(self) -> None:
        """One batch, if there is anything."""
        if not self._encoded and not self._events:
            return
        batch = {**self._encoded, "index": self.index, "batch": self.batches}
        if self._events:
            batch["events"] = self._events
        self.batches += 1
        self.recorded += self._rows
        self._encoded, self._rows, self._events = {}, 0, []
        self._send(batch)


def not_sent(arrival: Arrival, worker: int, size: int, kind: ErrorKind, detail: str) -> Record:
    """Record of an arrival that never left."""
    return Record(
        seq=arrival.seq, phase=arrival.phase, item=arrival.item, worker=worker, due_ns=arrival.due_ns,
        sent_ns=None, first_byte_ns=None, first_token_ns=None, end_ns=None,
        outcome=Outcome.NOT_SENT, error=kind, status=0, attempts=0, attempt_errors="", stale_retries=0,
        request_bytes=size, response_bytes=0, tokens_in=None, tokens_out=None, tokens_cached=None,
        usage_source="", content_events=0, gaps_us=b"", server_timing="", model="", finish_reason="",
        kernel_clock=False, reused_connection=False, pi=arrival.pi, sampled=arrival.sampled,
        error_detail=detail, began_ns=arrival.began_ns,
    )  # fmt: skip
