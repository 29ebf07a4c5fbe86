"""The admission ladder: how much a request must give up, from how long it would wait. No clock inside.

Not aware of queues or pictures: it is told the expected wait and the time, and says a rung.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Rung(IntEnum):
    FULL = 0
    SHRINK = 1
    CUT = 2
    FALLBACK = 3
    SHED = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rung leaves of a request; ``None`` leaves it whole."""

    edge: int | None
    context_tokens: int | None
    fallback: bool


LIMITS: dict[Rung, Limits] = {
    Rung.FULL: Limits(None, None, False),
    Rung.SHRINK: Limits(1568, None, False),
    Rung.CUT: Limits(1280, 4000, False),
    Rung.FALLBACK: Limits(1280, 4000, True),
}
THRESHOLDS = ((0.125, Rung.FULL), (0.25, Rung.SHRINK), (0.40, Rung.CUT))
"""Expected wait as a share of the objective, below which a rung is enough."""
SHED_SHARE = 1.5
RELAX_S = 5.0


def wanted(wait_share: float) -> Rung:
    """The rung that an expected wait (as a share of the objective) calls for, before hysteresis."""
    if wait_share > SHED_SHARE:
        return Rung.SHED
    for limit, rung in THRESHOLDS:
        if wait_share < limit:
            return rung
    return Rung.FALLBACK


class Ladder:
    """Hysteresis: gives up more at once, and one rung less only after five calm seconds.

    Shedding is decided anew for every request and never sticks: a pipeline that went on refusing for
    five seconds after its queue had drained would waste what it had shed for.
    """

    def __init__(self, slo_s: float, enabled: bool = True) -> None:
        self.slo_s = slo_s
        self.enabled = enabled
        self.rung = Rung.FULL
        self._calm_since: float | None = None

    def admit(self, wait_s: float, now_s: float) -> Rung:
        """Rung for a request that would wait ``wait_s``, at ``now_s`` on any monotonic clock."""
        want = wanted(wait_s / self.slo_s)
        if not self.enabled:
            return Rung.SHED if want is Rung.SHED else Rung.FULL
        target = min(want, Rung.FALLBACK)
        if target >= self.rung:
            self.rung, self._calm_since = target, None
        elif self._calm_since is None:
            self._calm_since = now_s
        elif now_s - self._calm_since >= RELAX_S:
            self.rung, self._calm_since = Rung(self.rung - 1), now_s
        return Rung.SHED if want is Rung.SHED else self.rung
