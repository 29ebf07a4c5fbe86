"""Connections that stand ready, so that no request pays for opening one when it is due.

A lane takes one with its arrival and gives it back with the answer; whose it was before does not matter. A
connection that is lost, for a fault costs the one that it comes over, is replaced in the background while
fewer than ``_RESERVE`` stand ready. Not aware of requests.

Danger: ``_lost`` runs in the hub.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

import gevent

from mmload.drive.attempt import Failure
from mmload.drive.clock import Clock
from mmload.drive.connection import Connection
from mmload.drive.endpoint import Endpoint
from mmload.model import NS_PER_S, ErrorKind

_RESERVE: Final = 32
"""A target that closes what is idle for seconds would otherwise be asked for hundreds again and again."""


class Holder(Protocol):
    """Who has a connection, or is opening one."""

    connection: Connection | None


class _Renewal:
    connection: Connection | None = None


class Standby:
    """The open connections of one worker: never more than it has lanes, but for a moment."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint, self._clock = endpoint, clock
        self._ready: dict[Connection, None] = {}
        """In the order in which they were given back. Lost ones are taken out at once: with few lanes at work
        those at the bottom would never be looked at again."""
        self._opening = 0
        self._open = 0
        self._lanes = 0

    # --- for lanes ------------------------------------------------------------------------------

    def join(self) -> None:
        """A lane has come: one more connection stands ready, if the target takes it."""
        self._lanes += 1
        if self._endpoint.keep_alive:
            self._opening += 1
            self._renew()

    def leave(self) -> None:
        """A lane has gone, and a connection with it."""
        self._lanes -= 1
        if self._open > self._lanes and (connection := self.take()) is not None:
            self.drop(connection)

    def take(self) -> Connection | None:
        """The one that was used last, if any stands ready."""
        if not self._ready:
            return None
        connection, _ = self._ready.popitem()
        connection.on_loss = None
        return connection

    def give(self, connection: Connection) -> None:
        """Let it stand ready for whoever comes next."""
        connection.on_loss = self._lost
        self._ready[connection] = None

    def open(self, holder: Holder) -> None:
        """Open one, which is ``holder.connection`` from the first moment: somebody minds its time.

        Raises ``Failure``, and what is thrown in.
        """
        failure: Failure | None = None
        endpoint = self._endpoint
        for address in endpoint.addresses():
            holder.connection = connection = Connection(self._clock, endpoint.idle_ns)
            connection.deadline_ns = time.monotonic_ns() + endpoint.connect_ns
            connection.deadline_kind = ErrorKind.CONNECT_TIMEOUT
            try:
                connection.connect(address, endpoint.server_name, endpoint.tls)
            except Failure as e:
                failure = e
                connection.close()
                holder.connection = None
            else:
                connection.deadline_ns = 0
                self._open += 1
                return
        raise failure or Failure(ErrorKind.DNS, f"no address for {endpoint.server_name}")

    def drop(self, connection: Connection) -> None:
        """Close it; if it was open once, another takes its place."""
        connection.close()
        if connection.established:
            self._open -= 1
            self._replace()

    # --- in the background ----------------------------------------------------------------------

    def _lost(self, connection: Connection) -> None:
        """The target closed one that stood ready. One that never carried a request is not replaced: a target
        that closes each as it comes would keep us opening them."""
        connection.close()
        del self._ready[connection]
        self._open -= 1
        if connection.total_deadline_ns:
            self._replace()

    def _replace(self) -> None:
        standing = len(self._ready) + self._opening
        if self._endpoint.keep_alive and standing < _RESERVE and self._open + self._opening < self._lanes:
            self._opening += 1
            gevent.spawn(self._renew)

    def _renew(self) -> None:
        holder = _Renewal()
        try:
            with gevent.Timeout(self._endpoint.connect_ns / NS_PER_S):
                self.open(holder)
        except (Failure, gevent.Timeout):
            if holder.connection is not None:
                holder.connection.close()
        else:
            assert holder.connection is not None
            self.give(holder.connection)
        finally:
            self._opening -= 1
