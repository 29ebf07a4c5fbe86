"""Anthropic messages: the request with images as base64 blocks, and its answer, streamed or whole.

Source: Anthropic API reference, "Create a Message" and "Streaming Messages". Its ``input_tokens`` leave out
what was read from the cache or written to it; ``Usage.tokens_in`` is the sum of all three, as other protocols
bill it, and ``tokens_cached`` what was read from the cache.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mmload.model import ErrorKind, Item
from mmload.wire import Usage
from mmload.wire.collected import MIME, Collected, Events, Whole, as_text, error_detail
from mmload.wire.model_api import ModelApi

API_VERSION: Final = "2026-10-21"


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None

    def update(self, later: _Usage) -> None:
        """Counts are cumulative: what a later event tells takes the place of what an earlier one did."""
        for field in self.__struct_fields__:
            if (value := getattr(later, field)) is not None:
                setattr(self, field, value)

    def billed(self) -> Usage:
        fresh, written, read = (
            self.input_tokens,
            self.cache_creation_input_tokens,
            self.cache_read_input_tokens,
        )
        total = None if fresh is None else fresh + (written or 0) + (read or 0)
        return Usage(total, self.output_tokens, read)


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    input: Any = None


class _Message(msgspec.Struct):
    type: str = ""
    content: list[_Block] | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: Any = None


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | str | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


_decode_message = msgspec.json.Decoder(_Message).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_TOOLS: Final = ("tool_use", "server_tool_use")
_THINKING: Final = ("thinking", "redacted_thinking")


class StreamReader(Events, Collected):
    """A streamed message."""

    __slots__ = ("_billed",)

    def __init__(self) -> None:
        super().__init__()
        self._billed = _Usage()

    def _take(self, payload: bytes) -> int:
        event = self._decoded(_decode_event, payload)
        if event is None:
            return 0
        if event.type == "content_block_delta" and event.delta is not None:
            return self._delta(event.delta)
        if event.type == "content_block_start" and event.content_block is not None:
            return self._start(event.content_block)
        if event.type == "error" or event.error is not None:
            self._fail(ErrorKind.API_ERROR_IN_STREAM, error_detail(payload))
        elif event.type == "message_start" and isinstance(event.message, _Message):
            self.model = event.message.model or ""
            if event.message.usage is not None:
                # Its count of output is of what was sent so far, a token or two; never the bill.
                event.message.usage.output_tokens = None
                self._bill(event.message.usage)
        elif event.type == "message_delta":
            if event.delta is not None and event.delta.stop_reason:
                self.finish_reason = event.delta.stop_reason
            if event.usage is not None:
                self._bill(event.usage)
        elif event.type == "message_stop":
            self.done = True
        return 0

    def _bill(self, usage: _Usage) -> None:
        self._billed.update(usage)
        self.usage = self._billed.billed()

    def _start(self, block: _Block) -> int:
        """A block mostly begins empty; some servers put a first piece of text there."""
        if block.type in _TOOLS:
            self.tool_call_events += 1
        elif block.type == "redacted_thinking":
            self.reasoning_events += 1
        return self._content(block.text or "") if block.type == "text" else 0

    def _delta(self, delta: _Delta) -> int:
        if delta.type == "text_delta":
            return self._content(delta.text or "")
        if delta.type == "thinking_delta":
            self.reasoning_events += 1
        elif delta.type == "input_json_delta" and delta.partial_json:
            self._tool_call(delta.partial_json)
        return 0


class WholeReader(Whole, Collected):
    """A message in one piece of JSON."""

    __slots__ = ()

    def _take(self, payload: bytes) -> int:
        message = self._decoded(_decode_message, payload)
        if message is None:
            return 0
        if message.type == "error" or message.error is not None:
            self._fail(ErrorKind.API_ERROR_IN_STREAM, error_detail(payload))
            return 0
        self.model = message.model or ""
        self.finish_reason = message.stop_reason or ""
        if message.usage is not None:
            self.usage = message.usage.billed()
        blocks = message.content or ()
        for block in blocks:
            if block.type in _TOOLS:
                self._tool_call("" if block.input is None else as_text(block.input))
            elif block.type in _THINKING:
                self.reasoning_events += 1
        return self._content("".join([b.text or "" for b in blocks if b.type == "text"]))


class AnthropicMessages(ModelApi):
    """Adapter for ``/messages``. The protocol demands ``max_tokens``: ``extra`` gives it, else the item."""

    path = "/messages"
    stream_reader = StreamReader
    whole_reader = WholeReader

    @staticmethod
    def asked(item: Item, images: Sequence[bytes]) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for meta, raw in zip(item.images, images, strict=True):
            data = base64.b64encode(raw).decode()
            source = {"type": "base64", "media_type": MIME[meta.format], "data": data}
            content.append({"type": "image", "source": source})
        content.append({"type": "text", "text": item.prompt})
        return {"role": "user", "content": content}

    def body(self, item: Item, turns: list[dict[str, Any]]) -> dict[str, Any]:
        system = {"system": item.system} if item.system else {}
        return {"model": self.model, "max_tokens": item.max_tokens, "messages": turns, **system}

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """As the official client sends them, and the key also where older servers and gateways look for it.

        ``anthropic-version`` may be another by ``target.headers``, which come after these.
        """
        key = {"x-api-key": api_key} if api_key else {}
        return {"anthropic-version": API_VERSION, **super().headers(api_key), **key}
