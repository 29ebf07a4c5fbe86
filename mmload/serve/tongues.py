"""What the practice target must be able to do in each protocol that it speaks. Bytes in and out, no I/O.

Written apart from the client's own adapters on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from mmload.serve.chat import ApiError, Ask


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int
    cached: int = 0


class Speaker(Protocol):
    """Writes the answer to one request."""

    def whole(self, text: str, finish: str, usage: Usage) -> bytes:
        """An answer in one piece; ``finish`` is ``stop``, ``length`` or ``tool_calls``."""
        ...

    def opening(self, usage: Usage) -> bytes:
        """Events before the first piece of a stream."""
        ...

    def delta(self, text: str) -> bytes: ...

    def closing(self, text: str, finish: str, usage: Usage) -> bytes:
        """Events after the last piece; ``text`` is all that was said."""
        ...

    def broken(self, error: ApiError) -> bytes:
        """Events of a stream that ends in an error."""
        ...


class Tongue(Protocol):
    """One protocol."""

    def parse(self, body: bytes, models: Sequence[str] | None) -> Ask:
        """Raises ApiError 400 for a bad request, 404 for a model not in ``models`` (None: any will do)."""
        ...

    def speaker(self, number: int, created: int, model: str, ask: Ask) -> Speaker: ...

    def refusal(self, error: ApiError) -> bytes:
        """Body of an answer that is an error."""
        ...


def sse(event: dict[str, Any], name: str | None = None) -> bytes:
    """One server-sent event, under its own ``name`` if the protocol names them."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(event) + b"\n\n"
