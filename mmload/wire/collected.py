"""What readers of every protocol have in common: the state they gather, and how they end.

Two questions are answered apart, and a reader is one answer to each: *how the bytes come* (``Whole``: one
piece of JSON; ``Events``: one piece of JSON an event) and *what a piece means* (a protocol's ``_take``).
Not aware of any one protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from mmload.model import ErrorKind
from mmload.wire import Usage
from mmload.wire.sse import EventStream

T = TypeVar("T")
MIME: Final = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of a stranger raises; the last for a body nested some thousand deep."""
encode_json = msgspec.json.Encoder().encode


def error_detail(body: bytes) -> str:
    """What an error body says: ``error``, FastAPI's ``detail``, ``message``, or plain text."""
    try:
        parsed = msgspec.json.decode(body)
    except UNREADABLE:
        return body[:200].decode("utf-8", "replace")
    found = parsed
    if isinstance(parsed, dict):
        found = parsed.get("error") or parsed.get("detail") or parsed.get("message") or parsed
        if isinstance(found, dict):
            found = found.get("message") or found
    return as_text(found)[:200]


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    try:
        return value if isinstance(value, str) else encode_json(value).decode()
    except RecursionError:
        return "(nested too deeply)"


class Splitter(Protocol):
    """Bytes in any pieces -> payloads."""

    def feed(self, piece: bytes) -> list[bytes]: ...

    def close(self) -> list[bytes]: ...


class Collected(ABC):
    """What readers gather."""

    _malformed = ErrorKind.MALFORMED_JSON

    __slots__ = (
        "_events",
        "_pieces",
        "_text",
        "_tool_arguments",
        "content_events",
        "detail",
        "done",
        "error",
        "finish_reason",
        "model",
        "reasoning_events",
        "tool_call_events",
        "usage",
    )

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Of a body that is read once it is whole."""
        self._text: list[str] = []
        self._tool_arguments: list[str] = []
        self.content_events = 0
        self.reasoning_events = 0
        self.tool_call_events = 0
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.model = ""
        self.error = ""
        self.detail = ""
        self.done = False
        """The last event that the protocol knows was received: whatever follows adds nothing."""

    @property
    def text(self) -> str:
        """Content; the arguments of tool calls where the answer came as such."""
        return "".join(self._text) or "".join(self._tool_arguments)

    @abstractmethod
    def _take(self, payload: bytes) -> int:
        """One JSON value of the target; returns 1 if it carried content."""

    def _fail(self, kind: ErrorKind, detail: str) -> None:
        if not self.error:
            self.error, self.detail = kind, detail[:200]

    def _decoded(self, decode: Callable[[bytes], T], payload: bytes) -> T | None:
        """``payload`` decoded, or ``None`` and the kind of error that it is."""
        try:
            return decode(payload)
        except UNREADABLE as e:
            try:
                payload.decode()
            except UnicodeDecodeError:
                self._fail(ErrorKind.INVALID_UTF8, str(e))
            else:
                self._fail(self._malformed, f"{e}: {bytes(payload[:120])!r}")
            return None

    def _content(self, text: str) -> int:
        """Note the content of one event; returns 1 if there was any."""
        if not text:
            return 0
        self._text.append(text)
        self.content_events += 1
        return 1

    def _tool_call(self, arguments: str) -> None:
        self.tool_call_events += 1
        if arguments:
            self._tool_arguments.append(arguments)

    def _judge(self) -> None:
        if self.finish_reason in ("content_filter", "refusal"):
            self._fail(ErrorKind.CONTENT_FILTER, f"finish_reason {self.finish_reason}")
        elif not self._text and not self._tool_arguments:
            self._fail(ErrorKind.EMPTY_RESPONSE, f"no content, finish_reason {self.finish_reason!r}")


class Whole(Collected):
    """An answer in one piece of JSON."""

    __slots__ = ()

    def feed(self, data: bytes) -> int:
        self._pieces.append(data)
        return 0

    def close(self) -> None:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if not body:
            self._fail(ErrorKind.EMPTY_RESPONSE, "empty body")
            return
        self._take(body)
        self._judge()


class Events(Collected):
    """A streamed answer: events of JSON, the last of which may be ``[DONE]``."""

    __slots__ = ()
    _malformed = ErrorKind.MALFORMED_SSE

    def __init__(self) -> None:
        super().__init__()
        self._events: Splitter = EventStream()

    def feed(self, data: bytes) -> int:
        return self._payloads(self._events.feed(data))

    def _payloads(self, payloads: list[bytes]) -> int:
        content = 0
        for payload in payloads:
            if payload == b"[DONE]":
                self.done = True
            elif payload:
                content += self._take(payload)
        return content

    def close(self) -> None:
        self._payloads(self._events.close())
        if not self._ended():
            self._fail(ErrorKind.TRUNCATED_STREAM, "ended without its last event or a finish_reason")
        self._judge()

    def _ended(self) -> bool:
        """The target said that the answer is whole; servers often leave out the protocol's last event."""
        return self.done or bool(self.finish_reason)
