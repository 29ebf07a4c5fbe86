"""The official ``openai`` client against the practice target: a judge that nobody here wrote."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from known_items import data_url, item, picture
from practice import practice

DATA = picture(mark="known")
KNOWN = item(1, DATA, xheight=40.0)
TOOL = {
    "type": "function",
    "function": {"name": "give_answer", "parameters": {"type": "object", "properties": {}}},
}
UNKNOWN = {"type": "function", "function": {"name": "nothing"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "envelope", "schema": {"type": "object"}}}


def messages(*images: bytes, text: str = KNOWN.prompt) -> list[Any]:
    parts: list[Any] = [{"type": "text", "text": text}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in images]
    return [{"role": "system", "content": "Answer in JSON."}, {"role": "user", "content": parts}]


def using(test: Callable[[openai.AsyncOpenAI], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        async with practice([KNOWN], **config) as asker:
            client = openai.AsyncOpenAI(base_url=asker.url + "/v1", api_key="none", max_retries=0)
            async with client:
                await asyncio.wait_for(test(client), 30)

    asyncio.run(main())


def test_it_lists_the_models() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        assert [model.id async for model in await client.models.list()] == ["sim-large", "sim-small"]
        assert (await client.models.retrieve("sim-small")).id == "sim-small"

    using(test)


def test_it_reads_an_answer_and_its_usage() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(
            model="sim-large", messages=messages(DATA), response_format=SCHEMA
        )
        assert json.loads(answer.choices[0].message.content or "")["answer"] == KNOWN.truth["answer"]
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

    using(test)


def test_it_reads_a_stream_with_usage() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="sim-large", messages=messages(DATA), stream=True, stream_options={"include_usage": True}
        )
        text, reasons, usage = "", [], None
        async for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons.append(choice.finish_reason)
            usage = chunk.usage or usage
        assert json.loads(text)["answer"] == KNOWN.truth["answer"]
        assert reasons[-1] == "stop"
        assert usage is not None and usage.completion_tokens > 20

    using(test, speed=10.0)


def test_it_sends_several_images() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        one = await client.chat.completions.create(model="sim-large", messages=messages(DATA))
        two = await client.chat.completions.create(
            model="sim-large", messages=messages(DATA, picture(64, 64))
        )
        assert one.usage is not None and two.usage is not None
        assert two.usage.prompt_tokens == one.usage.prompt_tokens + 4

    using(test)


def test_it_reads_a_tool_call() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(
            model="sim-large", messages=messages(DATA), tools=[TOOL], tool_choice="required"
        )
        assert answer.choices[0].finish_reason == "tool_calls"
        call = (answer.choices[0].message.tool_calls or [])[0]
        assert call.type == "function"
        assert call.function.name == "give_answer"
        assert json.loads(call.function.arguments)["nonce"] == KNOWN.nonce

    using(test)


def test_it_reads_a_tool_call_from_a_stream_and_sends_its_result_back() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="sim-large", messages=messages(DATA), tools=[TOOL], stream=True
        )
        name, call_id, arguments = "", "", ""
        async for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or []:
                assert call.function is not None
                name += call.function.name or ""
                call_id += call.id or ""
                arguments += call.function.arguments or ""
        assert name == "give_answer"
        assert json.loads(arguments)["answer"] == KNOWN.truth["answer"]
        called = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        history = [
            *messages(DATA),
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": call_id, "content": "noted"},
        ]
        last = await client.chat.completions.create(model="sim-large", messages=history)
        assert last.choices[0].finish_reason == "stop"

    using(test, speed=10.0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "nobody"}, openai.NotFoundError),
        ({"messages": []}, openai.BadRequestError),
        ({"messages": messages(b"no image")}, openai.BadRequestError),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            openai.BadRequestError,
        ),
    ],
)
def test_a_refusal_is_the_clients_own_error(
    options: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(error) as raised:
            await client.chat.completions.create(
                **({"model": "sim-large", "messages": messages(DATA)} | options)
            )
        assert raised.value.body is not None

    using(test)


def test_a_planted_error_and_a_shed_are_the_clients_own_errors() -> None:
    async def failing(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="sim-large", messages=messages(DATA))

    async def shedding(client: openai.AsyncOpenAI) -> None:
        asked = (client.chat.completions.create(model="sim-large", messages=messages(DATA)) for _ in range(8))
        found = await asyncio.gather(*asked, return_exceptions=True)
        shed = [answer for answer in found if isinstance(answer, openai.RateLimitError)]
        assert shed
        assert all(int(error.response.headers["retry-after"]) >= 1 for error in shed)

    using(failing, error_rate=1.0)
    using(shedding, workers=1, queue_limit=1, speed=10.0)


def asked(*images: bytes, **more: Any) -> dict[str, Any]:
    content: list[Any] = [{"type": "input_text", "text": KNOWN.prompt}]
    content += [{"type": "input_image", "image_url": data_url(i), "detail": "auto"} for i in images]
    system = "Answer in JSON; say insufficient_evidence if it cannot be told."
    return {
        "model": "sim-large",
        "instructions": system,
        "input": [{"role": "user", "content": content}],
    } | more


@pytest.mark.parametrize("stream", [True, False])
def test_it_reads_a_response_and_its_usage(stream: bool) -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer: Any = await client.responses.create(**asked(DATA), stream=stream)
        if stream:
            events = [event async for event in answer]
            answer = events[-1].response
            assert "".join(e.delta for e in events if e.type.endswith("text.delta")) == answer.output_text
            assert [e.sequence_number for e in events] == list(range(1, len(events) + 1))
        assert json.loads(answer.output_text)["answer"] == KNOWN.truth["answer"]
        assert answer.status == "completed"
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens

    using(test, speed=10.0)


@pytest.mark.parametrize("stream", [True, False])
def test_it_reads_a_tool_call_from_a_response(stream: bool) -> None:
    tool = {"type": "function", "name": "give_answer", "parameters": {}, "strict": False}

    async def test(client: openai.AsyncOpenAI) -> None:
        answer: Any = await client.responses.create(**asked(DATA, tools=[tool]), stream=stream)
        if stream:
            answer = [event async for event in answer][-1].response
        (call,) = answer.output
        assert (call.type, call.name) == ("function_call", "give_answer")
        assert json.loads(call.arguments)["nonce"] == KNOWN.nonce

    using(test, speed=10.0)


def test_a_response_cut_by_its_limit_is_incomplete() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.responses.create(**asked(DATA, max_output_tokens=5))
        assert answer.status == "incomplete" and answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "max_output_tokens"
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(**asked(DATA, input=[]))

    using(test)
