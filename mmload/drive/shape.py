"""The profile as a Locust ``LoadTestShape``: how many lanes there must be at any time.

The shape decides how many lanes exist; when a request leaves is the pump's business, for Locust looks
at its shape once a second only.
"""

from __future__ import annotations

import time
from typing import Final

from locust import LoadTestShape

from mmload.model import NS_PER_S
from mmload.plan import Plan

_AHEAD_S: Final = 2.5
"""Lanes are there before they are needed: a tick and the spawning take up to two seconds."""


class PlanShape(LoadTestShape):
    """Never ends by itself: the master stops the run when every worker is done."""

    def __init__(self, plan: Plan | None = None) -> None:
        """``plan`` may come later, but before the first lane is needed."""
        super().__init__()  # type: ignore[no-untyped-call] # Locust's own
        self.plan = plan
        self.t0_ns = 0
        """Monotonic; 0 before the run."""

    def lanes_at(self, now_s: float) -> int:
        """The most lanes that any moment from now to ``_AHEAD_S`` later needs."""
        needed = 1
        assert self.plan is not None
        for phase in self.plan.schedule.phases:
            start, end = phase.start_ns / NS_PER_S, phase.end_ns / NS_PER_S
            if end <= now_s or start > now_s + _AHEAD_S:
                continue
            if phase.open_loop:
                needed = max(needed, self.plan.profile.target.max_in_flight)
            else:
                users = self.plan.shape_of(phase.number).users
                first = max(now_s, start) - start
                last = min(now_s + _AHEAD_S, end) - start
                steps = [first + (last - first) * i / 10 for i in range(11)]
                needed = max(needed, *(users(t) for t in steps))
        return needed

    def tick(self) -> tuple[int, float]:
        if self.plan is None:
            return 1, 1.0
        now_s = (time.monotonic_ns() - self.t0_ns) / NS_PER_S if self.t0_ns else 0.0
        end_s = max(p.end_ns for p in self.plan.schedule.phases) / NS_PER_S
        lanes = self.lanes_at(min(now_s, end_s - 0.001))
        return lanes, float(lanes)
