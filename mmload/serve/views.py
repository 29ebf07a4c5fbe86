"""What reaches the model of a request, after pictures were shrunk and text was cut on a rung of the ladder.

Not aware of what an item means, nor of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mmload.model import Item
from mmload.serve.ladder import Limits
from mmload.serve.sight import LARGE, SMALL, Eyes, vision_tokens

CHAT_OVERHEAD_TOKENS = 8


@dataclass(frozen=True, slots=True)
class View:
    """What reached the model of one request."""

    eyes: Eyes
    scales: tuple[float, ...]
    """Seen over received size, per picture."""
    penalties: tuple[float, ...]
    """JPEG penalty per picture, at least 1."""
    prompt_chars: int
    """How many characters of the item's prompt were kept."""


@dataclass(frozen=True, slots=True)
class Sized:
    """One picture: its size as received and as handed to the model, px, and its JPEG penalty."""

    width: int
    height: int
    seen_width: int
    seen_height: int
    penalty: float

    @property
    def scale(self) -> float:
        """Seen over received, at most 1."""
        return self.seen_width / self.width

    def tokens(self) -> int:
        return vision_tokens(self.seen_width, self.seen_height)


def context_tokens(text_tokens: int, limits: Limits) -> int:
    """Tokens of text that a rung keeps."""
    return min(text_tokens, limits.context_tokens or text_tokens)


def view(
    item: Item | None,
    text: str,
    text_tokens: int,
    pictures: Sequence[Sized],
    limits: Limits,
    small: bool = False,
) -> View:
    """What the model gets of ``text`` and ``pictures``; ``small`` asks for the fallback model by name."""
    share = context_tokens(text_tokens, limits) / max(1, text_tokens)
    return View(
        SMALL if small or limits.fallback else LARGE,
        tuple(picture.scale for picture in pictures),
        tuple(picture.penalty for picture in pictures),
        kept_chars(item, text, share),
    )


def kept_chars(item: Item | None, text: str, share: float) -> int:
    """Characters of the item's prompt that are still there when ``text`` is cut to its first ``share``."""
    start = text.find(item.prompt) if item else -1
    if item is None or start < 0:
        return 0
    return max(0, min(len(item.prompt), math.floor(len(text) * share) - start))
