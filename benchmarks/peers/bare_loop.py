"""How fast this way of sending could be at most: gevent's hub, llhttp and sendfile, and nothing else.

A closed loop of so many connections, each answered in the hub's callback: one ``recvmsg`` with the kernel's
stamp, one feed of geventhttpclient's parser, and the next request leaves its file. It has no schedule, no
users, no timeouts, no records, and reads nothing of an answer but its framing. Prints JSON: requests.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import tempfile
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent
from gevent.hub import get_hub
from geventhttpclient._parser import HTTPResponseParser

_SO_TIMESTAMPNS = 35
_SPACE = socket.CMSG_SPACE(16)
_buffer = bytearray(256 * 1024)
_view = memoryview(_buffer)
_stamp_of = struct.Struct("qq").unpack_from


class _Answer(HTTPResponseParser):
    def __init__(self) -> None:
        self.whole = False
        self.body: list[bytes] = []
        self._on_body = self.body.append
        self._on_header_field = self._on_header_value = self._on_status = self._nothing

    def _nothing(self, data: str) -> None:
        pass

    def _on_message_begin(self) -> None:
        pass

    def _on_headers_complete(self) -> bool:
        return False

    def _on_message_complete(self) -> None:
        self.whole = True


class _Loop:
    def __init__(self, head: bytes, body: int, size: int) -> None:
        self.head, self.body, self.size = head, body, size
        self.requests = 0

    def open(self, address: tuple[str, int]) -> object:
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setblocking(False)
        watcher = get_hub().loop.io(sock.fileno(), 1)
        watcher.start(self._reader(sock))
        self._send(sock)
        return watcher

    def _send(self, sock: socket.socket) -> None:
        sock.send(self.head, socket.MSG_MORE)
        at = 0
        while at < self.size:
            try:
                at += os.sendfile(sock.fileno(), self.body, at, self.size - at)
            except BlockingIOError:
                continue

    def _reader(self, sock: socket.socket) -> Callable[[], None]:
        answer = _Answer()

        def on_readable() -> None:
            nonlocal answer
            n, ancillary, _, _ = sock.recvmsg_into([_view], _SPACE)
            seconds, nanoseconds = _stamp_of(ancillary[0][2])
            answer.received_ns = seconds * 1_000_000_000 + nanoseconds
            answer.feed(_view[:n].tobytes())
            if answer.whole:
                self.requests += 1
                answer = _Answer()
                self._send(sock)

        return on_readable


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--body", type=int, required=True)
    options = parser.parse_args()
    to = urlsplit(options.url)
    head = (
        f"POST {to.path}/chat/completions HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {options.body}\r\n\r\n"
    )
    with tempfile.TemporaryFile() as body:
        body.write(b"x" * options.body)
        body.flush()
        loop = _Loop(head.encode(), body.fileno(), options.body)
        began = time.monotonic()
        watchers = [loop.open((to.hostname or "", to.port or 80)) for _ in range(options.users)]
        gevent.sleep(options.seconds)
        del watchers
        print(json.dumps({"requests": loop.requests, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
