"""A request that was admitted, and what every engine must be able to do with it. Not aware of HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mmload.serve.chat import Ask
from mmload.serve.ladder import Rung
from mmload.serve.tongues import Usage


@dataclass(eq=False)
class Ticket:
    """One admitted request on its way through a pipeline."""

    rung: Rung
    model: str
    scale: float
    """Seen over received size of the picture that was shrunk most."""
    arrived: float
    """On the pipeline's clock, seconds."""
    stages: dict[str, float]
    """Seconds by stage, in the order in which they were passed."""
    prompt_tokens: int
    cached_tokens: int
    text: str
    """The whole answer, before it is cut at ``max_tokens``."""
    pieces: list[str]
    """The answer as it is sent, a token each."""
    finish: str
    stall_s: float = 0.0
    """Planted pause half way through the answer."""
    dropped: bool = False
    """Planted reset half way through the answer."""

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, len(self.pieces), self.cached_tokens)

    def server_timing(self) -> str:
        return ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in self.stages.items())


T = TypeVar("T", bound=Ticket)


class Engine(Protocol[T]):
    """What stands behind the HTTP face. Every method may be called from the one event loop only."""

    any_model: bool
    """Takes requests for models that it does not list."""

    def models(self) -> list[dict[str, Any]]:
        """``id`` of each model, and what else its entry in the list of models says."""
        ...

    def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def take(self, ask: Ask) -> T:
        """Pass every stage up to the model's queue. Raises ApiError: 400, 429, 500."""
        ...

    async def reach_model(self, ticket: T) -> None:
        """Wait in the queue for a slot."""
        ...

    def follow(self, ticket: T) -> AsyncIterator[int]:
        """How many pieces there are by now, each time that there are more, until all are."""
        ...

    async def finish(self, ticket: T) -> None:
        """Wait until all pieces are there."""
        ...

    def settle(self, ticket: T) -> None:
        """All pieces are there: measure, validate, count."""
        ...

    def release(self, ticket: T) -> None:
        """Whatever happened, give the slot back."""
        ...
