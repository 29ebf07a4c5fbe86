"""OpenAI chat completions as the practice target reads them. Bytes in, no I/O.

Written apart from the client's own adapters on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

MAX_IMAGES = 16
MAX_TOKENS = 1024


class ApiError(Exception):
    """An answer in OpenAI's error format."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    def body(self) -> bytes:
        error = {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})


class Said(NamedTuple):
    """One message."""

    role: str
    text: str
    """Its texts, joined by newlines."""
    images: tuple[str, ...]
    """Data URLs as they came, in order."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One chat request, validated."""

    model: str
    text: str
    """All text of all messages, joined by newlines."""
    images: tuple[str, ...]
    """Data URLs as they came, in order."""
    stream: bool
    include_usage: bool
    max_tokens: int
    wants_envelope: bool
    """A JSON answer was asked for, by ``response_format`` or in words."""
    tool: str | None = None
    """The function that the answer must call: the one chosen by the client, or its first."""
    history: tuple[Said, ...] = ()
    """Messages up to the last answer: what was said before in the conversation."""
    question: str = ""
    """Text after the last answer; empty where nothing was said before."""

    @property
    def asked(self) -> str:
        """The text that is to be answered now."""
        return self.question if self.history else self.text

    @property
    def subject(self) -> slice:
        """Which of the images are asked about: those after the last answer, else those shown last."""
        before = [len(said.images) for said in self.history]
        shown = sum(before)
        if shown < len(self.images) or not shown:
            return slice(shown, None)
        while not before[-1]:
            before.pop()
        return slice(shown - before[-1], None)


def asking(
    data: Mapping[str, Any],
    model: str,
    said: Sequence[Said],
    *,
    include_usage: bool,
    max_tokens: int,
    structured: bool,
    tool: str | None,
) -> Ask:
    """The request that the messages make, in any protocol. Raises ApiError 400 for too many images."""
    images = tuple(image for one in said for image in one.images)
    if len(images) > MAX_IMAGES:
        raise ApiError(400, f"at most {MAX_IMAGES} images are taken, found {len(images)}", param="messages")
    answered = max((n for n, one in enumerate(said, 1) if one.role == "assistant"), default=0)
    text = joined(said)
    return Ask(
        model=model,
        text=text,
        images=images,
        stream=bool(typed(data, "stream", bool, False)),
        include_usage=include_usage,
        max_tokens=max_tokens,
        wants_envelope=structured or "insufficient_evidence" in text,
        tool=tool,
        history=tuple(said[:answered]),
        question=joined(said[answered:]) if answered else "",
    )


def joined(said: Sequence[Said]) -> str:
    """Their texts by newlines, without those that have none."""
    return "\n".join([one.text for one in said if one.text])


def parse(body: bytes, models: Sequence[str] | None) -> Ask:
    """Raises ApiError 400 for a bad request, 404 for a model not in ``models`` (None: any will do)."""
    data = read_object(body)
    model = known_model(data, models)
    said = _messages(data.get("messages"))
    options = typed(data, "stream_options", dict, {})
    if options and not typed(data, "stream", bool, False):
        raise ApiError(400, "stream_options needs stream: true", param="stream_options")
    if typed(data, "n", int, 1) != 1:
        raise ApiError(400, "only n = 1 is served", param="n")
    return asking(
        data,
        model,
        said,
        include_usage=bool(options.get("include_usage")),
        max_tokens=_max_tokens(data),
        structured=_structured(data),
        tool=_tool(data),
    )


def read_object(body: bytes) -> dict[str, Any]:
    """Raises ApiError 400 for what is no JSON object."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ApiError(400, "the body must be a JSON object")
    return data


def known_model(data: Mapping[str, Any], models: Sequence[str] | None) -> str:
    """Raises ApiError 400 without a model, 404 for one that is not served."""
    model = typed(data, "model", str, None)
    if model is None:
        raise ApiError(400, "you must provide a model parameter", param="model")
    if models is not None and model not in models:
        raise ApiError(404, f"the model {model!r} does not exist", param="model", code="model_not_found")
    return str(model)


def typed(data: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    """The value of a key, or ``default``. Raises ApiError 400 for another type."""
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ApiError(400, f"{key} must be of type {kind.__name__}", param=key)
    return value


def _max_tokens(data: Mapping[str, Any]) -> int:
    value = typed(data, "max_completion_tokens", int, typed(data, "max_tokens", int, MAX_TOKENS))
    if value < 1:
        raise ApiError(400, "max_tokens must be at least 1", param="max_tokens")
    return int(value)


def _structured(data: Mapping[str, Any]) -> bool:
    wanted = typed(data, "response_format", dict, {}).get("type", "text")
    if wanted not in ("text", "json_object", "json_schema"):
        raise ApiError(400, f"unknown response_format type {wanted!r}", param="response_format")
    return bool(wanted != "text")


def _tool(data: Mapping[str, Any]) -> str | None:
    names = []
    for tool in typed(data, "tools", list, []):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ApiError(400, "tools must be functions with a name", param="tools")
        names.append(function["name"])
    choice = data.get("tool_choice")
    if isinstance(choice, dict):
        function = choice.get("function")
        chosen = function.get("name") if isinstance(function, dict) else None
        if chosen not in names:
            raise ApiError(400, f"tool_choice names no tool: {chosen!r}", param="tool_choice")
        return str(chosen)
    if choice not in (None, "none", "auto", "required"):
        raise ApiError(400, f"unknown tool_choice {choice!r}", param="tool_choice")
    return names[0] if names and choice != "none" else None


def _messages(messages: Any) -> list[Said]:
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list with at least one message", param="messages")
    said = []
    for number, message in enumerate(messages):
        texts: list[str] = []
        images: list[str] = []
        where = f"messages[{number}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, f"{where} must be an object with a role", param=where)
        _content(message.get("content"), where, texts, images)
        said.append(Said(message["role"], "\n".join(texts), tuple(images)))
    return said


def _content(content: Any, where: str, texts: list[str], images: list[str]) -> None:
    if content is None:
        return
    if isinstance(content, str):
        texts.append(content)
        return
    if not isinstance(content, list):
        raise ApiError(400, f"{where}.content must be a string or a list of parts", param=where)
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            images.append(data_url(part["image_url"].get("url"), where))
        else:
            raise ApiError(400, f"{where}.content has a part that is neither text nor image_url", param=where)


def data_url(url: Any, where: str) -> str:
    """``url`` if it holds a picture in base64. Raises ApiError 400."""
    if not isinstance(url, str) or not url.startswith("data:image/"):
        raise ApiError(
            400, f"{where}: image_url.url must be a data:image/... URL; nothing is fetched", param=where
        )
    if ";base64," not in url[:64]:
        raise ApiError(400, f"{where}: the image's data URL must be base64", param=where)
    return url


def image_bytes(url: str) -> bytes:
    """Bytes of a base64 data URL. Raises ApiError 400."""
    try:
        return binascii.a2b_base64(url[url.index(",") + 1 :], strict_mode=True)
    except ValueError as error:
        raise ApiError(400, f"an image is not valid base64: {error}", param="messages") from None
