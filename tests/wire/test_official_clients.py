"""The official clients read the same bytes as the adapters, and their types accept the adapters' requests."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import message_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter
from wire.transcripts import (
    HISTORY,
    ITEM,
    MESSAGES_STREAM,
    MESSAGES_WHOLE,
    RESPONSES_STREAM,
    RESPONSES_WHOLE,
)

from mmload.wire import Adapter, Reader
from mmload.wire.anthropic_messages import AnthropicMessages
from mmload.wire.openai_responses import OpenAIResponses


def transport(body: bytes, kind: str, seen: list[httpx2.Request]) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=body, headers={"content-type": kind})

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def read(adapter: Adapter, body: bytes, stream: bool) -> Reader:
    reader = adapter.reader(stream)
    reader.feed(body)
    reader.close()
    return reader


@pytest.mark.parametrize("stream", [True, False])
def test_the_openai_client_reads_a_response_as_the_adapter_does(stream: bool) -> None:
    adapter = OpenAIResponses("m")
    body, kind = (RESPONSES_STREAM, "text/event-stream") if stream else (RESPONSES_WHOLE, "application/json")
    seen: list[httpx2.Request] = []
    client = openai.OpenAI(api_key="k", base_url="http://t/v1", http_client=transport(body, kind, seen))
    sent = json.loads(adapter.encode(ITEM, [b"png", b"jpeg"], stream))
    got: Any = client.responses.create(**sent)
    if stream:
        events = list(got)
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        got = events[-1].response
        assert text == got.output_text
    reader = read(adapter, body, stream)
    usage = (got.usage.input_tokens, got.usage.output_tokens, got.usage.input_tokens_details.cached_tokens)
    assert (reader.text, reader.usage, reader.model) == (got.output_text, usage, got.model)
    assert json.loads(seen[0].content) == sent
    assert seen[0].url.path == f"/v1{adapter.path}"
    assert seen[0].headers["Authorization"] == adapter.headers("k")["Authorization"]


@pytest.mark.parametrize("stream", [True, False])
def test_the_anthropic_client_reads_a_message_as_the_adapter_does(stream: bool) -> None:
    adapter = AnthropicMessages("m")
    body, kind = (MESSAGES_STREAM, "text/event-stream") if stream else (MESSAGES_WHOLE, "application/json")
    seen: list[httpx2.Request] = []
    client = anthropic.Anthropic(api_key="k", base_url="http://t", http_client=transport(body, kind, seen))
    sent = json.loads(adapter.encode(ITEM, [b"png", b"jpeg"], stream))
    if stream:
        arguments = {key: value for key, value in sent.items() if key != "stream"}
        with client.messages.stream(**arguments) as streamed:
            got: Any = streamed.get_final_message()
    else:
        got = client.messages.create(**sent)
    reader = read(adapter, body, stream)
    usage = got.usage
    total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    assert reader.text == got.content[0].text
    assert reader.usage == (total, usage.output_tokens, usage.cache_read_input_tokens)
    assert (reader.model, reader.finish_reason) == (got.model, got.stop_reason)
    assert json.loads(seen[0].content) == sent
    assert seen[0].url.path == f"/v1{adapter.path}"
    for name in ("anthropic-version", "Authorization"):
        assert seen[0].headers[name] == adapter.headers("k")[name]


def test_the_clients_types_accept_the_requests() -> None:
    for adapter, whole, streamed in (
        (
            OpenAIResponses("m"),
            response_create_params.ResponseCreateParamsNonStreaming,
            response_create_params.ResponseCreateParamsStreaming,
        ),
        (
            AnthropicMessages("m"),
            message_create_params.MessageCreateParamsNonStreaming,
            message_create_params.MessageCreateParamsStreaming,
        ),
    ):
        for stream, kind in ((False, whole), (True, streamed)):
            accepts: TypeAdapter[Any] = TypeAdapter(kind)
            for history in ((), HISTORY):
                accepts.validate_json(adapter.encode(ITEM, [b"png", b"jpeg"], stream, history))
