"""OpenAI responses: the request with images as data URLs, and its answer, streamed or whole.

Source: OpenAI API reference, "Create a model response" and "Streaming events". What is taken as success:
``completed``, and ``incomplete`` with content (cut by its token limit, as ``length`` of chat completions).
The whole response that the last event repeats is read for what no event before it has told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mmload.model import ErrorKind, Item
from mmload.wire import Usage
from mmload.wire.collected import Collected, Events, Whole, as_text, encode_json, error_detail
from mmload.wire.model_api import ModelApi, data_url


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Output(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None
    arguments: str | None = None
    input: str | None = None
    """Of a call of a custom tool."""


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    model: str | None = None
    output: list[_Output] | None = None
    usage: _Usage | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: Any = None
    """Text in all events that are read; some others hold an object."""
    response: _Response | None = None
    error: Any = None


_decode_response = msgspec.json.Decoder(_Response).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_CONTENT: Final = ("response.output_text.delta", "response.refusal.delta")
_REASONING: Final = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ARGUMENTS: Final = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")
_LAST: Final = ("response.completed", "response.incomplete", "response.failed")


class _Collected(Collected):
    """What a response says."""

    __slots__ = ()

    def _response(self, response: _Response) -> None:
        """All of a response but its output."""
        if response.model:
            self.model = response.model
        if (u := response.usage) is not None:
            cached = u.input_tokens_details.cached_tokens if u.input_tokens_details else None
            self.usage = Usage(u.input_tokens, u.output_tokens, cached)
        if response.error is not None or response.status == "failed":
            said = error_detail(encode_json({"error": response.error})) if response.error else "status failed"
            self._fail(ErrorKind.API_ERROR_IN_STREAM, said)
        if response.status == "incomplete":
            details = response.incomplete_details
            self.finish_reason = (details.reason if details else None) or "incomplete"
        elif response.status in ("completed", "failed", "cancelled"):
            self.finish_reason = response.status

    def _output(self, output: Sequence[_Output]) -> int:
        content = 0
        for part in output:
            if part.type == "reasoning":
                self.reasoning_events += 1
            elif part.type in ("function_call", "custom_tool_call"):
                self._tool_call(part.arguments or part.input or "")
            elif part.content:
                content += self._content("".join([p.text or p.refusal or "" for p in part.content]))
        return min(content, 1)


class StreamReader(Events, _Collected):
    """A streamed response."""

    __slots__ = ()

    def _take(self, payload: bytes) -> int:
        event = self._decoded(_decode_event, payload)
        if event is None:
            return 0
        kind = event.type
        if kind in _CONTENT:
            return self._content(as_text(event.delta)) if event.delta else 0
        if kind in _REASONING:
            self.reasoning_events += 1
        elif kind in _ARGUMENTS:
            self._tool_call(as_text(event.delta) if event.delta else "")
        elif kind == "error" or event.error is not None:
            self._fail(ErrorKind.API_ERROR_IN_STREAM, error_detail(payload))
        elif event.response is not None:
            return self._progress(kind, event.response)
        return 0

    def _progress(self, kind: str, response: _Response) -> int:
        if kind in _LAST:
            self.done = True
        elif kind == "response.created" and response.model:
            self.model = response.model
            return 0
        self._response(response)
        if self.done and not self._text and not self._tool_arguments and response.output:
            return self._output(response.output)
        return 0


class WholeReader(Whole, _Collected):
    """A response in one piece of JSON."""

    __slots__ = ()

    def _take(self, payload: bytes) -> int:
        response = self._decoded(_decode_response, payload)
        if response is None:
            return 0
        self._response(response)
        return self._output(response.output or ())


class OpenAIResponses(ModelApi):
    """Adapter for ``/responses``."""

    path = "/responses"
    stream_reader = StreamReader
    whole_reader = WholeReader

    @staticmethod
    def asked(item: Item, images: Sequence[bytes]) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "input_text", "text": item.prompt}]
        for meta, raw in zip(item.images, images, strict=True):
            content.append({"type": "input_image", "detail": "auto", "image_url": data_url(meta, raw)})
        return {"role": "user", "content": content}

    def body(self, item: Item, turns: list[dict[str, Any]]) -> dict[str, Any]:
        system = {"instructions": item.system} if item.system else {}
        return {"model": self.model, "input": turns, **system}
