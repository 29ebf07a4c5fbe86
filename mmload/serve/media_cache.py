"""Which pictures the model has encoded lately: a repeated one costs it no vision tokens.

Not aware of pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from mmload.serve.pixels import Picture


class MediaCache:
    """Least recently used; a picture seen at another size or by another model is another picture."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[tuple[str, int, int, str], None] = OrderedDict()

    def cached_tokens(self, pictures: Iterable[Picture], model: str) -> int:
        """Vision tokens of those pictures that were held; afterwards all of them are."""
        tokens = 0
        for picture in pictures:
            key = (picture.sha256, picture.seen_width, picture.seen_height, model)
            if key in self._held:
                tokens += picture.tokens()
                self._held.move_to_end(key)
            elif self._capacity:
                self._held[key] = None
                if len(self._held) > self._capacity:
                    self._held.popitem(last=False)
        return tokens
