"""Which prompts the model has prefilled lately: a conversation that goes on prefills only what is new.

Not aware of tokens or pixels, nor of which replica holds what: there is one cache for all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence


class PrefixCache:
    """Least recently used, whole prompts. A prompt is what was said, and what was shown, in order."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[int, None] = OrderedDict()

    def holds(self, said: Sequence[Hashable]) -> bool:
        """Whether exactly this prompt was kept, and not yet pushed out by others."""
        key = hash(tuple(said))
        if key not in self._held:
            return False
        self._held.move_to_end(key)
        return True

    def keep(self, said: Sequence[Hashable]) -> None:
        if not self._capacity:
            return
        key = hash(tuple(said))
        self._held[key] = None
        self._held.move_to_end(key)
        if len(self._held) > self._capacity:
            self._held.popitem(last=False)
