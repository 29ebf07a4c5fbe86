"""A task for benchmarks only: requests of an exact size, which no scorer looks at.

``prompt_tokens`` of the mix says the size: 16 is a question without a picture, any other number is the size
of the picture in kilobytes as it is sent (base64 of noise, which PNG cannot compress).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from PIL import Image

from mmload.model import Item, Score
from mmload.tasks import Drawn, Want

SMALL = 16


class Payload:
    name = "payload"
    version = "1"
    schema: Mapping[str, Any] = {"type": "object"}
    pairs = False
    want = Want

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        images = []
        if want.prompt_tokens != SMALL:
            pixels = want.prompt_tokens * 1000 * 3 // 4 // 3
            width = int(pixels**0.5)
            images = [
                Image.frombytes("RGB", (width, pixels // width), rng.randbytes(width * (pixels // width) * 3))
            ]
        return Drawn(images, "", f"What is {rng.randrange(10**6)}?", {}, [], True)

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        return Score(seq, item.index, self.name, True, 1.0, "strict", "answered", True)


MMLOAD_PLUGINS = {"tasks": {"payload": Payload}}
