"""Faults planted into answers at configured rates, each by its own seeded draw. Not aware of HTTP or of load.

A draw depends on the seed, the fault, the item and how often the item was asked before: the order in which
requests of different items arrive does not matter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mmload.model import Item
from mmload.profile import Sim
from mmload.serve.answers import uniform


@dataclass(frozen=True, slots=True)
class Planted:
    """Which faults befall one request."""

    error: bool
    """HTTP 500."""
    invented: bool
    """The item's bait instead of an answer."""
    foreign: bool
    """The right answer to another item."""
    broken: bool
    """JSON cut short."""
    fenced: bool
    """A code fence around the JSON."""
    stalled: bool
    """A pause in mid-answer."""
    dropped: bool
    """Connection reset in mid-answer."""

    def names(self) -> list[str]:
        return [name for name in self.__slots__ if getattr(self, name)]


def plant(config: Sim, asked: str, number: int) -> Planted:
    """The faults of the ``number``-th request (from 0) of item ``asked``."""

    def befalls(name: str, rate: float) -> bool:
        return rate > 0 and uniform(config.seed, name, asked, number) < rate

    return Planted(
        error=befalls("error", config.error_rate),
        invented=befalls("invented", config.hallucination_rate),
        foreign=befalls("foreign", config.cross_talk_rate),
        broken=befalls("broken", config.broken_json_rate),
        fenced=befalls("fenced", config.fence_rate),
        stalled=befalls("stalled", config.stall_rate),
        dropped=befalls("dropped", config.drop_rate),
    )


def disguise(text: str, planted: Planted) -> str:
    """``text`` as the faults leave it."""
    if planted.broken:
        text = text[: max(1, len(text) * 2 // 3)]
    return f"```json\n{text}\n```" if planted.fenced else text


def ideal(item: Item) -> str:
    """The answer that would be right for ``item``."""
    envelope = {
        "status": item.truth["status"],
        "answer": item.truth["answer"],
        "evidence": [],
        "confidence": 0.95,
        "nonce": item.nonce,
    }
    return json.dumps(envelope, ensure_ascii=False)
