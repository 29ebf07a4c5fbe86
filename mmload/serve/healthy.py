"""Whole, correct HTTP answers as plain bytes, for the fault server to spoil. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mmload.serve.tokens import pieces

MODEL = "faulty"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it was read from the socket."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def wants_stream(self) -> bool:
        return (
            b'"stream":true' in self.body.replace(b" ", b"")[-4096:] or self._decoded().get("stream") is True
        )

    def wants_usage(self) -> bool:
        options = self._decoded().get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    def _decoded(self) -> dict[str, object]:
        try:
            data = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return data if isinstance(data, dict) else {}


def response(
    body: bytes,
    status: str = "200 OK",
    content_type: str = "application/json",
    headers: Sequence[str] = (),
    length: int | None = None,
) -> bytes:
    """One response with a Content-Length, which ``length`` may falsify."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {size}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


MODELS = b'{"object":"list","data":[{"id":"faulty","object":"model","created":0,"owned_by":"mmload"}]}'
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return msgspec.json.encode(
        {
            "id": "chatcmpl-faulty",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [choice],
            "usage": usage(text),
        }
    )


def usage(text: str) -> dict[str, int]:
    out = len(pieces(text))
    return {"prompt_tokens": 10, "completion_tokens": out, "total_tokens": 10 + out}


def event(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-faulty", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return b"data: " + msgspec.json.encode(head | {"choices": [choice]} | more) + b"\n\n"


def usage_event(text: str) -> bytes:
    head = {"id": "chatcmpl-faulty", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return b"data: " + msgspec.json.encode(head | {"choices": [], "usage": usage(text)}) + b"\n\n"


def events(text: str) -> list[bytes]:
    """A role event and the text in at most six events; without the finish."""
    words = pieces(text)
    size = max(1, -(-len(words) // 6))
    groups = ["".join(words[i : i + size]) for i in range(0, len(words), size)]
    return [event({"role": "assistant", "content": ""}), *(event({"content": group}) for group in groups)]


def tail(text: str, with_usage: bool) -> list[bytes]:
    """Finish, usage if it was asked for, and ``[DONE]``."""
    return [event({}, "stop"), *([usage_event(text)] if with_usage else []), DONE]
