"""Faults planted into answers: at their rate, by their seed, and each what its name says."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_items import ask, item, picture
from practice import Asker, asking

from mmload.profile import Sim
from mmload.serve.planting import Planted, disguise, ideal, plant

DATA = picture(mark="known")
KNOWN = item(1, DATA, xheight=40.0)
OTHER = item(2, picture(mark="other"), xheight=40.0)
RATES = {
    "error_rate": "error",
    "hallucination_rate": "invented",
    "cross_talk_rate": "foreign",
    "broken_json_rate": "broken",
    "fence_rate": "fenced",
    "stall_rate": "stalled",
    "drop_rate": "dropped",
}
NOTHING = Planted(*[False] * 7)


def content(body: dict[str, Any]) -> str:
    return str(body["choices"][0]["message"]["content"])


@pytest.mark.parametrize(("key", "name"), RATES.items())
def test_each_fault_comes_at_its_own_rate_and_brings_no_other(key: str, name: str) -> None:
    config = Sim(**{key: 0.3, "seed": 4})
    drawn = [plant(config, "item-1", number) for number in range(2000)]
    assert abs(sum(name in planted.names() for planted in drawn) / 2000 - 0.3) < 0.045
    assert {other for planted in drawn for other in planted.names()} == {name}


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 200))
def test_a_higher_rate_keeps_the_faults_of_a_lower_one(a: float, b: float, number: int) -> None:
    low, high = sorted((a, b))
    if plant(Sim(error_rate=low), "x", number).error:
        assert plant(Sim(error_rate=high), "x", number).error


def test_faults_do_not_fall_together() -> None:
    config = Sim(error_rate=0.5, drop_rate=0.5)
    drawn = [plant(config, "item-1", number) for number in range(2000)]
    assert abs(sum(p.error and p.dropped for p in drawn) / 2000 - 0.25) < 0.045


def test_the_seed_decides_them() -> None:
    first = [plant(Sim(error_rate=0.5, seed=1), "x", n).error for n in range(100)]
    assert first == [plant(Sim(error_rate=0.5, seed=1), "x", n).error for n in range(100)]
    assert first != [plant(Sim(error_rate=0.5, seed=2), "x", n).error for n in range(100)]


def test_a_disguise_breaks_or_fences_the_json() -> None:
    text = ideal(KNOWN)
    assert disguise(text, NOTHING) == text
    broken = disguise(text, Planted(*[False] * 3, True, False, False, False))
    assert text.startswith(broken)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(broken)
    fenced = disguise(text, Planted(*[False] * 4, True, False, False))
    assert fenced == f"```json\n{text}\n```"


def test_planted_errors_are_the_same_for_the_same_seed_over_http() -> None:
    seen: list[list[int]] = []

    async def test(asker: Asker) -> None:
        seen.append([(await asker.post(ask(KNOWN.prompt, DATA)))[0] for _ in range(60)])

    for _ in range(2):
        asking(test, [KNOWN], error_rate=0.3, speed=1e6)
    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 500}


def test_a_planted_invention_is_the_bait() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(ask(KNOWN.prompt, DATA))
        assert json.loads(content(body))["answer"] == KNOWN.truth["bait"]
        assert 'mmload_sim_planted_total{fault="invented"} 1.0' in (await asker.get("/metrics"))[1]

    asking(test, [KNOWN], hallucination_rate=1.0)


def test_cross_talk_carries_the_nonce_of_another_item() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(ask(KNOWN.prompt, DATA))
        assert content(body) == ideal(OTHER)

    asking(test, [item(0, xheight=40.0), KNOWN, OTHER], cross_talk_rate=1.0)


def test_a_planted_delay_shows_in_the_retrieval_stage() -> None:
    async def test(asker: Asker) -> None:
        _, _, headers = await asker.post(ask(KNOWN.prompt, DATA))
        stages = dict(part.split(";dur=") for part in headers["server-timing"].split(", "))
        assert float(stages["retrieval"]) >= 80

    asking(test, [KNOWN], extra_delay_ms=80.0)


@pytest.mark.parametrize("stream", [True, False])
def test_a_dropped_answer_breaks_off_half_way(stream: bool) -> None:
    async def test(asker: Asker) -> None:
        got = b""
        with pytest.raises(aiohttp.ClientPayloadError):
            async with asker.session.post(
                asker.url + "/v1/chat/completions", data=ask(KNOWN.prompt, DATA, stream=stream)
            ) as response:
                assert response.status == 200
                async for piece in response.content.iter_any():
                    got += piece
        assert got
        assert b"[DONE]" not in got and not got.endswith(b"}")
        assert asker.pipeline.batcher.running == 0

    asking(test, [KNOWN], drop_rate=1.0)


@pytest.mark.parametrize("stream", [True, False])
def test_a_stalled_answer_pauses_and_is_whole(stream: bool) -> None:
    async def test(asker: Asker) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        if stream:
            events, _ = await asker.stream(ask(KNOWN.prompt, DATA, stream=True))
            parts = [e["choices"][0]["delta"].get("content", "") for e in events[:-1]]
            text = "".join(parts)
        else:
            text = content((await asker.post(ask(KNOWN.prompt, DATA)))[1])
        assert loop.time() - before >= 0.3
        assert json.loads(text)["answer"] == KNOWN.truth["answer"]

    asking(test, [KNOWN], stall_rate=1.0, stall_ms=300.0)
