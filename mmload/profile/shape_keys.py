"""Which keys of a ``[[phase]]`` the built-in shapes take.

Not aware of what the shapes do with them. A shape that is not named here checks its own keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COMMON: Final = frozenset({"name", "shape", "duration_s", "repeats", "warmup", "options"})


@dataclass(frozen=True, slots=True)
class Keys:
    """The two ways to write a shape; empty ``closed`` means that it has no closed loop."""

    open: tuple[str, ...]
    """Needed in an open loop."""
    closed: tuple[str, ...] = ()
    """Needed in a closed loop."""
    optional: tuple[str, ...] = ()
    open_optional: tuple[str, ...] = ()
    closed_optional: tuple[str, ...] = ("think_time_s",)
    lists: bool = False
    """``rpm`` and ``users`` are lists."""

    @property
    def all(self) -> frozenset[str]:
        return frozenset(
            (*self.open, *self.closed, *self.optional, *self.open_optional, *self.closed_optional)
        )

    def ways(self) -> str:
        """The valid combinations in words."""
        ways = [" and ".join(self.open)]
        if self.closed:
            ways.append(" and ".join(self.closed))
        extra = [*self.optional, *self.open_optional, *(self.closed_optional if self.closed else ())]
        return f"{', or '.join(ways)}" + (f" (optional: {', '.join(extra)})" if extra else "")


_WINDOW: Final = ("burst_start_s", "burst_s", "burst_every_s")
BUILT_IN: Final[dict[str, Keys]] = {
    "sustained": Keys(open=("rpm",), closed=("users",)),
    "ramp": Keys(
        open=("to_rpm",),
        closed=("to_users",),
        open_optional=("from_rpm",),
        closed_optional=("from_users", "think_time_s"),
    ),
    "burst": Keys(open=("rpm", "peak_rpm"), closed=("users", "peak_users"), optional=_WINDOW),
    "steps": Keys(open=("rpm",), closed=("users",), lists=True),
    "sine": Keys(open=("rpm", "amplitude_rpm"), closed=("users", "amplitude_users"), optional=("period_s",)),
    "replay": Keys(open=("trace",), open_optional=("time_scale", "rate_scale"), closed_optional=()),
}
