"""Bounded stages and the cache of encoded pictures."""

import asyncio
import json

import pytest
from known_items import ask, item, picture
from practice import Asker, asking

from mmload.serve.media_cache import MediaCache
from mmload.serve.pixels import Picture
from mmload.serve.stage import Stage, StageFullError


def test_a_stage_works_on_so_many_and_lets_so_many_wait() -> None:
    async def main() -> None:
        stage, gate = Stage(2, 1), asyncio.Event()
        at_work: list[int] = []

        async def work(number: int) -> None:
            async with stage:
                at_work.append(number)
                await gate.wait()

        tasks = [asyncio.create_task(work(n)) for n in range(3)]
        await asyncio.sleep(0)
        assert (at_work, stage.inside) == ([0, 1], 3)
        with pytest.raises(StageFullError):
            async with stage:
                pass
        tasks[2].cancel()
        await asyncio.gather(tasks[2], return_exceptions=True)
        assert stage.inside == 2
        gate.set()
        await asyncio.gather(*tasks[:2])
        assert stage.inside == 0

    asyncio.run(main())


def shot(name: str, size: int = 64) -> Picture:
    return Picture(64, 64, size, size, 1.0, name)


def test_a_repeated_picture_is_cached_until_others_push_it_out() -> None:
    cache = MediaCache(2)
    assert [cache.cached_tokens([shot(name)], "m") for name in "aab"] == [0, 4, 0]
    assert cache.cached_tokens([shot("a"), shot("c")], "m") == 4
    assert cache.cached_tokens([shot("b")], "m") == 0


def test_another_size_or_model_is_another_picture() -> None:
    cache = MediaCache(9)
    cache.cached_tokens([shot("a")], "m")
    assert cache.cached_tokens([shot("a", 32)], "m") == 0
    assert cache.cached_tokens([shot("a")], "n") == 0


def test_without_room_nothing_is_cached() -> None:
    cache = MediaCache(0)
    assert [cache.cached_tokens([shot("a")], "m") for _ in range(3)] == [0, 0, 0]


def test_a_repeated_picture_is_billed_as_cached_and_spares_prefill() -> None:
    data = picture(1024, 1024)

    async def test(asker: Asker) -> None:
        usages = []
        for _ in range(2):
            _, body, _ = await asker.post(ask("x", data))
            usages.append(body["usage"])
        first, second = (u["prompt_tokens_details"]["cached_tokens"] for u in usages)
        assert (first, second) == (0, 32 * 32)
        assert usages[0]["prompt_tokens"] == usages[1]["prompt_tokens"]
        text = (await asker.get("/metrics"))[1]
        assert 'vllm:prefix_cache_hits_total{model_name="sim-large"} 1024.0' in text

    asking(test)


def test_a_full_decoding_queue_sheds() -> None:
    data = picture(1500, 1500)

    async def test(asker: Asker) -> None:
        replies = await asyncio.gather(*(asker.post(ask("x", data)) for _ in range(12)))
        assert {status for status, _, _ in replies} == {200, 429}

    asking(test, preprocess_workers=1, preprocess_queue=1, slo_ms=1e6)


def test_prices_are_shown_per_token_in_the_list_of_models() -> None:
    async def test(asker: Asker) -> None:
        models = json.loads((await asker.get("/v1/models"))[1])["data"]
        assert models[0]["pricing"] == {"prompt": "0.0000025", "completion": "0.00001"}
        assert "pricing" not in models[1]

    asking(test, [item()], prices={"sim-large": {"input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10.0}})
