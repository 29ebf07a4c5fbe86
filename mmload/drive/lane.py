"""A lane: a Locust user that takes the next due arrival, sends it, records it, and takes the next.

Not aware of how arrivals come due (the pump), of scores or of prices.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final

import gevent
from locust import User, constant
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from mmload.drive.attempt import Attempt, Failure
from mmload.drive.connection import Connection, TimedOut
from mmload.drive.endpoint import Endpoint
from mmload.drive.polling import until_done
from mmload.drive.pump import Traffic
from mmload.model import Answer, Arrival, ErrorKind, Outcome
from mmload.native import send
from mmload.report.escape import redact
from mmload.wire import Usage

# Members of an enumeration cost 70 ns at each mention, and a lane mentions these for every request.
_OK: Final = Outcome.OK
_SEND_TIMEOUT: Final = ErrorKind.SEND_TIMEOUT
_FIRST_BYTE_TIMEOUT: Final = ErrorKind.FIRST_BYTE_TIMEOUT
_FINAL: Final = (ErrorKind.HTTP_4XX, ErrorKind.REDIRECT, ErrorKind.LOCAL_CANCELLED)
"""Kinds after which nothing is tried again."""
_MOST_TOKENS: Final = 1 << 53
"""A count beyond this is no count: what is recorded must fit into 64 bits, and sums of it too."""


def work(lane: Lane) -> None:
    """The one task of a lane; ends when Locust wants fewer lanes."""
    lane.serve()


class Lane(User):
    """One request in flight at a time."""

    tasks = [work]  # noqa: RUF012 # Locust's own attribute
    wait_time = constant(0)
    abstract = False

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.traffic: Traffic
        self.endpoint: Endpoint
        self.connection: Connection | None = None

    def on_start(self) -> None:
        """Open a connection that stands ready, so that no arrival pays for the burst of connects."""
        while getattr(self.environment, "traffic", None) is None:
            gevent.sleep(0.05)
        self.traffic = self.environment.traffic
        self.endpoint = self.traffic.endpoint
        self.traffic.standby.join()

    def on_stop(self) -> None:
        self._drop()
        self.traffic.standby.leave()

    def serve(self) -> None:
        traffic = self.traffic
        while True:
            if self._state == LOCUST_STATE_STOPPING:
                raise StopUser
            # Locust ends a waiting user at once and lets a running one finish its request.
            self._state = LOCUST_STATE_WAITING
            arrival = traffic.take()
            self._state = LOCUST_STATE_RUNNING
            traffic.in_flight.add(self)
            try:
                self._perform(arrival)
            finally:
                traffic.in_flight.discard(self)
                traffic.done(arrival, pause=self._state == LOCUST_STATE_RUNNING)

    # --- one request --------------------------------------------------------------------------

    def _perform(self, arrival: Arrival) -> None:
        """Send ``arrival`` until it is answered or may not be tried again; record it exactly once."""
        errors: list[str] = []
        stale = 0
        endpoint, standby = self.endpoint, self.traffic.standby
        while True:
            if self.connection is not None and self.connection.broken:
                self._drop()
            if self.connection is None and not stale:
                # After a stale one, which the target had closed, only a new one will do.
                self.connection = standby.take()
            fresh = self.connection is None
            attempt = Attempt(endpoint.adapter, endpoint.max_body)
            try:
                try:
                    self._exchange(arrival, attempt)
                    if endpoint.poll_s is not None:
                        attempt = until_done(self, arrival, attempt)
                except TimedOut as e:
                    self._time_out(attempt, e.kind)
                except Failure as e:
                    attempt.failure = e
                attempt.conclude()
                failure, connection = attempt.failure, self.connection
                if connection is not None and (connection.broken or not attempt.reusable):
                    self._drop()
                if failure is not None and not fresh and not stale and _is_stale(failure, attempt):
                    stale += 1
                    continue
                if failure is not None and self._again(failure, len(errors), attempt.retry_after):
                    errors.append(failure.kind)
                    continue
            except BaseException as e:
                # A lane may be ended anywhere, between two attempts too: how the first one ended stands then.
                cancelled = isinstance(e, gevent.GreenletExit)
                kind = ErrorKind.LOCAL_CANCELLED if cancelled else ErrorKind.INTERNAL_BUG
                attempt.failure = attempt.failure or Failure(kind, repr(e))
                self._drop()
                self._record(arrival, attempt, errors, stale, fresh)
                raise
            self._record(arrival, attempt, errors, stale, fresh)
            if endpoint.keep_alive and self.connection is not None:
                standby.give(self.connection)
                self.connection = None
            else:
                self._drop()
            return

    def _exchange(self, arrival: Arrival, attempt: Attempt) -> None:
        if self.connection is None:
            self._connect()
        connection = self.connection
        assert connection is not None
        endpoint = self.endpoint
        seq, item = arrival.seq, arrival.item
        offset, length = endpoint.offset[item], endpoint.length[item]
        attempt.kernel_clock = connection.kernel_clock
        connection.attempt = attempt
        attempt.sent_ns = now = time.monotonic_ns()
        connection.total_deadline_ns = now + endpoint.total_ns
        connection.deadline_ns = now + endpoint.first_byte_ns
        connection.deadline_kind = _FIRST_BYTE_TIMEOUT
        left = -1
        if connection.tls is None:
            first, trace, bodies, file = endpoint.first, endpoint.trace, endpoint.view, endpoint.body_file
            left = send(connection.sock, first, trace, seq, bodies, file, offset, length)
        if left:
            connection.deadline_kind = _SEND_TIMEOUT
            head = endpoint.head(seq, item)
            sent = 0 if left < 0 else len(head) + length - left
            connection.send(head, endpoint.body(item), endpoint.body_file, offset, sent)
            if connection.deadline_kind is _SEND_TIMEOUT:
                connection.deadline_kind = _FIRST_BYTE_TIMEOUT
                after_send = time.monotonic_ns() + endpoint.first_byte_ns
                connection.deadline_ns = min(after_send, connection.total_deadline_ns)
        connection.finish(attempt)
        connection.deadline_ns = 0

    def _connect(self) -> None:
        self.traffic.standby.open(self)

    def _drop(self) -> None:
        if self.connection is not None:
            self.traffic.standby.drop(self.connection)
            self.connection = None

    def _time_out(self, attempt: Attempt, kind: ErrorKind) -> None:
        connection = self.connection
        if connection is not None:
            connection.attempt = None
        if kind is ErrorKind.IDLE_TIMEOUT and connection is not None:
            if time.monotonic_ns() >= connection.total_deadline_ns:
                kind = ErrorKind.TOTAL_TIMEOUT
            else:
                attempt.silence()
                self._drop()
                return
        attempt.failure = attempt.failure or Failure(kind)
        self._drop()

    def _again(self, failure: Failure, retried: int, retry_after: str) -> bool:
        """Whether there is another attempt after so many that were; waits for its time."""
        if retried >= self.endpoint.retries or failure.kind in _FINAL:
            return False
        return self._back_off(retried, retry_after)

    def _back_off(self, retried: int, retry_after: str) -> bool:
        """Exponential back-off with full jitter, or what the target asks for; false if the run ends."""
        wait = random.uniform(0, self.endpoint.backoff_s * 2**retried)
        if retry_after.isdecimal():
            wait = min(float(retry_after), 30.0)
        if self.traffic.closing:
            return False
        try:
            gevent.sleep(wait)
        except TimedOut:
            return False  # the drain is over
        return not self.traffic.closing

    # --- its record ---------------------------------------------------------------------------

    def _record(self, arrival: Arrival, attempt: Attempt, errors: list[str], stale: int, fresh: bool) -> None:
        traffic, endpoint = self.traffic, self.endpoint
        t0 = traffic.t0_ns
        failure, reader = attempt.failure, attempt.reader
        seq, due_ns, phase, item, pi, sampled, began_ns = arrival
        outcome, error, detail = _OK, "", ""
        end_ns = attempt.last_byte_ns
        if failure is not None:
            outcome = Outcome.SHED if attempt.shed else Outcome.FAILED
            error, detail = failure.kind, redact(endpoint.redact(failure.detail))[:200]
            end_ns = time.monotonic_ns()
        elif reader is not None and traffic.sampling is not None:
            pi, sampled = traffic.sampling(arrival, end_ns - t0 - due_ns, reader.finish_reason)
        tokens_in = tokens_out = cached = None
        source = text = model = finish = ""
        if reader is not None:
            model, finish, usage = reader.model, reader.finish_reason, reader.usage
            if usage is not None and _believable(usage):
                tokens_in, tokens_out, cached = usage
                source = "usage"
            if sampled or not source:
                text = reader.text
            if text and not source:
                tokens_in, tokens_out, source = endpoint.tokens_in[item], -(-len(text) // 4), "estimated"
        gaps, timing = attempt.gaps, attempt.server_timing
        if endpoint.secrets:
            text, timing, model, finish = map(endpoint.redact, (text, timing, model, finish))
        traffic.outbox.add(
            # A Record but for its name, which would cost as much as all the rest of this.
            (
                seq,
                phase,
                item,
                traffic.index,
                due_ns,
                attempt.sent_ns - t0 if attempt.sent_ns else None,
                attempt.first_byte_ns - t0 if attempt.first_byte_ns else None,
                attempt.first_token_ns - t0 if attempt.first_token_ns else None,
                end_ns - t0,
                outcome,
                error,
                attempt.status,
                len(errors) + 1,
                ",".join(errors) if errors else "",
                stale,
                endpoint.length[item],
                attempt.received,
                tokens_in,
                tokens_out,
                cached,
                source,
                reader.content_events if reader else 0,
                endpoint.pack_gaps(gaps) if gaps else b"",
                timing,
                model,
                finish,
                attempt.kernel_clock,
                not fresh,
                pi,
                sampled,
                detail,
                reader.reasoning_events if reader else 0,
                reader.tool_call_events if reader else 0,
                attempt.first_reasoning_ns - t0 if attempt.first_reasoning_ns else None,
                began_ns,
            ),
            Answer(seq, item, text) if sampled and failure is None else None,
        )
        if traffic.sessions is not None:
            traffic.ended(traffic.sessions, arrival, end_ns - t0, error)


def _is_stale(failure: Failure, attempt: Attempt) -> bool:
    """A reused connection that died before any byte came: the target had closed it as idle."""
    return failure.kind is ErrorKind.CONNECT_RESET and not attempt.received


def _believable(usage: Usage) -> bool:
    """Whether an answer can have used what the target says that it did."""
    told_in, told_out, cached = usage
    most = _MOST_TOKENS
    return 0 <= (told_in or 0) < most and 0 <= (told_out or 0) < most and 0 <= (cached or 0) < most
