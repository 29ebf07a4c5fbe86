"""From a picture, a question and its truth to a whole item: nonce, prompt of the wanted length, spans.

Not aware of any one task.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image

from mmload.corpus.nonce import ALPHABET
from mmload.tasks import Drawn, Want
from mmload.tasks.canvas import LayoutError, Text
from mmload.tasks.context import CHARS_PER_TOKEN, context
from mmload.tasks.prompts import fill, prompt

MIN_XHEIGHT: Final = 9.0
"""Pixels; evidence drawn smaller than this would not count as readable at native size."""
_MAX_XHEIGHT: Final = 20.0
_MIN_EM: Final = 17
"""Smallest font of evidence: an x-height of 9.3 pixels."""


def choose_em(rng: random.Random, width: int, height: int, columns: float, rows: float) -> int:
    """Font size in pixels: an x-height of 9 to 20 (more above 1920 px, as on a dense display), small enough
    that ``columns`` x ``rows`` ems fit. Raises ``LayoutError`` if not even the smallest fits."""
    dense = max(1.0, max(width, height) / 1920)
    wanted = rng.uniform(MIN_XHEIGHT, _MAX_XHEIGHT) * dense / 0.547
    room = min(width / columns, height / rows)
    if room < _MIN_EM:
        raise LayoutError(
            f"{width}x{height} pixels are too few to hold {columns:g}x{rows:g} ems of readable text"
        )
    return int(max(_MIN_EM, min(wanted, room)))


def misread_nonce(nonce: str) -> list[str]:
    """Codes that a blurred reading could give."""
    return [
        nonce[:k] + ALPHABET[(ALPHABET.index(nonce[k]) + 3) % len(ALPHABET)] + nonce[k + 1 :] for k in (1, 4)
    ]


def seen(name: str, drawn: Text, at: Sequence[str | int], image: int = 0) -> dict[str, Any]:
    """Evidence that stands in an image; ``at`` is its path in the envelope."""
    return {
        "id": name, "source": "image", "image": image, "bbox": [round(v, 1) for v in drawn.box],
        "xheight_px": drawn.xheight, "char_span": None, "at": list(at),
    }  # fmt: skip


def told(name: str, phrase: str, at: Sequence[str | int], source: str = "text") -> dict[str, Any]:
    """Evidence that stands in the prompt; its span is found when the prompt is put together."""
    return {
        "id": name, "source": source, "image": None, "bbox": None, "xheight_px": None, "char_span": None,
        "phrase": phrase, "at": list(at),
    }  # fmt: skip


@dataclass(slots=True)
class Scene:
    """What a task has drawn and asks, before it becomes an item."""

    images: list[Image.Image]
    question: str
    shape: str
    """Of the answer object, in words, for the system prompt."""
    status: str
    answer: Mapping[str, Any] | None
    bait: Mapping[str, Any]
    plausible: dict[str, list[Any]]
    evidence: list[dict[str, Any]]
    extra: dict[str, Any] = field(default_factory=dict)
    """Further truth for the scorer."""
    notes: Sequence[str] = ()
    """Passages that must stand in the prompt, at random places of its context."""
    slices: dict[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()
    secret: str = ""
    """A line of the system prompt that must not leave it."""


def compose(rng: random.Random, want: Want, scene: Scene) -> Drawn:
    """The item. Question and notes are never cut; the context fills up to the wanted length."""
    room = (
        want.prompt_tokens * CHARS_PER_TOKEN - len(scene.question) - sum(len(n) + 2 for n in scene.notes) - 4
    )
    around = context(rng, want.style, want.lang, room)
    text = _placed(rng, scene, around)
    for one in scene.evidence:
        phrase = one.pop("phrase", None)
        if phrase is not None:
            start = text.index(phrase)
            one["char_span"] = [start, start + len(phrase)]
    system = fill(prompt("system"), shape=scene.shape)
    truth = {
        "status": scene.status, "answer": scene.answer, "plausible": {**scene.plausible, "nonce": misread_nonce(want.nonce)},
        "bait": scene.bait, **scene.extra,
    }  # fmt: skip
    answerable = scene.status != "insufficient_evidence"
    slices = {"lang": want.lang, "style": want.style, **scene.slices}
    return Drawn(
        scene.images, system + ("\n" + scene.secret if scene.secret else ""), text, truth, scene.evidence,
        answerable, scene.canaries, slices,
    )  # fmt: skip


def _placed(rng: random.Random, scene: Scene, around: str) -> str:
    paragraphs = around.split("\n\n") if around else []
    for note in scene.notes:
        paragraphs.insert(rng.randint(0, len(paragraphs)), note)
    body = "\n\n".join(paragraphs)
    if not body:
        return scene.question
    return f"{scene.question}\n\n{body}" if rng.random() < 0.5 else f"{body}\n\n{scene.question}"
