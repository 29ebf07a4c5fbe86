"""Stops a run whose target does nothing but fail. Not aware of processes; it is given what was summed up."""

from __future__ import annotations

from typing import Final

from mmload.profile import Target
from mmload.summary import RunInfo, Summary
from mmload.summary.measures import F

LEAST: Final = 20
"""Requests that must have ended within the window: two failures of three say nothing."""


class Breaker:
    """Opens when more than a share of what ended in the last seconds failed. Shed requests are no failures:
    a target that says "later" is protecting itself."""

    def __init__(self, target: Target) -> None:
        self._limit, self._window_s = target.stop_at_error_ratio, target.stop_window_s
        self.ratio = 0.0

    def open(self, summary: Summary, info: RunInfo | None) -> bool:
        """Whether to stop. The window ends with the latest second of which anything is known."""
        if self._limit is None or info is None:
            return False
        bins, flow = summary.flow.arrays()
        ended = flow[:, F.ENDED] > 0
        if not ended.any():
            return False
        last = int(bins[ended].max())
        recent = flow[bins > last - max(1, round(self._window_s / info.bin_s))].sum(axis=0)
        if recent[F.ENDED] < LEAST:
            return False
        self.ratio = float(recent[F.FAILED] / recent[F.ENDED])
        return self.ratio > self._limit
