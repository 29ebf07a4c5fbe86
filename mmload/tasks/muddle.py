"""Degradations of the prompt: clutter, truncated logs, renamed variables, typos.

Not aware of images. Passages that hold evidence are protected, but for the one degradation that takes
them away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from mmload.tasks.context import CHARS_PER_TOKEN, context
from mmload.tasks.degrade import CLUTTER, KEPT, RENAMED, TYPOS

_NEAR: Final = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "f": "dg",
    "g": "fh",
    "h": "gj",
    "i": "uo",
    "j": "hk",
    "k": "jl",
    "l": "k",
    "m": "n",
    "n": "bm",
    "o": "ip",
    "p": "o",
    "q": "wa",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "u": "yi",
    "v": "cb",
    "w": "qe",
    "x": "zc",
    "y": "tu",
    "z": "x",
}
"""Keys beside each key of a QWERTY keyboard."""
_WORD: Final = re.compile(r"(?<![\w.@/\"'-])[a-z]{4,}(?![\w.@/\"'-])")
_IDENTIFIER: Final = re.compile(r"\b[a-z]+_[a-z_]+\b|\b[a-z]{4,}(?=\.|\()")


def muddle(rng: random.Random, paragraphs: list[str], variant: str, severity: int) -> list[str]:
    """The context's paragraphs under a prompt degradation of severity 1 to 5; unchanged under any other."""
    level = severity - 1
    if variant == "prompt_clutter":
        extra = context(rng, rng.choice(("code", "log")), "en", CLUTTER[level] * CHARS_PER_TOKEN)
        at = rng.choice((0, len(paragraphs) // 2, len(paragraphs)))
        return [*paragraphs[:at], extra, *paragraphs[at:]]
    if variant in ("truncated_log", "truncated_log_evidence"):
        return _truncated(paragraphs, KEPT[level])
    if variant == "renamed_vars":
        return _renamed(rng, paragraphs, RENAMED[level])
    return paragraphs


def _truncated(paragraphs: list[str], kept: float) -> list[str]:
    lines = "\n\n".join(paragraphs).split("\n")
    cut = lines[: round(len(lines) * kept)]
    return ["\n".join([*cut, "[log truncated]"])] if paragraphs else []


def _renamed(rng: random.Random, paragraphs: list[str], share: float) -> list[str]:
    """The same new name for every use of an identifier."""
    names = sorted({m for p in paragraphs for m in _IDENTIFIER.findall(p)})
    chosen = rng.sample(names, round(len(names) * share))
    new = {name: f"v{k}" for k, name in enumerate(chosen)}
    return [_IDENTIFIER.sub(lambda m: new.get(m.group(), m.group()), p) for p in paragraphs]


def misspell(rng: random.Random, text: str, severity: int, whole: Sequence[str] = ()) -> str:
    """Keyboard slips in plain lower-case words: names, numbers, quoted words, field names and the passages
    ``whole`` stay as they are."""

    def slip(match: re.Match[str]) -> str:
        word = list(match.group())
        for k, letter in enumerate(word):
            if rng.random() < TYPOS[severity - 1]:
                word[k] = rng.choice(_NEAR[letter])
        return "".join(word)

    if not whole:
        return _WORD.sub(slip, text)
    parts = re.split("(" + "|".join(re.escape(w) for w in whole) + ")", text)
    return "".join(part if part in whole else _WORD.sub(slip, part) for part in parts)
