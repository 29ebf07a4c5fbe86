"""More of the answers that are slow or broke off are scored, at a rate that is known.

Whether an answer is scored is a hash below a probability; here the probability is raised for answers that
missed their objective or were cut at their token limit. The same hash decides, so the plain sample is kept
whole, and every answer's true probability goes on its record: weights undo the preference. Not aware of
what an answer says: right and wrong ones are taken alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mmload.model import Arrival

CUT_OFF: Final = frozenset({"length", "max_tokens"})
"""Finish reasons of an answer that reached its token limit."""


class Oversample:
    """``slo_ns``: objective by item, due to last byte. ``chosen(arrival, pi)``: the hash below ``pi``."""

    def __init__(self, share: float, slo_ns: Sequence[int], chosen: Callable[[Arrival, float], bool]) -> None:
        self.share = share
        self.slo_ns = slo_ns
        self.chosen = chosen

    def __call__(self, arrival: Arrival, e2e_ns: int, finish_reason: str) -> tuple[float, bool]:
        """Probability with which this answer is scored, and whether it is."""
        if arrival.pi >= self.share:
            return arrival.pi, arrival.sampled
        if e2e_ns <= self.slo_ns[arrival.item] and finish_reason not in CUT_OFF:
            return arrival.pi, arrival.sampled
        return self.share, arrival.sampled or self.chosen(arrival, self.share)
