"""One stage of the pipeline: so many at work, so many waiting, no more. Not aware of what it does."""

from __future__ import annotations

import asyncio
from types import TracebackType


class StageFullError(Exception):
    """The bounded queue in front of a stage has no place left."""


class Stage:
    """Enter it with ``async with``, or ``enter`` and ``leave``."""

    def __init__(self, workers: int, waiting: int) -> None:
        self.inside = 0
        """At work or waiting."""
        self._most = workers + waiting
        self._places = asyncio.Semaphore(workers)

    async def enter(self) -> None:
        """Raises StageFullError at once if as many as may wait are waiting already."""
        if self.inside >= self._most:
            raise StageFullError
        self.inside += 1
        try:
            await self._places.acquire()
        except BaseException:
            self.inside -= 1
            raise

    def leave(self) -> None:
        self.inside -= 1
        self._places.release()

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
