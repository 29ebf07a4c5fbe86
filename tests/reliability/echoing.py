"""A target that sends back, wherever it can, what it was sent: the worst one to trust with a credential."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

FOREIGN = "sk-foreign-0123456789abcdef"
"""A key that is none of ours: nobody knows it, it only looks like one."""


class Echo(BaseHTTPRequestHandler):
    """Four kinds of answer in turn: good, refused, redirected, good with the key in every field."""

    protocol_version = "HTTP/1.1"
    server: EchoServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self._send(200, b'{"data": []}', "application/json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.keys.append(key)
        self.server.at.append(time.monotonic())
        self.server.requests.append(self.headers["X-Request-Id"])
        encoded = base64.b64encode(key.encode()).decode()
        said = f"{key} {quote(key, safe='')} {encoded} Authorization: Bearer {key}\n and {FOREIGN}"
        number = len(self.server.keys) % 4
        if number == 1:
            self._send(400, json.dumps({"error": {"message": said}}).encode(), "application/json")
        elif number == 2:
            self._send(302, b"", "text/plain", Location=self.server.elsewhere)
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": key}
            usage = {"prompt_tokens": 3, "completion_tokens": 3}
            body = {"id": key, "model": key, "choices": [choice], "usage": usage}
            if number == 3:
                choice["finish_reason"], body["model"] = "stop", "m"
            timing = f'key;desc="{key}";dur=1'
            self._send(
                200, json.dumps(body).encode(), "application/json", **{"Server-Timing": timing, "X-Key": key}
            )

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class EchoServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """Five, as it is otherwise, would reset some of those that come at once after a stall."""
    elsewhere = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.at: list[float] = []
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def echoing() -> Iterator[tuple[EchoServer, EchoServer]]:
    """The target, and the other host to which it redirects."""
    servers = EchoServer(), EchoServer()
    servers[0].elsewhere = servers[1].url + "/chat/completions"
    threads = [threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True) for s in servers]
    for thread in threads:
        thread.start()
    try:
        yield servers
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join(5)
            server.server_close()
