"""What adapters have in common whose JSON body names a model and holds the turns of a conversation.

Not aware of how any one of them writes a turn or answers.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmload.model import ImageFile, Item, Turn
from mmload.wire import Reader
from mmload.wire.collected import MIME, encode_json, error_detail


class ModelApi(ABC):
    """``extra`` is merged into every request body: nothing is sent that the profile did not ask for, since
    some servers refuse fields that they do not know."""

    path: str
    version = "1"
    streaming: ClassVar[dict[str, Any]] = {"stream": True}
    """Fields that ask for a streamed answer."""
    stream_reader: type[Reader]
    whole_reader: type[Reader]

    def __init__(self, model: str, extra: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.extra = dict(extra or {})

    @staticmethod
    @abstractmethod
    def asked(item: Item, images: Sequence[bytes]) -> dict[str, Any]:
        """The user's turn."""

    @abstractmethod
    def body(self, item: Item, turns: list[dict[str, Any]]) -> dict[str, Any]:
        """The request for an answer to the last of ``turns``, which asks ``item``."""

    def encode(
        self, item: Item, images: Sequence[bytes], stream: bool, history: Sequence[Turn] = ()
    ) -> bytes:
        turns: list[dict[str, Any]] = []
        for turn in history:
            turns += [self.asked(turn.item, turn.images), {"role": "assistant", "content": turn.answer}]
        turns.append(self.asked(item, images))
        body = self.body(item, turns) | self.extra
        return encode_json(body | self.streaming if stream else body)

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def reader(self, stream: bool) -> Reader:
        return self.stream_reader() if stream else self.whole_reader()

    def error_detail(self, body: bytes) -> str:
        return error_detail(body)


def data_url(meta: ImageFile, raw: bytes) -> str:
    return f"data:{MIME[meta.format]};base64,{base64.b64encode(raw).decode()}"
