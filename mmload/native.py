"""What a worker does for every request, compiled where a C compiler was at hand (native.c).

Each function has a twin in Python here, which takes its place where the compiled one is missing: then nothing
is read, sent or recorded differently, it only takes longer. Not aware of schedules or of what requests mean.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_SPACE: Final = socket.CMSG_SPACE(16)
_unpack_timespec = struct.Struct("qq").unpack_from
_buffer = bytearray(256 * 1024)
_view = memoryview(_buffer)
"""One for the process: what was received is used up before the call returns."""
_plain = re.compile(rb'[^"\\\x00-\x1f]*').fullmatch
"""Text that stands in JSON as it is."""


def _send(
    sock: Any, head: bytes, trace: bytes, seq: int, bodies: Any, file: int, offset: int, length: int
) -> int:
    return -1


def _receive(sock: Any, offset_ns: int) -> tuple[bytes, int, int]:
    n, ancillary, _, _ = sock.recvmsg_into((_buffer,), _SPACE)
    now = time.monotonic_ns()
    stamp = 0
    if ancillary:
        seconds, nanoseconds = _unpack_timespec(ancillary[0][2])
        stamp = seconds * 1_000_000_000 + nanoseconds - offset_ns
    return _view[:n].tobytes(), stamp, now


def _whole(data: bytes) -> tuple[str, str, bytes] | None:
    return None


def _cut(data: bytes, head: bytes, tail: bytes) -> tuple[str, int, int]:
    if not data.startswith(head):
        return "", 0, 0
    texts = data[len(head) :].rsplit(tail + head)
    last, end, rest = texts.pop().partition(tail)
    taken = len(data)
    if end:
        texts.append(last)
        taken -= len(rest)
    else:
        taken -= len(head) + len(last)
    joined = b"".join(texts)
    if not texts or not all(texts) or not _plain(joined):
        return "", 0, 0
    try:
        text = joined.decode() if joined.isascii() else "".join([t.decode() for t in texts])
    except UnicodeDecodeError:
        return "", 0, 0
    return text, len(texts), taken


_native: Any = None
if os.environ.get("MMLOAD_PURE_PYTHON") != "1":
    with suppress(ImportError):
        _native = importlib.import_module("mmload._native")
compiled: Final = _native is not None

send: Final[Callable[[Any, bytes, bytes, int, Any, int, int, int], int]] = _native.send if compiled else _send
"""(socket, head, trace, seq, bodies, file, offset, length) -> bytes that are left to send, -1 for all.

Sends a request at once: ``head``, ``seq``, ``trace`` and so on, as ``Endpoint.head`` has them, and ``length``
bytes of ``bodies``, which ``file`` holds too, at ``offset``. Something is left where the socket takes no more
now, or is broken: who goes on sending learns which. In Python there is no cheaper way than that other one.
"""
receive: Final[Callable[[Any, int], tuple[bytes, int, int]]] = _native.receive if compiled else _receive
"""(socket, offset in ns) -> what one ``recvmsg`` gives, empty at the end of the stream; the kernel's stamp of
it less the offset, 0 if it gave none; the monotonic clock after it. Raises ``OSError``."""
whole: Final[Callable[[bytes], tuple[str, str, bytes] | None]] = _native.whole if compiled else _whole
"""Bytes taken as one answer: content type, Server-Timing and the body without its framing.

Only if they are exactly one answer of HTTP/1.1, of status 200, plain in every part, after which the
connection may be used again; ``None`` leaves them to the parser, as it always does in Python."""
cut: Final[Callable[[bytes, bytes, bytes], tuple[str, int, int]]] = _native.cut if compiled else _cut
"""(data, head, tail) -> text of the events ``head`` text ``tail`` with which the data begins, how many they
are, and the bytes that they take: as long as the text of each is not empty and stands in JSON as it is."""
