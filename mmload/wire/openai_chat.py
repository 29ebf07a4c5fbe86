"""OpenAI chat completions: the request with images as data URLs, and its answer, streamed or whole.

Source: OpenAI API reference, "Create chat completion" and "chat.completion.chunk". Servers differ;
what is taken as success: a ``finish_reason`` without ``[DONE]``; usage in a last chunk without
choices, in a chunk with a choice, or nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from mmload.model import ErrorKind, Item
from mmload.native import cut
from mmload.wire import Usage
from mmload.wire.collected import Collected, Events, Whole, as_text, error_detail
from mmload.wire.model_api import ModelApi, data_url
from mmload.wire.sse import EventStream


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any = None


_usage: Final[Callable[[tuple[int | None, ...]], Usage]] = partial(tuple.__new__, Usage)
_decode = msgspec.json.Decoder(_Body).decode


class _Collected(Collected):
    """What a chunk or a whole completion says."""

    __slots__ = ()

    def _take(self, payload: bytes) -> int:
        body = self._decoded(_decode, payload)
        if body is None:
            return 0
        if body.error is not None:
            self._fail(ErrorKind.API_ERROR_IN_STREAM, error_detail(payload))
            return 0
        if body.model:
            self.model = body.model
        if (u := body.usage) is not None:
            cached = u.prompt_tokens_details.cached_tokens if u.prompt_tokens_details else None
            self.usage = _usage((u.prompt_tokens, u.completion_tokens, cached))
        if not body.choices:
            return 0
        choice = body.choices[0]
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        message = choice.delta or choice.message
        if message is None:
            return 0
        if message.reasoning_content or message.reasoning:
            self.reasoning_events += 1
        if message.tool_calls:
            calls = [call.function.arguments for call in message.tool_calls if call.function]
            self._tool_call("".join([arguments for arguments in calls if arguments]))
        content = message.content or message.refusal
        if isinstance(content, list):
            content = "".join(as_text(part.get("text") or "") for part in content)
        return self._content(content) if content else 0


class _Run(NamedTuple):
    """What is the same in every event of a stretch of content: all but the text itself."""

    head: bytes
    tail: bytes


_PROBE: Final = "probe of the form"
_plain = re.compile(rb'[^"\\\x00-\x1f]*').fullmatch
"""Text that stands in JSON as it is."""
_LOOKS: Final = 32
"""Events of an answer that are looked at for their form; servers that change it all the time have none."""


class StreamReader(Events, _Collected):
    """A streamed answer.

    Decoding the JSON of every event would be the largest cost of streaming. Most events differ in their text
    only, and that is found out from the first: put another text in its place, and nothing else that is read
    from it changes. From then on events of that form are cut, not decoded; all others are decoded.
    """

    __slots__ = ("_looks", "_run")
    _events: EventStream

    def __init__(self) -> None:
        super().__init__()
        self._run: _Run | None = None
        self._looks = _LOOKS

    def feed(self, data: bytes) -> int:
        content, run = 0, self._run
        if run is None and self._looks:
            content, data = self._look(data)
            run = self._run
        if run is not None and data and self._events.between_events:
            text, events, size = cut(data, run.head, run.tail)
            if events:
                self._text.append(text)
                self.content_events += events
                content += events
                data = data[size:]
            elif not data.startswith(run.head):
                self._run = None
        return content + self._payloads(self._events.feed(data)) if data else content

    def _look(self, data: bytes) -> tuple[int, bytes]:
        """Decode the first events one by one until one shows the form, so that those behind it are cut."""
        content = 0
        while self._run is None and self._looks and (end := data.find(b"\n\n") + 2) > 1:
            self._looks -= 1
            content += self._payloads(self._events.feed(data[:end]))
            data = data[end:]
        return content, data

    def _payloads(self, payloads: list[bytes]) -> int:
        content = 0
        for payload in payloads:
            if payload == b"[DONE]":
                self.done = True
            elif payload:
                before = self._seen()
                if self._take(payload):
                    content += 1
                    if self._run is None and self._looks and before == self._seen():
                        self._run = _form(payload, self._text[-1])
        return content

    def _seen(self) -> tuple[object, ...]:
        """All that an event may change but the content."""
        return self.usage, self.finish_reason, self.reasoning_events, self.tool_call_events, self.error


def _form(payload: bytes, text: str) -> _Run | None:
    """The form of a content event whose content is ``text``, if its text can be exchanged safely."""
    raw = text.encode()
    for key in (b'"content":"', b'"content": "'):
        head, found, tail = payload.partition(key + raw + b'"')
        if found and b"\n" not in payload and _plain(raw):
            probe = _Collected()
            probe._take(head + key + _PROBE.encode() + b'"' + tail)
            if probe.text == _PROBE and probe.content_events == 1 and not probe.error:
                return _Run(b"data: " + head + key, b'"' + tail + b"\n\n")
    return None


class WholeReader(Whole, _Collected):
    """An answer in one piece of JSON."""

    __slots__ = ()


class OpenAIChat(ModelApi):
    """Adapter for ``/chat/completions``."""

    path = "/chat/completions"
    streaming: ClassVar[dict[str, Any]] = {"stream": True, "stream_options": {"include_usage": True}}
    stream_reader = StreamReader
    whole_reader = WholeReader

    @staticmethod
    def asked(item: Item, images: Sequence[bytes]) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": item.prompt}]
        for meta, raw in zip(item.images, images, strict=True):
            content.append({"type": "image_url", "image_url": {"url": data_url(meta, raw)}})
        return {"role": "user", "content": content}

    def body(self, item: Item, turns: list[dict[str, Any]]) -> dict[str, Any]:
        system = [{"role": "system", "content": item.system}] if item.system else []
        return {"model": self.model, "messages": [*system, *turns]}
