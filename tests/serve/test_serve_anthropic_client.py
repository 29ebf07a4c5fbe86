"""The official ``anthropic`` client against the practice target's ``/v1/messages``."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest
from known_items import item, picture
from practice import practice

DATA = picture(mark="known")
KNOWN = item(1, DATA, xheight=40.0)
TOOL = {"name": "give_answer", "input_schema": {"type": "object"}}


def image(data: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}


def asked(*images: bytes, **more: Any) -> dict[str, Any]:
    content = [*map(image, images), {"type": "text", "text": KNOWN.prompt}]
    message = {"role": "user", "content": content}
    system = "Answer in JSON; say insufficient_evidence if it cannot be told."
    return {"model": "sim-large", "max_tokens": 500, "system": system, "messages": [message]} | more


def using(test: Callable[[anthropic.AsyncAnthropic], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        async with practice([KNOWN], **config) as asker:
            client = anthropic.AsyncAnthropic(base_url=asker.url, api_key="none", max_retries=0)
            async with client:
                await asyncio.wait_for(test(client), 30)

    asyncio.run(main())


def test_it_reads_an_answer_and_its_usage() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        answer = await client.messages.create(**asked(DATA))
        assert json.loads(answer.content[0].text)["answer"] == KNOWN.truth["answer"]
        assert (answer.stop_reason, answer.model) == ("end_turn", "sim-large")
        assert answer.usage.input_tokens > 10 and answer.usage.output_tokens > 20

    using(test)


def test_it_reads_a_stream_that_says_the_same() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        whole = await client.messages.create(**asked(DATA))
        async with client.messages.stream(**asked(DATA)) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            streamed = await stream.get_final_message()
        assert text == streamed.content[0].text == whole.content[0].text
        assert streamed.usage.output_tokens == whole.usage.output_tokens
        assert streamed.stop_reason == "end_turn"

    using(test, speed=10.0, image_cache=0)


def test_tokens_read_from_the_cache_stand_apart() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        first = (await client.messages.create(**asked(DATA))).usage
        again = (await client.messages.create(**asked(DATA))).usage
        assert first.cache_read_input_tokens == 0 and again.cache_read_input_tokens == 6
        assert first.input_tokens == again.input_tokens + 6

    using(test)


def test_it_sends_several_images() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        one = await client.messages.create(**asked(DATA))
        two = await client.messages.create(**asked(DATA, picture(64, 64)))
        assert two.usage.input_tokens == one.usage.input_tokens + 4

    using(test, image_cache=0)


@pytest.mark.parametrize("stream", [True, False])
def test_it_reads_a_tool_call(stream: bool) -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        options: Any = asked(DATA, tools=[TOOL], tool_choice={"type": "tool", "name": "give_answer"})
        if stream:
            async with client.messages.stream(**options) as streamed:
                answer: Any = await streamed.get_final_message()
        else:
            answer = await client.messages.create(**options)
        assert answer.stop_reason == "tool_use"
        assert (answer.content[0].name, answer.content[0].input["nonce"]) == ("give_answer", KNOWN.nonce)

    using(test, speed=10.0)


def test_an_answer_cut_by_max_tokens_says_so() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        answer = await client.messages.create(**asked(DATA, max_tokens=5))
        assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 5)

    using(test)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "nobody"}, anthropic.NotFoundError),
        ({"messages": []}, anthropic.BadRequestError),
        ({"messages": [{"role": "user", "content": [image(b"no image")]}]}, anthropic.BadRequestError),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, anthropic.BadRequestError),
    ],
)
def test_a_refusal_is_the_clients_own_error(options: Any, error: type[anthropic.APIStatusError]) -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(error) as raised:
            await client.messages.create(**asked(DATA, **options))
        assert isinstance(raised.value.body, dict) and raised.value.body["type"] == "error"

    using(test)


def test_a_planted_error_and_a_shed_are_the_clients_own_errors() -> None:
    async def failing(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(anthropic.InternalServerError):
            await client.messages.create(**asked(DATA))

    async def shedding(client: anthropic.AsyncAnthropic) -> None:
        found = await asyncio.gather(
            *(client.messages.create(**asked(DATA)) for _ in range(8)), return_exceptions=True
        )
        shed = [answer for answer in found if isinstance(answer, anthropic.RateLimitError)]
        assert shed and all(int(error.response.headers["retry-after"]) >= 1 for error in shed)

    using(failing, error_rate=1.0)
    using(shedding, workers=1, queue_limit=1, speed=10.0)
