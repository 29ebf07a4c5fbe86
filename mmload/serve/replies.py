"""OpenAI chat completions as the practice target writes them. Bytes out, no I/O.

Written apart from the client's own adapters on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int
    cached: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the answer to one request."""

    id: str
    created: int
    model: str
    tool: str | None = None
    """Function that is called with the answer, instead of saying it."""

    def whole(self, text: str, finish: str, usage: Usage) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if self.tool:
            message |= {"content": None, "tool_calls": [self._call(text)]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return self._encode("chat.completion", choices=[choice], usage=usage.as_dict())

    def role(self) -> bytes:
        if self.tool:
            call = {"index": 0} | self._call("")
            return self._event({"role": "assistant", "content": None, "tool_calls": [call]})
        return self._event({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        if self.tool:
            return self._event({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
        return self._event({"content": text})

    def finish(self, reason: str) -> bytes:
        return self._event({}, reason)

    def usage(self, usage: Usage) -> bytes:
        return b"data: " + self._encode("chat.completion.chunk", choices=[], usage=usage.as_dict()) + b"\n\n"

    def _call(self, arguments: str) -> dict[str, Any]:
        return {
            "id": f"call-{self.id}",
            "type": "function",
            "function": {"name": self.tool, "arguments": arguments},
        }

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + self._encode("chat.completion.chunk", choices=[choice]) + b"\n\n"

    def _encode(self, kind: str, **rest: Any) -> bytes:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return msgspec.json.encode(head | rest)


DONE = b"data: [DONE]\n\n"
