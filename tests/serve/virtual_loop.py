"""An event loop whose clock jumps to the next timer: simulated hours in milliseconds, and no sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 1000.0
        select = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            if timeout is None:
                raise RuntimeError("nothing will ever happen again")
            self._virtual_s += max(0.0, timeout)
            return select(0)

        self._selector.select = jump

    def time(self) -> float:
        return self._virtual_s


def run(make: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(make(loop))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
