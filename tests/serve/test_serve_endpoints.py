"""The practice target over HTTP: what it answers, refuses and reports."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from known_items import ask, data_url, item, picture
from practice import Asker, asking

from mmload.serve.pixels import MAX_PIXELS

KNOWN = item(1, picture(mark="known"), xheight=40.0)
DATA = picture(mark="known")
OTHER = picture(mark="other")


def content(body: dict[str, Any]) -> Any:
    return json.loads(body["choices"][0]["message"]["content"])


def test_a_known_picture_is_answered_from_its_truth() -> None:
    async def test(asker: Asker) -> None:
        status, body, headers = await asker.post(ask(KNOWN.prompt, DATA))
        assert status == 200
        assert body["object"] == "chat.completion"
        assert body["model"] == "sim-large"
        assert body["choices"][0]["finish_reason"] == "stop"
        assert content(body)["nonce"] == KNOWN.nonce
        assert content(body)["answer"] == KNOWN.truth["answer"]
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        # 96 x 64 px are 3 x 2 patches; the overhead of a chat is 8 tokens.
        assert usage["prompt_tokens"] > 6 + 8
        assert headers["x-mmload-sim-rung"] == "L0"

    asking(test, [KNOWN])


def test_the_picture_decides_and_not_what_the_client_says() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(
            ask(KNOWN.prompt + KNOWN.nonce, picture(mark="other"), metadata={"id": KNOWN.id})
        )
        assert body["choices"][0]["message"]["content"] == "I cannot tell from what I was given."
        _, body, _ = await asker.post(ask("?", OTHER, response_format={"type": "json_object"}))
        assert content(body)["status"] == "insufficient_evidence"

    asking(test, [KNOWN])


def test_stage_times_are_reported_in_order() -> None:
    async def test(asker: Asker) -> None:
        _, _, headers = await asker.post(ask(KNOWN.prompt, DATA))
        names = [part.split(";dur=")[0] for part in headers["server-timing"].split(", ")]
        assert names == ["preprocess", "retrieval", "policy", "queue", "model", "validate"]
        _, headers = await asker.stream(ask(KNOWN.prompt, DATA, stream=True))
        names = [part.split(";dur=")[0] for part in headers["server-timing"].split(", ")]
        assert names == ["preprocess", "retrieval", "policy", "queue"]

    asking(test, [KNOWN])


def test_a_stream_says_the_same_in_pieces() -> None:
    async def test(asker: Asker) -> None:
        _, whole, _ = await asker.post(ask(KNOWN.prompt, DATA))
        body = ask(KNOWN.prompt, DATA, stream=True, stream_options={"include_usage": True})
        events, headers = await asker.stream(body)
        assert headers["content-type"] == "text/event-stream"
        assert events[-1] == "[DONE]"
        assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1] if e["choices"])
        assert text == whole["choices"][0]["message"]["content"]
        assert [e["choices"][0]["finish_reason"] for e in events[:-2]].count("stop") == 1
        assert events[-2]["choices"] == []
        assert events[-2]["usage"] == whole["usage"]
        assert len({e["id"] for e in events[:-1]}) == 1

    asking(test, [KNOWN], speed=10.0, image_cache=0)


def test_a_stream_without_the_option_sends_no_usage() -> None:
    async def test(asker: Asker) -> None:
        events, _ = await asker.stream(ask(KNOWN.prompt, DATA, stream=True))
        assert all("usage" not in e for e in events[:-1])

    asking(test, [KNOWN])


def test_an_answer_is_cut_at_max_tokens() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(ask(KNOWN.prompt, DATA, max_tokens=5))
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 5

    asking(test, [KNOWN])


def image_part(url: Any) -> bytes:
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    return json.dumps({"model": "sim-large", "messages": [{"role": "user", "content": parts}]}).encode()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "object"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"{}", 400, "model"),
        (b'{"model": "sim-large"}', 400, "messages"),
        (b'{"model": "sim-large", "messages": []}', 400, "messages"),
        (b'{"model": "sim-large", "messages": [1]}', 400, "role"),
        (b'{"model": "nobody", "messages": []}', 404, "nobody"),
        (b'{"model": 1, "messages": []}', 400, "model"),
        (ask("x", n=2), 400, "n = 1"),
        (ask("x", max_tokens=0), 400, "max_tokens"),
        (ask("x", stream="yes"), 400, "stream"),
        (ask("x", response_format={"type": "xml"}), 400, "response_format"),
        (image_part("https://example.com/a.png"), 400, "nothing is fetched"),
        (image_part(7), 400, "data:image"),
        (image_part("data:image/png;base64,%%%"), 400, "base64"),
        (image_part("data:image/png;base64,AAAA"), 400, "none of PNG"),
        (image_part(data_url(DATA[:60])), 400, "image"),
        (image_part(data_url(picture(400, 300)[:500])), 400, "image"),
    ],
)
def test_a_bad_request_gets_its_reason_in_the_error_format(body: bytes, status: int, words: str) -> None:
    async def test(asker: Asker) -> None:
        found, answer, _ = await asker.post(body)
        assert found == status
        assert words in answer["error"]["message"]
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert "0x" not in answer["error"]["message"]

    asking(test)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    side = 10_000
    assert side * side > MAX_PIXELS
    bomb = picture(side, side)

    async def test(asker: Asker) -> None:
        status, body, _ = await asker.post(ask("x", bomb))
        assert status == 400
        assert "pixels" in body["error"]["message"]

    asking(test)


def test_a_body_beyond_the_limit_is_413() -> None:
    async def test(asker: Asker) -> None:
        status, body, _ = await asker.post(ask("x" * 5000))
        assert status == 413
        assert body["error"]["code"] == "request_too_large"

    asking(test, max_body_bytes=4096)


def test_the_models_are_listed_and_the_small_one_can_be_asked_for() -> None:
    async def test(asker: Asker) -> None:
        status, text = await asker.get("/v1/models")
        assert (status, [m["id"] for m in json.loads(text)["data"]]) == (200, ["sim-large", "sim-small"])
        assert (await asker.get("/v1/models/sim-small"))[0] == 200
        status, text = await asker.get("/v1/models/none")
        assert (status, json.loads(text)["error"]["code"]) == (404, "model_not_found")
        _, body, _ = await asker.post(ask("x", model="sim-small"))
        assert body["model"] == "sim-small"

    asking(test)


def test_an_unknown_path_and_a_wrong_method_are_errors_in_the_same_format() -> None:
    async def test(asker: Asker) -> None:
        for path, expected in (("/nowhere", 404), ("/v1/chat/completions", 405)):
            status, text = await asker.get(path)
            assert status == expected
            assert "message" in json.loads(text)["error"]

    asking(test)


def test_metrics_carry_the_names_that_dashboards_know() -> None:
    async def test(asker: Asker) -> None:
        await asker.post(ask(KNOWN.prompt, DATA))
        await asker.post(b"{")
        status, text = await asker.get("/metrics")
        assert status == 200
        for line in (
            'vllm:time_to_first_token_seconds_count{model_name="sim-large"} 1.0',
            'vllm:e2e_request_latency_seconds_count{model_name="sim-large"} 1.0',
            'vllm:num_requests_running{model_name="sim-large"} 0.0',
            'vllm:num_requests_waiting{model_name="sim-large"} 0.0',
            'vllm:gpu_cache_usage_perc{model_name="sim-large"} 0.0',
            'vllm:request_success_total{finished_reason="stop",model_name="sim-large"} 1.0',
            'mmload_sim_requests_total{status="200"} 1.0',
            'mmload_sim_requests_total{status="400"} 1.0',
            'mmload_sim_admitted_total{rung="L0"} 1.0',
            'mmload_sim_stage_seconds_count{stage="queue"} 1.0',
        ):
            assert line in text, line
        assert "_created" not in text

    asking(test, [KNOWN])


def test_health_is_ok() -> None:
    async def test(asker: Asker) -> None:
        assert await asker.get("/health") == (200, '{"status":"ok"}')

    asking(test)


def test_under_pressure_pictures_shrink_then_the_small_model_answers_then_it_sheds() -> None:
    large = item(2, picture(2048, 1600, mark="large"))

    async def test(asker: Asker) -> None:
        body = ask(large.prompt, picture(2048, 1600, mark="large"))
        replies = await asyncio.gather(*(asker.post(body) for _ in range(60)))
        shed = [r for r in replies if r[0] == 429]
        served = [r for r in replies if r[0] == 200]
        rungs = {r[2]["x-mmload-sim-rung"]: r for r in served}
        assert {"L0", "L1", "L2", "L3"} <= set(rungs)
        tokens = [rungs[f"L{n}"][1]["usage"]["prompt_tokens"] for n in range(4)]
        assert tokens[0] > tokens[1] > tokens[2] == tokens[3]
        assert [rungs[f"L{n}"][1]["model"] for n in range(4)] == ["sim-large"] * 3 + ["sim-small"]
        assert float(rungs["L2"][2]["x-mmload-sim-scale"]) == pytest.approx(1280 / 2048)
        assert shed
        for _, answer, headers in shed:
            assert int(headers["retry-after"]) >= 1
            assert answer["error"]["code"] == "overloaded"

    asking(test, [large], speed=20.0, workers=1, slo_ms=1000.0)


def test_with_the_ladder_off_everything_is_served_in_full_or_refused() -> None:
    async def test(asker: Asker) -> None:
        replies = await asyncio.gather(*(asker.post(ask("x", DATA)) for _ in range(40)))
        assert {r[2].get("x-mmload-sim-rung", "shed") for r in replies} == {"L0", "shed"}

    asking(test, ladder=False, speed=20.0, workers=1, slo_ms=200.0)


def test_the_queue_is_bounded_even_when_the_objective_is_generous() -> None:
    async def test(asker: Asker) -> None:
        replies = await asyncio.gather(*(asker.post(ask("x")) for _ in range(20)))
        assert sum(r[0] == 429 for r in replies) >= 10

    asking(test, ladder=False, queue_limit=4, speed=5.0, workers=1, slo_ms=1e6)


def test_a_client_that_leaves_gives_its_slot_back() -> None:
    async def test(asker: Asker) -> None:
        body = ask("x", stream=True)
        with pytest.raises(TimeoutError):
            async with asker.session.post(
                asker.url + "/v1/chat/completions", data=body, timeout=aiohttp.ClientTimeout(0.3)
            ) as response:
                await response.read()
        for _ in range(100):
            if asker.pipeline.batcher.running == 0:
                break
            await asyncio.sleep(0.02)
        assert asker.pipeline.batcher.running == 0

    asking(test, speed=0.02)
