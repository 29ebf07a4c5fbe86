"""What the practice target knows of the suite, found by the pictures that arrived. Never told by the client.

Not aware of load or of how an answer is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmload import corpus
from mmload.model import Item


class Known:
    """Index of items by the sha256 of their image bytes."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items = list(items)
        self._by_first: dict[str, list[Item]] = {}
        self._by_text: dict[str, Item] = {}
        for item in self.items:
            if item.images:
                self._by_first.setdefault(item.images[0].sha256, []).append(item)
            else:
                self._by_text[item.prompt] = item

    @classmethod
    def from_dir(cls, suite: Path | None) -> Known:
        """Raises InputError if the folder holds no suite."""
        return cls(corpus.load(suite).items) if suite else cls()

    def find(self, digests: Sequence[str], text: str) -> Item | None:
        """The item whose pictures arrived; the question decides between items that share a picture."""
        if not digests:
            return next((item for prompt, item in self._by_text.items() if prompt in text), None)
        sharing = self._by_first.get(digests[0], [])
        matching = [i for i in sharing if [image.sha256 for image in i.images] == list(digests)]
        if len(matching) > 1:
            matching = [item for item in matching if item.prompt in text]
        return matching[0] if matching else None
