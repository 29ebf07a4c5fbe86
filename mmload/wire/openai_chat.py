"""OpenAI chat completions: the request with images as data URLs, and its answer, streamed or whole.

Source: OpenAI API reference, "Create chat completion" and "chat.completion.chunk". Servers differ;
what is taken as success: a ``finish_reason`` without ``[DONE]``; usage in a last chunk without
choices, in a chunk with a choice, or nowhere.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mmload.model import ErrorKind, Item
from mmload.wire import Reader, Usage
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


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode
_MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def error_detail(body: bytes) -> str:
    """What an error body says: OpenAI's ``error``, FastAPI's ``detail``, or plain text."""
    try:
        parsed = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body[:200].decode("utf-8", "replace")
    found = parsed
    if isinstance(parsed, dict):
        found = parsed.get("error", parsed.get("detail", parsed.get("message", parsed)))
        if isinstance(found, dict):
            found = found.get("message", found)
    return (found if isinstance(found, str) else _encode(found).decode())[:200]


class _Collected:
    """What both readers gather."""

    _malformed = ErrorKind.MALFORMED_JSON

    __slots__ = (
        "_text",
        "_tool_arguments",
        "content_events",
        "detail",
        "error",
        "finish_reason",
        "model",
        "reasoning_events",
        "tool_call_events",
        "usage",
    )

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tool_arguments: list[str] = []
        self.content_events = 0
        self.reasoning_events = 0
        self.tool_call_events = 0
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.model = ""
        self.error = ""
        self.detail = ""

    @property
    def text(self) -> str:
        """Content; the arguments of tool calls where the answer came as such."""
        return "".join(self._text) or "".join(self._tool_arguments)

    def _fail(self, kind: ErrorKind, detail: str) -> None:
        if not self.error:
            self.error, self.detail = kind, detail[:200]

    def _take(self, payload: bytes) -> int:
        """One JSON object of the target; returns 1 if it carried content."""
        try:
            body = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            try:
                payload.decode()
            except UnicodeDecodeError:
                self._fail(ErrorKind.INVALID_UTF8, str(e))
            else:
                self._fail(self._malformed, f"{e}: {payload[:120]!r}")
            return 0
        if body.error is not None:
            self._fail(ErrorKind.API_ERROR_IN_STREAM, error_detail(payload))
            return 0
        if body.model:
            self.model = body.model
        if (u := body.usage) is not None:
            cached = u.prompt_tokens_details.cached_tokens if u.prompt_tokens_details else None
            self.usage = Usage(u.prompt_tokens, u.completion_tokens, cached)
        return self._choice(body.choices[0]) if body.choices else 0

    def _choice(self, choice: _Choice) -> int:
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        message = choice.delta or choice.message
        if message is None:
            return 0
        if message.reasoning_content or message.reasoning:
            self.reasoning_events += 1
        if message.tool_calls:
            self.tool_call_events += 1
            for call in message.tool_calls:
                if call.function and call.function.arguments:
                    self._tool_arguments.append(call.function.arguments)
        content = message.content or message.refusal
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content)
        if not content:
            return 0
        self._text.append(content)
        self.content_events += 1
        return 1

    def _judge(self) -> None:
        if self.finish_reason == "content_filter":
            self._fail(ErrorKind.CONTENT_FILTER, "finish_reason content_filter")
        elif not self._text and not self._tool_arguments:
            self._fail(ErrorKind.EMPTY_RESPONSE, f"no content, finish_reason {self.finish_reason!r}")


class StreamReader(_Collected):
    """A streamed answer."""

    __slots__ = ("_events", "done")
    _malformed = ErrorKind.MALFORMED_SSE

    def __init__(self) -> None:
        super().__init__()
        self._events = EventStream()
        self.done = False

    def feed(self, data: bytes) -> int:
        return self._payloads(self._events.feed(data))

    def _payloads(self, payloads: list[bytes]) -> int:
        content = 0
        for payload in payloads:
            if payload == b"[DONE]":
                self.done = True
            elif payload:
                content += self._take(payload)
        return content

    def close(self) -> None:
        self._payloads(self._events.close())
        if not self.done and not self.finish_reason:
            self._fail(ErrorKind.TRUNCATED_STREAM, "the stream ended with neither finish_reason nor [DONE]")
        self._judge()


class WholeReader(_Collected):
    """An answer in one piece of JSON."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> int:
        self._pieces.append(data)
        return 0

    def close(self) -> None:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if not body:
            self._fail(ErrorKind.EMPTY_RESPONSE, "empty body")
            return
        self._take(body)
        self._judge()


class OpenAIChat:
    """Adapter for ``/chat/completions``.

    ``extra`` is merged into every request body: nothing is sent that the profile did not ask for,
    since some servers refuse fields that they do not know.
    """

    path = "/chat/completions"

    def __init__(self, model: str, extra: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.extra = dict(extra or {})

    def encode(self, item: Item, images: Sequence[bytes], stream: bool) -> bytes:
        content: list[dict[str, Any]] = [{"type": "text", "text": item.prompt}]
        for meta, raw in zip(item.images, images, strict=True):
            url = f"data:{_MIME[meta.format]};base64,{base64.b64encode(raw).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if item.system:
            messages.insert(0, {"role": "system", "content": item.system})
        body: dict[str, Any] = {"model": self.model, "messages": messages, **self.extra}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return _encode(body)

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def reader(self, stream: bool) -> Reader:
        return StreamReader() if stream else WholeReader()

    def error_detail(self, body: bytes) -> str:
        return error_detail(body)
