"""OpenAI chat completions: the request with images as data URLs, and its answer, streamed or whole.

Source: OpenAI API reference, "Create chat completion" and "chat.completion.chunk". Servers differ;
what is taken as success: a ``finish_reason`` without ``[DONE]``; usage in a last chunk without
choices, in a chunk with a choice, or nowhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

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


class _Run(NamedTuple):
    """What is the same in every event of a stretch of content: all but the text itself."""

    head: bytes
    tail: bytes

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Texts of the events of this form with which ``data`` begins, and what is left of it."""
        head, tail = self
        texts = data[len(head) :].split(tail + head)
        text, end, rest = texts.pop().partition(tail)
        if end:
            texts.append(text)
        else:
            rest = head + text
        return texts, rest


_PROBE: Final = "probe of the form"
_plain = re.compile(rb'[^"\\\x00-\x1f]*').fullmatch
"""Text that stands in JSON as it is."""
_LOOKS: Final = 32
"""Events of an answer that are looked at for their form; servers that change it all the time have none."""


class StreamReader(_Collected):
    """A streamed answer.

    Decoding the JSON of every event would be the largest cost of streaming. Most events differ in their text
    only, and that is found out from the first: put another text in its place, and nothing else that is read
    from it changes. From then on events of that form are cut, not decoded; all others are decoded.
    """

    __slots__ = ("_events", "_looks", "_run", "done")
    _malformed = ErrorKind.MALFORMED_SSE

    def __init__(self) -> None:
        super().__init__()
        self._events = EventStream()
        self._run: _Run | None = None
        self._looks = _LOOKS
        self.done = False

    def feed(self, data: bytes) -> int:
        content = 0
        if self._run is None and self._looks:
            content, data = self._look(data)
        if self._run is not None and data and self._events.between_events:
            count, data = self._cut(self._run, data)
            content += count
        return content + self._payloads(self._events.feed(data)) if data else content

    def _look(self, data: bytes) -> tuple[int, bytes]:
        """Decode the first events one by one until one shows the form, so that those behind it are cut."""
        content = 0
        while self._run is None and self._looks and (end := data.find(b"\n\n") + 2) > 1:
            self._looks -= 1
            content += self._payloads(self._events.feed(data[:end]))
            data = data[end:]
        return content, data

    def _cut(self, run: _Run, data: bytes) -> tuple[int, bytes]:
        """Take the events of the known form; how many they were, and what is left for decoding."""
        if not data.startswith(run.head):
            self._run = None
            return 0, data
        texts, rest = run.split(data)
        joined = b"".join(texts)
        if not all(texts) or not _plain(joined):
            return 0, data
        try:
            text = joined.decode() if joined.isascii() else "".join([t.decode() for t in texts])
        except UnicodeDecodeError:
            return 0, data
        if texts:
            self._text.append(text)
            self.content_events += len(texts)
        return len(texts), rest

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

    def close(self) -> None:
        self._payloads(self._events.close())
        if not self.done and not self.finish_reason:
            self._fail(ErrorKind.TRUNCATED_STREAM, "the stream ended with neither finish_reason nor [DONE]")
        self._judge()


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
