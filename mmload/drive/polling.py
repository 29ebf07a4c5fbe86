"""Asynchronous jobs: the answer to a request names a job, which is asked for until it is done.

Part of a lane's one attempt, in its time limit; on its connection as long as that lasts. Not aware of what an
answer means: the adapter's reader says whether the job is pending, and where to ask.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gevent

from mmload.drive.attempt import Attempt, Failure
from mmload.drive.connection import TimedOut
from mmload.model import NS_PER_S, Arrival, ErrorKind

if TYPE_CHECKING:
    from mmload.drive.lane import Lane


def until_done(lane: Lane, arrival: Arrival, first: Attempt) -> Attempt:
    """The attempt with the answer of the finished job, stamped as begun with ``first``.

    Raises what an exchange raises: ``Failure``, ``TimedOut``.
    """
    endpoint = lane.endpoint
    assert endpoint.poll_s is not None
    deadline_ns = first.sent_ns + endpoint.total_ns
    attempt, where = first, ""
    while True:
        attempt.conclude()
        reader = attempt.reader
        if attempt.failure is not None or reader is None or not getattr(reader, "pending", False):
            return attempt
        where = getattr(reader, "next_url", "") or where
        head = endpoint.poll_head(where, arrival.seq)
        if head is None:
            raise Failure(
                ErrorKind.REDIRECT, f"the job is at {where[:100]!r}, not on the target; not followed"
            )
        if lane.connection is not None and (not attempt.reusable or lane.connection.broken):
            lane._drop()
        if time.monotonic_ns() + endpoint.poll_s * NS_PER_S >= deadline_ns:
            raise _not_done()
        gevent.sleep(endpoint.poll_s)
        attempt = _ask(lane, head, first, deadline_ns)


def _ask(lane: Lane, head: bytes, first: Attempt, deadline_ns: int) -> Attempt:
    """One GET. A connection that was closed while nobody used it is replaced once: asking changes nothing."""
    fresh = lane.connection is None or lane.connection.broken
    attempt = _exchange(lane, head, deadline_ns)
    if attempt.failure is not None and not attempt.received and not fresh:
        lane._drop()
        attempt = _exchange(lane, head, deadline_ns)
    attempt.sent_ns, attempt.first_byte_ns = first.sent_ns, first.first_byte_ns
    attempt.received += first.received
    return attempt


def _exchange(lane: Lane, head: bytes, deadline_ns: int) -> Attempt:
    endpoint = lane.endpoint
    if lane.connection is not None and lane.connection.broken:
        lane._drop()
    if lane.connection is None:
        lane._connect()
    connection = lane.connection
    assert connection is not None
    attempt = Attempt(endpoint.adapter, endpoint.max_body)
    attempt.kernel_clock = connection.kernel_clock
    connection.attempt = attempt
    connection.total_deadline_ns = deadline_ns
    connection.deadline_ns = min(time.monotonic_ns() + endpoint.first_byte_ns, deadline_ns)
    connection.deadline_kind = ErrorKind.FIRST_BYTE_TIMEOUT
    try:
        connection.send(head, memoryview(b""), -1, 0)
    except Failure as e:
        attempt.failure = e
        return attempt
    try:
        connection.finish(attempt)
    except TimedOut:
        # Whatever the connection waited for: if the time of the whole is over, it is that which is over.
        if time.monotonic_ns() < deadline_ns:
            raise
        connection.attempt = None
        lane._drop()
        raise _not_done() from None
    connection.deadline_ns = 0
    return attempt


def _not_done() -> Failure:
    return Failure(ErrorKind.TOTAL_TIMEOUT, "the job was not done")
