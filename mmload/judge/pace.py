"""How fast the judge may be asked. Not aware of requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """A token bucket of one token: turns are ``60 / rpm`` seconds apart at least, and none is saved up.

    So no window of t seconds holds more than 1 + t * rpm / 60 turns.
    """

    def __init__(
        self,
        rpm: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._gap_s = 60.0 / rpm
        self._clock, self._sleep = clock, sleep
        self._next_s = 0.0

    def hold(self, seconds: float) -> None:
        """Give no turn for so long: the judge asked for it. Turns that were given already are taken."""
        self._next_s = max(self._next_s, self._clock() + seconds)

    async def turn(self) -> None:
        """Wait for a turn, and take it. Turns are given in the order of asking."""
        now = self._clock()
        mine = max(now, self._next_s)
        self._next_s = mine + self._gap_s
        while (wait := mine - self._clock()) > 0:
            await self._sleep(wait)
