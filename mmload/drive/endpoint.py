"""Where requests go and the bytes that they are made of, ready before the run.

Not aware of time or of lanes. The credential lives in the constant part of the head, in memory only.
"""

from __future__ import annotations

import array
import base64
import mmap
import os
import re
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from mmload import __version__
from mmload.model import NS_PER_S, InputError
from mmload.profile import Target, api_key
from mmload.wire import Adapter


class Endpoint:
    """One target, one protocol, one file of bodies that all lanes of all workers share.

    ``offset``, ``length`` and ``tokens_in`` are by item.
    """

    def __init__(
        self,
        target: Target,
        url: str,
        adapter: Adapter,
        bodies: str,
        offset: Sequence[int],
        length: Sequence[int],
        tokens_in: Sequence[int],
        trace_prefix: int,
    ) -> None:
        self.adapter = adapter
        self.offset, self.length, self.tokens_in = offset, length, tokens_in
        self.body_file = os.open(bodies, os.O_RDONLY)
        self._map = mmap.mmap(self.body_file, 0, access=mmap.ACCESS_READ)
        self.view = memoryview(self._map)
        parts = urlsplit(url)
        self.server_name = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self.tls = _tls_context(target.tls_verify) if self._secure else None
        self.keep_alive = target.connection == "keep-alive"
        self.max_body = target.max_body_bytes
        self.retries = target.retries
        self.backoff_s = target.retry_backoff_s
        self.connect_ns = int(target.connect_timeout_s * NS_PER_S)
        self.first_byte_ns = int(min(target.first_byte_timeout_s, target.total_timeout_s) * NS_PER_S)
        self.idle_ns = int(target.idle_timeout_s * NS_PER_S)
        self.total_ns = int(target.total_timeout_s * NS_PER_S)
        self._secret = api_key(target, os.environ)
        self.secrets = _forms(self._secret) if self._secret else ()
        """The credential as it is and in the forms in which a target may send it back."""
        self.poll_s: float | None = getattr(adapter, "poll_every_s", None)
        """Pause before a job is asked for again; ``None`` for a protocol that answers at once."""
        self._host, self._base = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self.trace = b"\r\ntraceparent: 00-%016x" % trace_prefix
        self.first, self._poll_head = self._constant_heads(target, trace_prefix)
        self._addresses: list[tuple[int, Any]] = []

    def _constant_heads(self, target: Target, trace_prefix: int) -> tuple[bytes, bytes]:
        """Of a request all headers but length and trace, up to the middle of its id; of a poll what follows
        its path."""
        headers: dict[str, str] = {
            "Host": self._host,
            "User-Agent": f"mmload/{__version__}",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "Connection": "keep-alive" if self.keep_alive else "close",
        }
        headers |= _safe(self.adapter.headers(self._secret)) | _safe(target.headers)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        bare = [f"{name}: {value}" for name, value in headers.items() if name.lower() != "content-type"]
        first, own = f"POST {self._base}{self.adapter.path} HTTP/1.1", f"x-request-id: {trace_prefix:016x}"
        made = ("\r\n".join(part).encode("latin-1") for part in ([first, *lines, own], ["", *bare, own]))
        return next(made), next(made)

    def resolve(self) -> None:
        """Look the name up once, before the run: a slow resolver must not show as a slow target."""
        try:
            found = socket.getaddrinfo(self.server_name, self._port, type=socket.SOCK_STREAM)
        except OSError as e:
            raise InputError(f"target: cannot resolve {self.server_name!r}: {e}") from None
        self._addresses = [(family, sockaddr) for family, _, _, _, sockaddr in found]

    def addresses(self) -> list[tuple[int, Any]]:
        return self._addresses

    def head(self, seq: int, item: int) -> bytes:
        """Request line and headers; request id and trace id (W3C trace context) name run and request."""
        return b"%b%016x%b%016x-%016x-01\r\nContent-Length: %d\r\n\r\n" % (
            self.first,
            seq,
            self.trace,
            seq,
            seq + 1,
            self.length[item],
        )

    def poll_head(self, where: str, seq: int) -> bytes | None:
        """Request that asks for a job; ``None`` if ``where`` is no place on this target."""
        parts = urlsplit(where)
        if parts.scheme not in ("", "http", "https"):
            return None
        if parts.scheme and (parts.scheme == "https", parts.netloc) != (self._secure, self._host):
            return None
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if not path.startswith("/"):
            path = f"{self._base}/{path}"
        if (parts.netloc and not parts.scheme) or not re.fullmatch(r"[!-~]+", path):
            return None
        return b"GET %b HTTP/1.1%b%016x%b%016x-%016x-01\r\n\r\n" % (
            path.encode(), self._poll_head, seq, self.trace, seq, seq + 1,
        )  # fmt: skip

    def body(self, item: int) -> memoryview:
        start = self.offset[item]
        return self.view[start : start + self.length[item]]

    def redact(self, text: str) -> str:
        """``text`` without the credential: a target can send back what it was sent."""
        for secret in self.secrets:
            if secret in text:
                text = text.replace(secret, "[redacted]")
        return text

    @staticmethod
    def pack_gaps(gaps: list[int]) -> bytes:
        """Little-endian uint32 microseconds."""
        packed = array.array("I", gaps)
        if sys.byteorder != "little":
            packed.byteswap()
        return packed.tobytes()


def _forms(secret: str) -> tuple[str, ...]:
    """Plain, in a URL, and in base64."""
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode("latin-1", "replace")).decode()


def _safe(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if any(c in name + value for c in "\r\n\0") or not name.isascii():
            raise InputError(f"target.headers: {name!r} holds a character that no header may carry")
    return dict(headers)


def _tls_context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
