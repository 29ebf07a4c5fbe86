"""What the template of a custom pipeline may say of pictures and of earlier turns."""

from __future__ import annotations

import base64
from pathlib import PurePath

from mmload.model import ImageFile, Turn
from mmload.wire.collected import MIME


class Image:
    """What a template may say of an image."""

    def __init__(self, meta: ImageFile, raw: bytes) -> None:
        self.name = PurePath(meta.file).name
        self.format, self.width, self.height = meta.format, meta.width, meta.height
        self.mime = MIME[meta.format]
        self._raw = raw

    @property
    def base64(self) -> str:
        return base64.b64encode(self._raw).decode()

    @property
    def data_url(self) -> str:
        return f"data:{self.mime};base64,{self.base64}"


class Earlier:
    """What a template may say of an earlier turn of the session."""

    def __init__(self, turn: Turn) -> None:
        self.prompt, self.answer, self.system = turn.item.prompt, turn.answer, turn.item.system
        self.images = [Image(meta, raw) for meta, raw in zip(turn.item.images, turn.images, strict=True)]
