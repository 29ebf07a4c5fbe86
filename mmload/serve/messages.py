"""Anthropic messages as the practice target reads and writes them. Bytes in and out, no I/O.

Written apart from the client's own adapter on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mmload.serve.chat import ApiError, Ask, Said, asking, known_model, read_object, typed
from mmload.serve.tongues import Speaker, Usage, sse

_KINDS: Final = {400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large",
                 429: "rate_limit_error"}  # fmt: skip
_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class Messages:
    """``/v1/messages``."""

    def parse(self, body: bytes, models: Sequence[str] | None) -> Ask:
        data = read_object(body)
        model = known_model(data, models)
        limit = typed(data, "max_tokens", int, None)
        if limit is None or limit < 1:
            raise ApiError(400, "max_tokens: a number of at least 1 is required", param="max_tokens")
        said = [Said("system", "\n".join(_system(data.get("system"))), ())]
        for number, message in enumerate(_list(data, "messages")):
            where = f"messages[{number}]"
            if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
                raise ApiError(400, f"{where}.role: must be user or assistant", param=where)
            texts, images = list[str](), list[str]()
            _content(message.get("content"), where, texts, images)
            said.append(Said(message["role"], "\n".join(texts), tuple(images)))
        structured = bool(data.get("output_config") or data.get("output_format"))
        return asking(
            data,
            model,
            said,
            include_usage=True,
            max_tokens=int(limit),
            structured=structured,
            tool=_tool(data),
        )

    def speaker(self, number: int, created: int, model: str, ask: Ask) -> Speaker:
        return _Speaker(f"msg_{number}", model, ask.tool)

    def refusal(self, error: ApiError) -> bytes:
        return msgspec.json.encode(_error(error))


def _error(error: ApiError) -> dict[str, Any]:
    kind = _KINDS.get(error.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": str(error)}}


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    if not isinstance(found, list) or not found:
        raise ApiError(400, f"{key}: must be a list with at least one entry", param=key)
    return found


def _system(system: Any) -> Iterator[str]:
    if isinstance(system, str):
        yield system
    for block in system if isinstance(system, list) else ():
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            yield block["text"]


def _content(content: Any, where: str, texts: list[str], images: list[str]) -> None:
    if isinstance(content, str):
        texts.append(content)
        return
    if not isinstance(content, list):
        raise ApiError(400, f"{where}.content: must be a string or a list of blocks", param=where)
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
        elif kind == "image":
            images.append(_image(block.get("source"), where))
        elif kind == "tool_result":
            _content(block.get("content", ""), where, texts, images)
        elif kind != "tool_use":
            raise ApiError(400, f"{where}.content: a block is neither text, image nor tool", param=where)


def _image(source: Any, where: str) -> str:
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise ApiError(400, f"{where}: images are taken as base64; nothing is fetched", param=where)
    kind, data = source.get("media_type"), source.get("data")
    if not isinstance(kind, str) or not kind.startswith("image/") or not isinstance(data, str):
        raise ApiError(400, f"{where}: an image needs a media_type and data", param=where)
    return f"data:{kind};base64,{data}"


def _tool(data: Mapping[str, Any]) -> str | None:
    names = [tool.get("name") for tool in typed(data, "tools", list, []) if isinstance(tool, dict)]
    choice = typed(data, "tool_choice", dict, {})
    if choice.get("type") == "tool":
        if choice.get("name") not in names:
            raise ApiError(400, f"tool_choice names no tool: {choice.get('name')!r}", param="tool_choice")
        return str(choice["name"])
    return str(names[0]) if names and choice.get("type") != "none" else None


@dataclass(frozen=True, slots=True)
class _Speaker:
    id: str
    model: str
    tool: str | None

    def whole(self, text: str, finish: str, usage: Usage) -> bytes:
        block = self._block(text)
        if self.tool:
            block["input"] = _input(text)
        return msgspec.json.encode(self._message([block], _STOPS[finish], usage, usage.completion))

    def opening(self, usage: Usage) -> bytes:
        start = {"type": "message_start", "message": self._message([], None, usage, 1)}
        block = {"type": "content_block_start", "index": 0, "content_block": self._block("")}
        return _event(start) + _event(block)

    def delta(self, text: str) -> bytes:
        said = {"type": "text_delta", "text": text}
        if self.tool:
            said = {"type": "input_json_delta", "partial_json": text}
        return _event({"type": "content_block_delta", "index": 0, "delta": said})

    def closing(self, text: str, finish: str, usage: Usage) -> bytes:
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": _STOPS[finish], "stop_sequence": None},
            "usage": {"output_tokens": usage.completion},
        }
        stop = {"type": "content_block_stop", "index": 0}
        return _event(stop) + _event(delta) + _event({"type": "message_stop"})

    def broken(self, error: ApiError) -> bytes:
        return _event(_error(error))

    def _block(self, text: str) -> dict[str, Any]:
        if self.tool:
            return {"type": "tool_use", "id": f"toolu_{self.id}", "name": self.tool, "input": {}}
        return {"type": "text", "text": text}

    def _message(
        self, content: list[dict[str, Any]], stop: str | None, usage: Usage, output: int
    ) -> dict[str, Any]:
        """Cached tokens stand apart from the others, as this protocol has it."""
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.prompt - usage.cached,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": usage.cached,
                "output_tokens": output,
            },
        }


def _event(event: dict[str, Any]) -> bytes:
    return sse(event, event["type"])


def _input(text: str) -> Any:
    """Arguments of a tool are an object here; an answer that is none comes under a key."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": text}
