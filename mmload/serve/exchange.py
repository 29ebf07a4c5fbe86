"""One request at the fault server with all that is needed to spoil its answer, and the ways to do so.

Not aware of sockets (see ``line``) or of how a way is chosen (see ``fault_server``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from mmload.serve import healthy
from mmload.serve.healthy import Received
from mmload.serve.line import Line


class FaultConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything that can be set, as JSON."""

    rates: dict[str, float] = {}
    """Share of the requests under ``/v1`` that each fault befalls; the rest is answered properly."""
    seed: int = 1
    stall_s: float = 3600.0
    """``stall``: silence between two tokens. ``slow-accept`` waits ``accept_s``."""
    accept_s: float = 1.0
    drip_s: float = 0.5
    storm: int = 20
    """``storm``: so many 503 in a row, then as many good answers, and so on."""
    bomb_mib: int = 200
    """``gzip-bomb``: size after decompression."""
    retry_after_s: int = 1


@dataclass(eq=False)
class Exchange:
    """One request and what is needed to spoil its answer."""

    line: Line
    asked: Received
    text: str
    """The right answer."""
    foreign: str
    """A right answer to another request."""
    config: FaultConfig
    elsewhere: str
    """URL on another host, which counts the credentials that reach it."""
    number: int

    async def answer(self, text: str | None = None) -> None:
        """A proper answer, streamed if that was asked for."""
        text = self.text if text is None else text
        if self.asked.wants_stream():
            parts = [*healthy.events(text), *healthy.tail(text, self.asked.wants_usage())]
            await self.stream(parts)
        else:
            await self.line.send(healthy.response(healthy.completion(text)))

    async def stream(self, parts: Sequence[bytes]) -> None:
        await self.line.send(healthy.STREAM_HEAD)
        for part in parts:
            await self.line.send(healthy.chunk(part))
        await self.line.send(healthy.LAST_CHUNK)

    async def refuse(self, status: str, body: bytes, kind: str = "application/json", *headers: str) -> None:
        await self.line.send(healthy.response(body, status, kind, headers))


Fault = Callable[[Exchange], Awaitable[bool | None]]
"""Returns True if the connection may be used again."""
FAULTS: dict[str, Fault] = {}


def fault(function: Fault) -> Fault:
    """Enter it in the table under its name, with hyphens."""
    FAULTS[function.__name__.strip("_").replace("_", "-")] = function
    return function
