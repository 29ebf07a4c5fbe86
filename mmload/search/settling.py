"""Whether a step that still runs has failed for certain, so that nothing more need be spent on it.

Only a failure may end a step early: a pass waits for its replicates. The look is a bet that may be made at
any time (``intervals.against_mean``), on means of blocks of time, as answers of one moment go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from mmload.intervals import against_mean
from mmload.model import NS_PER_US
from mmload.profile import Gates
from mmload.summary import GATES, RunReader
from mmload.summary.measures import M
from mmload.summary.run_info import RunInfo
from mmload.summary.sums import Summary
from mmload.summary.view import Cells

_BLOCK_S: Final = 2.0
_ALPHA: Final = 0.025
"""Half of what a gate may err by, as the step may also fail at its end."""
_FEWEST: Final = 4
"""Blocks before the first look."""

_NAMES: Final = {
    "quality_min": "quality",
    "schema_valid_min": "the share of valid schemas",
    "error_max": "the share that fails",
    "over_slo_max": "the share beyond its objective",
}


class Settling:
    """Looks at a running step; ``gate`` names the gate that has failed for certain, once one has."""

    def __init__(self, gates: Gates) -> None:
        self.gate: str | None = None
        self._limits = {name: getattr(gates, name) for name in _NAMES}

    def __call__(self, reader: RunReader) -> str | None:
        """Why the step has failed, or None while that is open."""
        info = reader.info
        if info is None:
            return None
        # A request shows when it has ended: what is due later than an objective ago may still be open.
        end = (reader.last_ns - int(info.slo_us.max()) * NS_PER_US) // info.bin_ns
        return self.look(block_means(reader.summary, info, end))

    def look(self, blocks: Mapping[str, Sequence[float]]) -> str | None:
        """The same, of shares by gate and block."""
        for name, limit in self._limits.items():
            means = blocks[name]
            if limit is None or len(means) < _FEWEST:
                continue
            if against_mean(means, limit, GATES[name].upper, _ALPHA) >= 1 / _ALPHA:
                self.gate = name
                return f"settled early: {_NAMES[name]} cannot keep {limit:g} at this rate"
        return None


def block_means(summary: Summary, info: RunInfo, end: int) -> dict[str, list[float]]:
    """Shares by whole block of measured time before bin ``end``, for every gate that is watched."""
    cells = Cells(summary)
    measured = [p.number for p in info.measured]
    length = max(1, round(_BLOCK_S / info.bin_s))
    first = info.measured[0].start_ns // info.bin_ns + 1
    count = max(0, (end - first) // length)
    inside = np.isin(cells.phase, measured) & (cells.bin >= first) & (cells.bin < first + count * length)
    block, data = (cells.bin[inside] - first) // length, cells.data[inside]
    sent = data[:, M.PLANNED] - data[:, M.NOT_SENT]
    parts = {
        "quality_min": (data[:, M.W_PASS], data[:, M.W]),
        "schema_valid_min": (data[:, M.W_VALID], data[:, M.W]),
        "error_max": (data[:, M.FAILED] + data[:, M.SHED], sent),
        "over_slo_max": (sent - data[:, M.WITHIN_SLO], sent),
    }
    found = {}
    for name, (hits, trials) in parts.items():
        above, below = np.bincount(block, hits, count), np.bincount(block, trials, count)
        found[name] = (above[below > 0] / below[below > 0]).tolist()
    return found
