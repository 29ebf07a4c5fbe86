"""From a picture, a question and its truth to a whole item: nonce, prompt of the wanted length, spans,
and the degradation that was asked for.

Not aware of any one task.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from mmload.corpus.nonce import ALPHABET
from mmload.model import InputError
from mmload.tasks import Drawn, Want
from mmload.tasks.canvas import Text
from mmload.tasks.context import CHARS_PER_TOKEN, context
from mmload.tasks.degrade import POLICIES, Subject, degrade, flip
from mmload.tasks.muddle import misspell, muddle
from mmload.tasks.prompts import fill, prompt


def misread_nonce(nonce: str) -> list[str]:
    """Codes that a blurred reading could give."""
    return [
        nonce[:k] + ALPHABET[(ALPHABET.index(nonce[k]) + 3) % len(ALPHABET)] + nonce[k + 1 :] for k in (1, 4)
    ]


def seen(name: str, drawn: Text, at: Sequence[str | int], image: int = 0) -> dict[str, Any]:
    """Evidence that stands in an image; ``at`` is its path in the envelope."""
    return {
        "id": name,
        "source": "image",
        "image": image,
        "bbox": [round(v, 1) for v in drawn.box],
        "xheight_px": drawn.xheight,
        "char_span": None,
        "at": list(at),
    }


def told(name: str, phrase: str, at: Sequence[str | int], source: str = "text") -> dict[str, Any]:
    """Evidence that stands in the prompt; its span is found when the prompt is put together."""
    return {
        "id": name,
        "source": source,
        "image": None,
        "bbox": None,
        "xheight_px": None,
        "char_span": None,
        "phrase": phrase,
        "at": list(at),
    }


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
    relist: Callable[[Mapping[str, Any]], tuple[str, str]] | None = None
    """Where the prompt tells coordinates of the image: the passage made from the truth after a degradation
    has moved it, and in it the phrase of the evidence ``listing``."""


def compose(rng: random.Random, want: Want, scene: Scene) -> Drawn:
    """The item. Question and notes are never cut; the context fills up to the wanted length.

    Raises ``InputError`` for a variant that does not exist.
    """
    if want.variant != "clean" and want.variant not in POLICIES:
        raise InputError(f'no degradation "{want.variant}"; there are: {", ".join(POLICIES)}')
    truth = {
        "status": scene.status,
        "answer": scene.answer,
        "plausible": {**scene.plausible, "nonce": misread_nonce(want.nonce)},
        "bait": scene.bait,
        **scene.extra,
    }
    evidence = [dict(e) for e in scene.evidence]
    subject = Subject(list(scene.images), evidence, truth)
    degrade(random.Random(rng.getrandbits(64)), subject, want.variant, want.severity)
    text = _prompt(rng, want, scene, subject)
    system = fill(prompt("system"), shape=scene.shape)
    return Drawn(
        images=subject.images,
        system=f"{system}\n{scene.secret}" if scene.secret else system,
        prompt=text,
        truth=subject.truth,
        evidence=subject.evidence,
        answerable=subject.truth["status"] != "insufficient_evidence",
        canaries=scene.canaries,
        slices={"lang": want.lang, "style": want.style, **scene.slices},
        void=subject.void,
    )


def _prompt(rng: random.Random, want: Want, scene: Scene, subject: Subject) -> str:
    notes = list(scene.notes)
    if scene.relist:
        passage, phrase = scene.relist(subject.truth)
        notes.append(passage)
        for one in subject.evidence:
            if one["id"] == "listing":
                one["phrase"] = phrase
    taken = len(scene.question) + sum(len(n) + 2 for n in notes) + 4
    room = want.prompt_tokens * CHARS_PER_TOKEN - taken
    around = context(rng, want.style, want.lang, room)
    places, before = random.Random(rng.getrandbits(64)), rng.random() < 0.5
    aside = random.Random(rng.getrandbits(64))
    paragraphs = muddle(aside, around.split("\n\n") if around else [], want.variant, want.severity)
    question = scene.question
    if want.variant == "typos":
        paragraphs = [misspell(aside, p, want.severity) for p in paragraphs]
        whole = [e["phrase"] for e in subject.evidence if e.get("phrase")]
        question = misspell(aside, question, want.severity, whole)
    if want.variant == "truncated_log_evidence":
        notes = _cut_notes(notes, subject, want.severity)
    for note in notes:
        paragraphs.insert(places.randint(0, len(paragraphs)), note)
    body = "\n\n".join(paragraphs)
    text = question if not body else f"{question}\n\n{body}" if before else f"{body}\n\n{question}"
    for one in subject.evidence:
        phrase = one.pop("phrase", None)
        if phrase is not None:
            start = text.index(phrase)
            one["char_span"] = [start, start + len(phrase)]
    return text


def _cut_notes(notes: list[str], subject: Subject, severity: int) -> list[str]:
    """The notes that a truncated log lost, from severity 3 on; the truth goes with them."""
    lost = {e["id"] for e in subject.evidence if e.get("phrase") and severity >= 3}
    if not lost:
        return notes
    phrases = [e["phrase"] for e in subject.evidence if e["id"] in lost]
    flip(subject, lost)
    return [n for n in notes if not any(p in n for p in phrases)]


def among(
    rng: random.Random, want: Want, image: Image.Image, other: Callable[[], Image.Image]
) -> tuple[list[Image.Image], str, int]:
    """The image among others of its kind: all of them, the words that say which is meant, and its place."""
    if want.images == 1:
        return [image], "", 0
    place = rng.randrange(want.images)
    images = [image if k == place else other() for k in range(want.images)]
    return images, f"Use image {place + 1} of {want.images} only. ", place
