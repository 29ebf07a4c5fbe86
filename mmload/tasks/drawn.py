"""A task whose items are scenes, each with one question, answered in the common envelope.

All but a scene and how its answer is judged is the same for such tasks. Not aware of any one of them.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from mmload.model import Item, Score
from mmload.score.card import Judgement, mark
from mmload.score.envelope import Envelope, schema_of
from mmload.tasks import Drawn, Want
from mmload.tasks.compose import Scene, compose
from mmload.tasks.prompts import digest


class DrawnTask(ABC):
    """A subclass says its name, the schema of its answer, what it shows and what an answer is worth."""

    name: ClassVar[str]
    answer: ClassVar[Mapping[str, Any]]
    """JSON Schema of the ``answer`` of the envelope."""
    overreach: ClassVar[str] = "object"
    """Type of claim that an answer to an unanswerable item makes."""
    version: str
    schema: Mapping[str, Any]
    pairs = False
    want = Want
    _envelope: ClassVar[Envelope]

    def __init_subclass__(cls) -> None:
        cls.version = f"2-{digest('system', cls.name)}"
        cls.schema = schema_of(cls.answer)
        cls._envelope = Envelope(cls.schema)

    @staticmethod
    @abstractmethod
    def scene(rng: random.Random, want: Want) -> Scene:
        """What is shown and asked, a pure function of the arguments."""

    @staticmethod
    @abstractmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """What ``answer`` is worth, which is the one of the envelope ``body``."""

    @classmethod
    def draw(cls, rng: random.Random, want: Want) -> Drawn:
        return compose(rng, want, cls.scene(rng, want))

    @classmethod
    def score(cls, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        return mark(item, text, seq, cls._envelope, cls.judge, nonces, cls.overreach)
