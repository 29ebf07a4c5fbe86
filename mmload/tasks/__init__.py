"""The open family of tasks: how a question is drawn with its exact truth, and how an answer is scored.

A task is one class with one entry point in the group ``mmload.tasks``. Not aware of load, clocks,
networks, files of a suite, or of who answers.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mmload.model import Item, Score

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Drawn", "Task", "Want"]


@dataclass(frozen=True, slots=True)
class Want:
    """What the suite asks of one item. The same ``rng`` and another ``answerable`` draw its twin."""

    width: int
    height: int
    """Pixels of the image that is asked about."""
    prompt_tokens: int = 256
    """Length that the user's prompt should have, in estimated tokens (4 characters each)."""
    answerable: bool = True
    images: int = 1
    """Images in the request; all but one are there to distract."""
    lang: str = "en"
    """Language of what surrounds the evidence: en, de, fr, es, pl, ru."""
    style: str = "prose"
    """Of the context around the question: prose, code, json or log."""
    variant: str = "clean"
    severity: int = 0
    nonce: str = ""
    """To be drawn into the image, and echoed by the answer."""
    canary: str = ""
    """To be put in the system prompt where it must stay secret, or in a hostile sentence."""


@dataclass(slots=True)
class Drawn:
    """One item as drawn. The formats of ``truth`` and ``evidence`` are described in docs/workload.md."""

    images: list[Image.Image]
    system: str
    prompt: str
    truth: dict[str, Any]
    evidence: list[dict[str, Any]]
    answerable: bool
    """False also where a degradation has taken the evidence away."""
    canaries: tuple[str, ...] = ()
    slices: dict[str, str] = field(default_factory=dict)
    max_tokens: int = 1024
    void: str = ""
    """Why the item has no truth at all and must not be used; empty if it has."""


class Task(Protocol):
    name: str
    version: str
    """Changes whenever the same seed would draw or score otherwise."""
    schema: Mapping[str, Any]
    """JSON Schema 2020-12 of the whole answer envelope."""
    pairs: bool
    """Half of its items are the unanswerable twins of the others, whatever the mix says."""
    want: type[Want]
    """``Want``: what ``draw`` is given (the suite is built below the tasks and cannot import it)."""

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        """One item, a pure function of its arguments."""
        ...

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        """What an answer is worth. Pure; never raises, whatever the text.

        ``nonces`` maps the nonce of every item of the suite to its index: with it an answer that belongs
        to another request is recognised exactly.
        """
        ...
