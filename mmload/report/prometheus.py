"""The run as Prometheus metrics: read from the journal's frames, served by the master alone.

Classic histograms whose bucket edges include the objectives, so that ``le="<objective>"`` is exact.
Labels are of closed sets (task, outcome, error kind); no request number, prompt, URL or exception
text ever becomes one. Not aware of who writes the journal.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from mmload import journal
from mmload.model import NS_PER_S, Item, Outcome, Record, Telemetry
from mmload.report.buckets import GAPS, LAGS, SECONDS, SIZES, Family, Labels
from mmload.report.live import LiveState


@dataclass(frozen=True)
class RunLabels:
    """What ``mmload_run_info`` says, to be joined on rather than put on every series."""

    run_id: str
    profile: str
    target: str
    """Host, or the name of the embedded engine; never a URL with a query."""
    model: str
    version: str
    started_at_s: float
    """Unix time."""


class Metrics(Collector):
    """Collects while a run runs. ``take`` and ``show`` may be called while another thread scrapes."""

    def __init__(
        self,
        run: RunLabels,
        items: Sequence[Item],
        slo_s: Mapping[str, float],
        ttft_slo_s: Iterable[float] = (),
    ) -> None:
        """``slo_s``: end-to-end objective in seconds by task (``default`` for the rest)."""
        self._run, self._tasks, self._slo = run, [item.task for item in items], dict(slo_s)
        self._lock = threading.Lock()
        self._live: LiveState | None = None
        self._verdict: tuple[bool, Mapping[str, bool]] | None = None
        self._judge: Mapping[str, Any] = {}
        self._requests: Counter[Labels] = Counter()
        self._dropped: Counter[Labels] = Counter()
        self._in_time: Counter[Labels] = Counter()
        self._tokens: Counter[Labels] = Counter()
        self._scored: Counter[Labels] = Counter()
        self._telemetry: dict[int, Telemetry] = {}
        self._lost: set[int] = set()
        self._last_end_ns = 0
        seconds = (*SECONDS, *self._slo.values())
        self._duration = Family(seconds, ("scenario", "operation", "outcome"))
        self._ttft = Family((*SECONDS, *ttft_slo_s), ("scenario", "operation"))
        self._gap = Family(GAPS, ("scenario",))
        self._per_token = Family(GAPS, ("scenario",))
        self._lag = Family(LAGS, ("scenario",))
        self._size = Family(SIZES, ("scenario",))

    def take(self, kind: str, body: Any) -> None:
        """Add one frame of a journal (``run.mmj`` or ``scores.mmj``); kinds of no interest pass by."""
        with self._lock:
            if kind == journal.RECORDS:
                self._add_records(body)
            elif kind == journal.TELEMETRY:
                for row in body:
                    self._telemetry[row.worker] = row
            elif kind == journal.SCORES:
                for score in body:
                    self._scored[(score.task, "passed" if score.passed else "not_passed")] += 1
            elif kind == journal.EVENT and body.get("name") == "worker_lost":
                self._lost.add(int(body.get("worker", -1)))

    def show(self, live: LiveState) -> None:
        """The gauges that only the launcher knows: rates, lanes, quality, cost."""
        with self._lock:
            self._live = live

    def settle(self, valid: bool, gates: Mapping[str, bool], judge: Mapping[str, Any] | None) -> None:
        """The verdict of a run that ended: whether it is valid, and which gates hold; and what ``judge``, a
        model, said of the answers."""
        with self._lock:
            self._verdict = (valid, dict(gates))
            self._judge = dict(judge or {})

    def _add_records(self, records: Sequence[Record]) -> None:
        for r in records:
            task = self._tasks[r.item] if 0 <= r.item < len(self._tasks) else "unknown"
            self._requests[(task, "chat", r.outcome, r.error)] += 1
            if r.outcome == Outcome.NOT_SENT:
                self._dropped[(r.error or "unknown",)] += 1
                continue
            self._size.hold((task,), r.request_bytes)
            if r.sent_ns is not None:
                self._lag.hold((task,), max(0, r.sent_ns - r.due_ns) / NS_PER_S)
            if r.end_ns is not None:
                self._last_end_ns = max(self._last_end_ns, r.end_ns)
                took = (r.end_ns - r.due_ns) / NS_PER_S
                self._duration.hold((task, "chat", r.outcome), took)
                if r.outcome == Outcome.OK and took <= self._objective(task):
                    self._in_time[(task,)] += 1
            self._add_stream(r, task)
            for name, number in (("input", r.tokens_in), ("output", r.tokens_out)):
                if number is not None:
                    self._tokens[(name,)] += number
        for family in (self._duration, self._ttft, self._lag, self._gap, self._per_token, self._size):
            family.settle()

    def _objective(self, task: str) -> float:
        return self._slo.get(task) or self._slo.get("default") or float("inf")

    def _add_stream(self, r: Record, task: str) -> None:
        if r.first_token_ns is not None:
            self._ttft.hold((task, "chat"), (r.first_token_ns - r.due_ns) / NS_PER_S)
            if r.end_ns is not None and r.tokens_out and r.tokens_out > 1:
                self._per_token.hold((task,), (r.end_ns - r.first_token_ns) / NS_PER_S / (r.tokens_out - 1))
        if r.gaps_us:
            self._gap.hold((task,), *(np.frombuffer(r.gaps_us, "<u4") / 1e6))

    def collect(self) -> Iterator[Any]:
        """All families; the lock is held only while their numbers are copied."""
        with self._lock:
            families = [*self._counters(), *self._histograms(), *self._gauges(), *self._infos()]
        yield from families

    def _counters(self) -> Iterator[Any]:
        for name, help_, labels, found in (
            (
                "mmload_requests",
                "Planned requests that have ended, by how.",
                ("scenario", "operation", "outcome", "error_type"),
                self._requests,
            ),
            (
                "mmload_requests_within_objective",
                "Requests that ended ok within the objective of their task.",
                ("scenario",),
                self._in_time,
            ),
            (
                "mmload_requests_dropped",
                "Requests that could not be sent on schedule.",
                ("reason",),
                self._dropped,
            ),
            ("mmload_tokens", "Tokens as billed by the target.", ("token_type",), self._tokens),
            (
                "mmload_answers_scored",
                "Answers scored, by whether they passed.",
                ("scenario", "result"),
                self._scored,
            ),
        ):
            family = CounterMetricFamily(name, help_, labels=labels)
            for key, value in sorted(found.items()):
                family.add_metric(key, value)
            yield family

    def _histograms(self) -> Iterator[Any]:
        for name, help_, family in (
            ("mmload_request_duration_seconds", "From the due time to the last byte.", self._duration),
            (
                "mmload_time_to_first_token_seconds",
                "From the due time to the first token of a stream.",
                self._ttft,
            ),
            (
                "mmload_time_per_output_token_seconds",
                "After the first token, per output token.",
                self._per_token,
            ),
            ("mmload_inter_chunk_seconds", "Between content events of a stream.", self._gap),
            ("mmload_schedule_lag_seconds", "Actual send minus due time.", self._lag),
            ("mmload_request_size_bytes", "Bytes of a request as sent.", self._size),
        ):
            yield family.metric(name, help_)

    def _gauges(self) -> Iterator[Any]:
        live, rows = self._live or LiveState(), list(self._telemetry.values())
        in_flight = sum(r.in_flight for r in rows) if rows else live.in_flight
        single: list[tuple[str, str, float | None]] = [
            ("mmload_requests_inflight", "Requests sent and not yet ended.", in_flight),
            ("mmload_users", "Lanes standing.", live.users),
            ("mmload_target_rate_per_second", "Planned rate.", _per_second(live.offered_rpm)),
            (
                "mmload_achieved_rate_per_second",
                "Rate of answers that ended as ok.",
                _per_second(live.achieved_rpm),
            ),
            ("mmload_quality_ratio", "Share of scored answers that pass, task-weighted.", live.quality),
            ("mmload_quality_lower_bound_ratio", "Lower 95% bound of quality.", live.quality_low),
            ("mmload_cost_usd", "Cost of the run so far.", live.cost_usd),
            (
                "mmload_cost_per_good_query_usd",
                "The whole bill over answers in time and right.",
                live.per_good_query_usd,
            ),
            ("mmload_run_start_timestamp_seconds", "Unix time of the start.", self._run.started_at_s),
            (
                "mmload_last_completion_timestamp_seconds",
                "Unix time of the last answer.",
                self._run.started_at_s + self._last_end_ns / NS_PER_S if self._last_end_ns else None,
            ),
            (
                "mmload_run_valid",
                "1 if the generator was not the limit.",
                float(self._verdict[0]) if self._verdict else None,
            ),
            (
                "mmload_judge_agreement_ratio",
                "Share of answers of which judge and scorers say the same.",
                self._judge.get("agreement_ratio"),
            ),
            ("mmload_judge_cost_usd", "What the judge cost.", self._judge.get("cost_usd")),
        ]
        for name, help_, value in single:
            family = GaugeMetricFamily(name, help_)
            if value is not None:
                family.add_metric((), float(value))
            yield family
        yield from self._labelled_gauges(rows)

    def _labelled_gauges(self, rows: Sequence[Telemetry]) -> Iterator[Any]:
        per_worker: tuple[tuple[str, str, Callable[[Telemetry], float]], ...] = (
            ("mmload_generator_cpu_ratio", "Share of one core that a worker uses.", lambda r: r.cpu_ratio),
            (
                "mmload_event_loop_lag_seconds",
                "Worst lateness of a wake-up in the last second.",
                lambda r: r.loop_lag_us / 1e6,
            ),
            ("mmload_open_fds", "Open file descriptors of a worker.", lambda r: r.open_fds),
            ("mmload_backlog", "Arrivals that are due and wait for a lane.", lambda r: r.backlog),
        )
        for name, help_, read in per_worker:
            family = GaugeMetricFamily(name, help_, labels=("worker",))
            for row in rows:
                family.add_metric((str(row.worker),), float(read(row)))
            yield family
        workers = GaugeMetricFamily("mmload_workers", "Workers by state.", labels=("state",))
        workers.add_metric(("running",), len([r for r in rows if r.worker not in self._lost]))
        workers.add_metric(("lost",), len(self._lost))
        yield workers
        slo = GaugeMetricFamily("mmload_slo_ok", "1 if the gate holds.", labels=("slo",))
        for name, holds in sorted((self._verdict[1] if self._verdict else {}).items()):
            slo.add_metric((name,), float(holds))
        yield slo
        objective = GaugeMetricFamily(
            "mmload_objective_seconds", "End-to-end objective.", labels=("scenario",)
        )
        for task, value in sorted(self._slo.items()):
            objective.add_metric((task,), value)
        yield objective

    def _infos(self) -> Iterator[Any]:
        yield InfoMetricFamily("mmload_build", "Version of mmload.", {"version": self._run.version})
        yield InfoMetricFamily(
            "mmload_run",
            "The run that is exposed here.",
            {
                "run_id": self._run.run_id,
                "profile": self._run.profile,
                "target_host": self._run.target,
                "model": self._run.model,
            },
        )


def _per_second(per_minute: float | None) -> float | None:
    return None if per_minute is None else per_minute / 60


class Endpoint:
    """A running ``/metrics``; ``close`` stops it."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.host, self.port = server.server_address[:2]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/metrics"

    def close(self) -> None:
        """Free the port at once; the serving thread, which looks twice a second, is not waited for."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()


def serve_metrics(metrics: Collector, port: int = 0, addr: str = "127.0.0.1") -> Endpoint:
    """Serve ``metrics`` in a thread of its own; port 0 takes a free one. Raises ``OSError`` (port taken).

    Bound to loopback unless asked otherwise: the client library's own default is every interface.
    """
    registry = CollectorRegistry()
    registry.register(metrics)
    server, _ = start_http_server(port, addr=addr, registry=registry)
    return Endpoint(server)
