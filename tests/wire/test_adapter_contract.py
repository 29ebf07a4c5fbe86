"""The contract test that plug-in writers get: the built-in adapters keep it, and broken ones are caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from wire.test_template import EVENTS, JSON_FILE, PARTS_FILE, framed, make
from wire.transcripts import (
    CHAT_STREAM,
    CHAT_WHOLE,
    MESSAGES_STREAM,
    MESSAGES_TOOL_STREAM,
    MESSAGES_WHOLE,
    RESPONSES_STREAM,
    RESPONSES_WHOLE,
)

from mmload import plugins
from mmload.model import Item
from mmload.testing import check_adapter
from mmload.wire import Reader
from mmload.wire.openai_chat import OpenAIChat, StreamReader

ANSWERS = {
    "openai-chat": ([CHAT_STREAM], [CHAT_WHOLE]),
    "openai-responses": ([RESPONSES_STREAM], [RESPONSES_WHOLE]),
    "anthropic-messages": ([MESSAGES_STREAM, MESSAGES_TOOL_STREAM], [MESSAGES_WHOLE]),
}


def test_every_built_in_adapter_is_checked_here() -> None:
    assert {*ANSWERS, "template"} == set(plugins.names("wire"))


@pytest.mark.parametrize("name", ANSWERS)
def test_every_built_in_adapter_keeps_the_contract(name: str) -> None:
    make_adapter: Any = plugins.get("wire", name)
    check_adapter(make_adapter("m", {"temperature": 0}), *ANSWERS[name])


@pytest.mark.parametrize("form", ["sse", "json-lines"])
def test_a_template_of_json_keeps_the_contract(form: str, tmp_path: Path) -> None:
    adapter = make(tmp_path, JSON_FILE.replace("FORMAT", form))
    check_adapter(adapter, [framed(adapter, EVENTS)], [b'{"result":{"answer":"yes"}}'])


def test_a_template_of_parts_keeps_the_contract(tmp_path: Path) -> None:
    check_adapter(make(tmp_path, PARTS_FILE), (), [b'{"text":"yes"}'], streams=False)


class Impatient(StreamReader):
    """Takes each piece for a whole event."""

    __slots__ = ()

    def feed(self, data: bytes) -> int:
        return super().feed(data + b"\n\n")


class LosesTheSecondImage(OpenAIChat):
    def encode(self, item: Item, images: Sequence[bytes], stream: bool) -> bytes:
        return super().encode(item, [*images[:1], *[b"" for _ in images[1:]]], stream)


class ForgetsTheKey(OpenAIChat):
    def headers(self, api_key: str | None) -> Mapping[str, str]:
        return {}


class ReadsImpatiently(OpenAIChat):
    def reader(self, stream: bool) -> Reader:
        return Impatient() if stream else super().reader(False)


class TakesAnyEnd(OpenAIChat):
    def reader(self, stream: bool) -> Reader:
        reader = super().reader(True)
        reader.feed(CHAT_STREAM)
        return reader


class Draws(OpenAIChat):
    drawn = 0

    def encode(self, item: Item, images: Sequence[bytes], stream: bool) -> bytes:
        self.drawn += 1
        return super().encode(item, images, stream) + b" " * self.drawn


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (LosesTheSecondImage, "neither as it is nor in base64"),
        (ForgetsTheKey, "must stand in a header"),
        (ReadsImpatiently, "must not depend on the cut"),
        (TakesAnyEnd, "must tell of nothing"),
        (Draws, "the same bytes each time"),
    ],
)
def test_a_broken_adapter_is_told_what_the_contract_wants(
    broken: Callable[[str], OpenAIChat], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        check_adapter(broken("m"), [CHAT_STREAM], [CHAT_WHOLE])
