"""Servers of a few lines that do what no library would: each connection is one call of a function."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

BODY = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWER = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@contextmanager
def serving(talk: Callable[[socket.socket], None], scheme: str = "http") -> Iterator[str]:
    """URL at which every connection is handed to ``talk``, and closed behind it."""

    def one(client: socket.socket) -> None:
        with client, suppress(OSError):
            talk(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1"


def read_head(client: socket.socket) -> bytes:
    """A request to the end of its headers, with what came of its body. Raises ``OSError`` at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def read_request(client: socket.socket) -> None:
    head, _, body = read_head(client).partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    length = int(next(line for line in lines if line.startswith(b"content-length")).split(b":")[1])
    while len(body) < length:
        body += client.recv(1 << 20)
