"""OpenAI chat completions as the practice target writes them. Bytes out, no I/O.

Written apart from the client's own adapters on purpose: an error of one must not hide in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mmload.serve import chat
from mmload.serve.chat import ApiError, Ask
from mmload.serve.tongues import Speaker, Usage

DONE = b"data: [DONE]\n\n"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the answer to one request."""

    id: str
    created: int
    model: str
    tool: str | None = None
    """Function that is called with the answer, instead of saying it."""
    include_usage: bool = False

    def whole(self, text: str, finish: str, usage: Usage) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if self.tool:
            message |= {"content": None, "tool_calls": [self._call(text)]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return self._encode("chat.completion", choices=[choice], usage=_usage(usage))

    def opening(self, usage: Usage) -> bytes:
        if self.tool:
            call = {"index": 0} | self._call("")
            return self._event({"role": "assistant", "content": None, "tool_calls": [call]})
        return self._event({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        if self.tool:
            return self._event({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
        return self._event({"content": text})

    def closing(self, text: str, finish: str, usage: Usage) -> bytes:
        tail = self._event({}, finish)
        if self.include_usage:
            billed = self._encode("chat.completion.chunk", choices=[], usage=_usage(usage))
            tail += b"data: " + billed + b"\n\n"
        return tail + DONE

    def broken(self, error: ApiError) -> bytes:
        return b"data: " + error.body() + b"\n\n" + DONE

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


class Chat:
    """``/v1/chat/completions``."""

    def parse(self, body: bytes, models: Sequence[str] | None) -> Ask:
        return chat.parse(body, models)

    def speaker(self, number: int, created: int, model: str, ask: Ask) -> Speaker:
        return Writer(f"chatcmpl-{number}", created, model, ask.tool, ask.include_usage)

    def refusal(self, error: ApiError) -> bytes:
        return error.body()
