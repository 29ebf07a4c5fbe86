"""Protocol adapters without I/O: an item becomes request bytes, received bytes become events.

Not aware of sockets, clocks, Locust or scores. Every adapter gives the same result however the
received bytes were cut into pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from mmload.model import Item, Turn


class Usage(NamedTuple):
    """Tokens as the target bills them; ``None`` where it does not say."""

    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None


class Reader(Protocol):
    """Reads the body of one answer, piece by piece as it is received."""

    content_events: int
    reasoning_events: int
    tool_call_events: int
    usage: Usage | None
    finish_reason: str
    model: str
    done: bool
    """The protocol's last event was received: all that is owed is the end of the body."""
    error: str
    """An ``ErrorKind`` once the body has proved to be no good answer, else empty."""
    detail: str

    def feed(self, data: bytes) -> int:
        """Take the next piece; returns how many events with non-empty content it completed."""
        ...

    def close(self) -> None:
        """The body has ended as its framing promised: decide whether it was a whole answer."""
        ...

    @property
    def text(self) -> str:
        """Content received so far."""
        ...


class Adapter(Protocol):
    """One protocol, set up for one target."""

    path: str
    """Appended to the target's base URL."""
    version: str
    """Changes whenever the adapter would make other bytes of the same item: bodies made before are kept."""

    def encode(
        self, item: Item, images: Sequence[bytes], stream: bool, history: Sequence[Turn] = ()
    ) -> bytes:
        """Body of the request; the bytes of ``images`` belong to ``item.images``, in its order. ``history``
        is what was said before in its session; an adapter that knows no sessions may leave it out."""
        ...

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Headers that the protocol asks for, with the credential where it belongs."""
        ...

    def reader(self, stream: bool) -> Reader: ...

    def error_detail(self, body: bytes) -> str:
        """What an error body says, in at most 200 characters."""
        ...
