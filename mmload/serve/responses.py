"""OpenAI responses as the practice target reads and writes them. Bytes in and out, no I/O.

Written apart from the client's own adapter on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mmload.serve.chat import (
    MAX_TOKENS,
    ApiError,
    Ask,
    Said,
    asking,
    data_url,
    known_model,
    read_object,
    typed,
)
from mmload.serve.tongues import Speaker, Usage, sse


class Responses:
    """``/v1/responses``."""

    def parse(self, body: bytes, models: Sequence[str] | None) -> Ask:
        data = read_object(body)
        model = known_model(data, models)
        said = [Said("system", typed(data, "instructions", str, ""), ())]
        asked = data.get("input")
        if isinstance(asked, str):
            said.append(Said("user", asked, ()))
        elif isinstance(asked, list) and asked:
            said += [_entry(entry, f"input[{number}]") for number, entry in enumerate(asked)]
        else:
            raise ApiError(400, "input must be a string or a list of items", param="input")
        form = typed(typed(data, "text", dict, {}), "format", dict, {}).get("type", "text")
        limit = typed(data, "max_output_tokens", int, MAX_TOKENS)
        if limit < 1:
            raise ApiError(400, "max_output_tokens must be at least 1", param="max_output_tokens")
        return asking(
            data,
            model,
            said,
            include_usage=True,
            max_tokens=int(limit),
            structured=form != "text",
            tool=_tool(data),
        )

    def speaker(self, number: int, created: int, model: str, ask: Ask) -> Speaker:
        return _Speaker(str(number), created, model, ask.tool)

    def refusal(self, error: ApiError) -> bytes:
        return error.body()


def _entry(entry: Any, where: str) -> Said:
    if not isinstance(entry, dict):
        raise ApiError(400, f"{where} must be an object", param=where)
    role, content = str(entry.get("role", "user")), entry.get("content")
    if entry.get("type", "message") != "message":
        return Said(role, "", ())
    if isinstance(content, str):
        return Said(role, content, ())
    texts, images = list[str](), list[str]()
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("input_text", "output_text") and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "input_image":
            images.append(data_url(part.get("image_url"), where))
        else:
            raise ApiError(400, f"{where} has a part that is neither input_text nor input_image", param=where)
    return Said(role, "\n".join(texts), tuple(images))


def _tool(data: Mapping[str, Any]) -> str | None:
    names = [tool.get("name") for tool in typed(data, "tools", list, []) if isinstance(tool, dict)]
    choice = data.get("tool_choice")
    if isinstance(choice, dict):
        if choice.get("name") not in names:
            raise ApiError(400, f"tool_choice names no tool: {choice.get('name')!r}", param="tool_choice")
        return str(choice["name"])
    return str(names[0]) if names and choice != "none" else None


@dataclass(slots=True)
class _Speaker:
    number: str
    created: int
    model: str
    tool: str | None
    _sequence: int = field(default=0, init=False)

    def whole(self, text: str, finish: str, usage: Usage) -> bytes:
        return msgspec.json.encode(self._response(text, finish, usage))

    def opening(self, usage: Usage) -> bytes:
        started = self._response(None, "stop", None)
        item = self._item("", "in_progress")
        out = self._event("response.created", response=started)
        out += self._event("response.in_progress", response=started)
        if self.tool:
            return out + self._event("response.output_item.added", output_index=0, item=item)
        item["content"] = []
        out += self._event("response.output_item.added", output_index=0, item=item)
        return out + self._event("response.content_part.added", **self._place(), part=_part(""))

    def delta(self, text: str) -> bytes:
        if self.tool:
            place = {"item_id": self._id, "output_index": 0}
            return self._event("response.function_call_arguments.delta", **place, delta=text)
        return self._event("response.output_text.delta", **self._place(), delta=text, logprobs=[])

    def closing(self, text: str, finish: str, usage: Usage) -> bytes:
        item = self._item(text, "completed")
        if self.tool:
            place = {"item_id": self._id, "output_index": 0, "name": self.tool}
            out = self._event("response.function_call_arguments.done", **place, arguments=text)
        else:
            out = self._event("response.output_text.done", **self._place(), text=text, logprobs=[])
            out += self._event("response.content_part.done", **self._place(), part=_part(text))
        out += self._event("response.output_item.done", output_index=0, item=item)
        name = "response.incomplete" if finish == "length" else "response.completed"
        return out + self._event(name, response=self._response(text, finish, usage))

    def broken(self, error: ApiError) -> bytes:
        return self._event("error", code=error.code, message=str(error), param=error.param)

    @property
    def _id(self) -> str:
        return f"{'fc' if self.tool else 'msg'}_{self.number}"

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": 0, "content_index": 0}

    def _item(self, text: str, status: str) -> dict[str, Any]:
        if self.tool:
            call = {"call_id": f"call_{self.number}", "name": self.tool, "arguments": text}
            return {"type": "function_call", "id": self._id, "status": status, **call}
        said = {"role": "assistant", "content": [_part(text)]}
        return {"type": "message", "id": self._id, "status": status, **said}

    def _response(self, text: str | None, finish: str, usage: Usage | None) -> dict[str, Any]:
        cut = finish == "length"
        return {
            "id": f"resp_{self.number}",
            "object": "response",
            "created_at": self.created,
            "status": "in_progress" if text is None else "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": [] if text is None else [self._item(text, "completed")],
            "parallel_tool_calls": False,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None if usage is None else _usage(usage),
        }

    def _event(self, kind: str, **rest: Any) -> bytes:
        self._sequence += 1
        return sse({"type": kind, "sequence_number": self._sequence, **rest}, kind)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    }
