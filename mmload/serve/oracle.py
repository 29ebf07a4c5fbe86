"""The truth about the simulated pipeline, rung by rung, for tests that examine the examiner.

A pure enumeration: what would be answered to every item of a suite if the ladder stood on one rung.
Not aware of load; planted faults are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mmload.model import ImageFile, Item
from mmload.serve.answers import Reply, answer
from mmload.serve.ladder import LIMITS, Rung
from mmload.serve.sight import fit, jpeg_penalty
from mmload.serve.tokens import text_tokens
from mmload.serve.views import Sized, view


def replies(items: Iterable[Item], rung: Rung, seed: int) -> list[Reply]:
    """The answer to each item on ``rung``, its system text before its prompt as a chat client sends them."""
    limits = LIMITS[rung]
    found = []
    for item in items:
        text = "\n".join(part for part in (item.system, item.prompt) if part)
        pictures = [_sized(image, limits.edge) for image in item.images]
        found.append(answer(item, view(item, text, text_tokens(text), pictures, limits), seed))
    return found


def right_share(items: Iterable[Item], rung: Rung, seed: int) -> float:
    """Share of items answered right in every particular on ``rung``. Raises ValueError without items."""
    found = replies(items, rung, seed)
    if not found:
        raise ValueError("no items")
    return sum(reply.right for reply in found) / len(found)


def _sized(image: ImageFile, edge: int | None) -> Sized:
    penalty = jpeg_penalty(image.quality) if image.format == "jpeg" and image.quality else 1.0
    return Sized(image.width, image.height, *fit(image.width, image.height, edge), penalty)
