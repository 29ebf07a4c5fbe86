"""A conversation at the practice target, in every protocol that it speaks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from known_items import item, picture
from practice import Asker, practice

from mmload.model import Item, Turn
from mmload.serve.chat import ApiError, parse
from mmload.wire import Adapter
from mmload.wire.anthropic_messages import AnthropicMessages
from mmload.wire.openai_chat import OpenAIChat
from mmload.wire.openai_responses import OpenAIResponses

PICTURES = [picture(mark=f"m{n}") for n in range(3)]
ITEMS = [item(n, data, xheight=40.0, prompt=f"Read the total of {n}.") for n, data in enumerate(PICTURES)]
ITEMS[0] = replace(ITEMS[0], system="be brief")
ABOUT_THE_SAME = item(3, PICTURES[1], xheight=40.0, prompt="And the vendor?")
ADAPTERS = [OpenAIChat("sim-large"), OpenAIResponses("sim-large"), AnthropicMessages("sim-large")]


def turn(number: int) -> Turn:
    return Turn(ITEMS[number], [PICTURES[number]], f"answer {number}")


async def said(asker: Asker, adapter: Adapter, asked: Item, images: list[bytes], *history: Turn) -> Any:
    body = adapter.encode(asked, images, False, history)
    status, answer, _ = await asker.post(body, f"/v1{adapter.path}")
    assert status == 200, answer
    reader = adapter.reader(False)
    reader.feed(json.dumps(answer).encode())
    reader.close()
    assert not reader.error
    return reader


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.path.strip("/"))
def test_the_last_question_is_answered_and_what_was_prefilled_before_is_cached(adapter: Adapter) -> None:
    async def main() -> None:
        async with practice([*ITEMS, ABOUT_THE_SAME], image_cache=0) as asker:
            first = await said(asker, adapter, ITEMS[0], [PICTURES[0]])
            assert json.loads(first.text)["nonce"] == ITEMS[0].nonce and first.usage.tokens_cached == 0
            later = replace(ITEMS[1], system="be brief")
            second = await said(asker, adapter, later, [PICTURES[1]], turn(0))
            assert json.loads(second.text)["nonce"] == ITEMS[1].nonce
            overhead = 8
            assert second.usage.tokens_cached == first.usage.tokens_in - overhead
            assert second.usage.tokens_in > second.usage.tokens_cached + overhead
            about = replace(ABOUT_THE_SAME, system="be brief", images=())
            third = await said(asker, adapter, about, [], turn(0), turn(1))
            assert json.loads(third.text)["nonce"] == ABOUT_THE_SAME.nonce
            assert third.usage.tokens_cached == second.usage.tokens_in - overhead
            other = await said(asker, adapter, ITEMS[2], [PICTURES[2]], turn(1))
            assert other.usage.tokens_cached == 0, "nobody had asked that before"

    asyncio.run(asyncio.wait_for(main(), 30))


def test_without_a_prefix_cache_every_turn_is_prefilled_anew() -> None:
    async def main() -> None:
        async with practice(ITEMS, image_cache=0, prefix_cache=0) as asker:
            await said(asker, ADAPTERS[0], ITEMS[0], [PICTURES[0]])
            again = await said(
                asker, ADAPTERS[0], replace(ITEMS[1], system="be brief"), [PICTURES[1]], turn(0)
            )
            assert again.usage.tokens_cached == 0

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_rung_that_cuts_the_context_cuts_what_was_said_before_not_the_question() -> None:
    body = ADAPTERS[0].encode(ITEMS[1], [PICTURES[1]], False, [turn(0)])
    ask = parse(body, None)
    assert ask.asked == ITEMS[1].prompt and ask.images[ask.subject] == ask.images[1:]
    assert [one.role for one in ask.history] == ["user", "assistant"]
    assert ITEMS[0].prompt in ask.text and ITEMS[1].prompt in ask.text
    alone = parse(ADAPTERS[0].encode(ITEMS[0], [PICTURES[0]], False), None)
    assert (alone.asked, alone.images[alone.subject]) == (alone.text, alone.images) and not alone.history


def test_seventeen_pictures_are_too_many_in_every_protocol_of_a_conversation() -> None:
    body = ADAPTERS[0].encode(ITEMS[0], [PICTURES[0]], False, [turn(n % 3) for n in range(16)])
    with pytest.raises(ApiError, match="at most 16 images"):
        parse(body, None)
