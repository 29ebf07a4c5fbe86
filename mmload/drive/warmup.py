"""Exercise the whole sending path against this process itself before the run.

The first request of a gevent process costs 35 to 48 ms more than those behind it (imports, first
allocations, caches); the target must not be charged for that.
"""

from __future__ import annotations

from typing import Final

import gevent
from gevent import socket
from gevent.server import StreamServer

from mmload.drive.attempt import Attempt
from mmload.drive.clock import Clock
from mmload.drive.connection import Connection
from mmload.model import NS_PER_S
from mmload.wire import Adapter

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_REQUESTS: Final = 50


def _answer(client: socket.socket, _address: object) -> None:
    while client.recv(65536):
        client.sendall(_ANSWER)


def warm_up(adapter: Adapter) -> None:
    """Some tens of requests over loopback to a listener of our own; takes milliseconds."""
    server = StreamServer(("127.0.0.1", 0), _answer)
    server.start()
    connection = Connection(Clock(), NS_PER_S)
    try:
        with gevent.Timeout(5):
            connection.connect((socket.AF_INET, server.address), "", None)
            for _ in range(_REQUESTS):
                attempt = Attempt(adapter, 1024)
                connection.attempt = attempt
                connection.total_deadline_ns = 1 << 62
                connection.send(b"POST / HTTP/1.1\r\n\r\n", memoryview(b"{}"), -1, 0)
                connection.finish(attempt)
                attempt.conclude()
    finally:
        connection.close()
        server.stop()
