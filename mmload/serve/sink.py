"""A target that does nothing, as fast as it can: what is slow against it is the generator.

Run as ``python -m mmload.serve.sink``; it prints one JSON line with its URL and ends on SIGTERM. Reads a
request to its last byte and answers with the same short completion, streamed if that was asked for. Not
aware of what the request says.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import sys
from typing import Final

_TEXT: Final = '{"status":"refused","answer":null,"evidence":[],"confidence":0,"nonce":""}'
_USAGE: Final = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {n}\r\n\r\n"
_LOOKS_AT: Final = 4096
"""Bytes at both ends of a body in which ``"stream":true`` is looked for."""


def _answer(kind: str, body: str) -> bytes:
    return (_HEAD.format(kind=kind, n=len(body)) + body).encode()


def _whole() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}
    return _answer("application/json", json.dumps({"choices": [choice], "usage": _USAGE}))


def _streamed() -> bytes:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": _TEXT}, "finish_reason": "stop"}]},
        {"choices": [], "usage": _USAGE},
    ]
    events = [f"data: {json.dumps(c)}\n\n" for c in chunks]
    return _answer("text/event-stream", "".join(events) + "data: [DONE]\n\n")


class _Client:
    """One connection: how much of the current request is still to come."""

    __slots__ = ("head", "left", "sock", "streamed")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head = b""
        self.left = 0
        self.streamed = False

    def take(self, data: memoryview, whole: bytes, streamed: bytes) -> bytes:
        """Bytes received -> bytes to answer with."""
        if not self.left:
            self.head += bytes(data)
            head, found, body = self.head.partition(b"\r\n\r\n")
            if not found:
                return b""
            self.head = b""
            self.left = _content_length(head) - len(body)
            self.streamed = b'"stream":true' in body[:_LOOKS_AT] or b'"stream":true' in body[-_LOOKS_AT:]
        else:
            self.left -= len(data)
            self.streamed = self.streamed or b'"stream":true' in bytes(data[-_LOOKS_AT:])
        if self.left > 0:
            return b""
        self.left = 0
        return streamed if self.streamed else whole


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def serve(listener: socket.socket) -> None:
    """Until SIGTERM."""
    whole, streamed = _whole(), _streamed()
    room = memoryview(bytearray(1 << 20))
    ready = select.epoll()
    ready.register(listener, select.EPOLLIN)
    clients: dict[int, _Client] = {}
    while True:
        for number, _ in ready.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[sock.fileno()] = _Client(sock)
                ready.register(sock, select.EPOLLIN)
                continue
            client = clients[number]
            try:
                n = client.sock.recv_into(room)
                reply = client.take(room[:n], whole, streamed) if n else b""
                if reply:
                    client.sock.sendall(reply)
            except OSError:
                n = 0
            if n == 0:
                ready.unregister(number)
                client.sock.close()
                del clients[number]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/v1"}) + "\n")
        sys.stdout.flush()
        serve(listener)


if __name__ == "__main__":
    main()
