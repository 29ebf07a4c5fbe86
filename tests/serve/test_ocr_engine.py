"""The OCR pipeline: deadlines, sizes, shedding, and real reading of real pixels."""

import asyncio
import io
import json
import math
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from known_items import ask, picture
from PIL import Image, ImageDraw, ImageFont
from practice import Asker, served
from test_ocr_rules import ASK_INVOICE

from mmload.profile import Ocr
from mmload.serve.meters import Meters
from mmload.serve.ocr.engine import EDGES, OcrPipeline
from mmload.serve.ocr.page import Line, Page
from mmload.serve.ocr.reader import RapidReader, Reader

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
LARGE = picture(2000, 1500)


class FakeReader:
    """Takes a fixed time for a million pixels, and reads nothing but the code."""

    def __init__(self, seconds_per_mpx: float = 0.0) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.left_s: list[float] = []
        """Time that was left for each reading."""
        self.warm = 0
        self._seconds = seconds_per_mpx
        self._lock = threading.Lock()

    def __call__(self, image: Image.Image, scale: float, until: float) -> Page:
        with self._lock:
            if until == math.inf and image.height == 64:
                self.warm += 1
                return Page(())
            self.sizes.append(image.size)
            self.left_s.append(until - time.perf_counter())
        time.sleep(self._seconds * image.width * image.height / 1e6)
        return Page((Line("Ref KQ2ZPA", 0, 0, 10, 10),))


def asking(test: Callable[[Asker], Awaitable[None]], reader: Reader, **config: Any) -> None:
    settings = Ocr(**config)
    meters = Meters(settings.model)
    pipeline = OcrPipeline(settings, reader, meters)

    async def main() -> None:
        async with served(pipeline, meters, settings.max_body_bytes) as asker:
            await asyncio.wait_for(test(asker), 60)

    asyncio.run(main())


def test_it_answers_for_any_model_under_its_own_name() -> None:
    async def test(asker: Asker) -> None:
        status, body, headers = await asker.post(ask("?", LARGE, model="whatever"))
        assert (status, body["model"]) == (200, "ocr-rules")
        said = json.loads(body["choices"][0]["message"]["content"])
        assert (said["status"], said["nonce"]) == ("insufficient_evidence", "KQ2ZPA")
        names = [part.split(";")[0] for part in headers["server-timing"].split(", ")]
        assert names == ["preprocess", "queue", "model"]
        assert json.loads((await asker.get("/v1/models"))[1])["data"][0]["id"] == "ocr-rules"

    asking(test, FakeReader())


def test_a_stream_carries_the_same_answer_and_its_usage() -> None:
    async def test(asker: Asker) -> None:
        _, whole, _ = await asker.post(ask("?", LARGE))
        body = ask("?", LARGE, stream=True, stream_options={"include_usage": True})
        events, _ = await asker.stream(body)
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1] if e["choices"])
        assert text == whole["choices"][0]["message"]["content"]
        assert events[-2]["usage"] == whole["usage"]

    asking(test, FakeReader())


def test_under_pressure_pictures_are_read_at_smaller_sizes_and_then_refused() -> None:
    reader = FakeReader(0.1)

    async def test(asker: Asker) -> None:
        for _ in range(12):  # until its own pace is known to it
            await asker.post(ask("?", LARGE))
        replies = await asyncio.gather(*(asker.post(ask("?", LARGE)) for _ in range(40)))
        rungs = [headers["x-mmload-sim-rung"] for status, _, headers in replies if status == 200]
        assert {"L0", "L3"} <= set(rungs)
        tokens = [body["usage"]["prompt_tokens"] for status, body, _ in replies if status == 200]
        assert max(tokens) > 4 * min(tokens)
        assert {status for status, _, _ in replies} == {200, 429}

    asking(test, reader, slo_ms=3000.0, workers=1, queue_limit=64)
    assert {max(size) for size in reader.sizes} <= {2000, *EDGES.values()}
    assert {2000, 400} <= {max(size) for size in reader.sizes}
    # Who is admitted is read: its time is never up seconds ago (half a second is a busy machine's).
    assert min(reader.left_s) > -0.5


def test_every_thread_is_warm_before_the_first_request() -> None:
    reader = FakeReader()

    async def test(asker: Asker) -> None:
        assert reader.warm == 3

    asking(test, reader, workers=3)


def test_a_full_queue_sheds_with_retry_after() -> None:
    async def test(asker: Asker) -> None:
        replies = await asyncio.gather(*(asker.post(ask("?", LARGE)) for _ in range(6)))
        shed = [headers for status, _, headers in replies if status == 429]
        assert len(shed) == 4
        assert all(int(headers["retry-after"]) >= 1 for headers in shed)

    asking(test, FakeReader(0.1), workers=1, queue_limit=1, slo_ms=1e6)


class HeldUp(FakeReader):
    """Its first readings take as long as on a machine that is busy with something else."""

    def __call__(self, image: Image.Image, scale: float, until: float) -> Page:
        found = super().__call__(image, scale, until)
        if 0 < len(self.sizes) <= 3:
            time.sleep(0.4)
        return found


def test_slow_readings_do_not_lock_later_requests_out() -> None:
    async def test(asker: Asker) -> None:
        small = picture(300, 200)
        statuses = [(await asker.post(ask("?", small)))[0] for _ in range(12)]
        assert statuses == [200] * 12

    asking(test, HeldUp(), workers=1, slo_ms=100.0)


def test_without_the_ladder_everything_is_read_in_full() -> None:
    reader = FakeReader(0.02)

    async def test(asker: Asker) -> None:
        await asyncio.gather(*(asker.post(ask("?", LARGE)) for _ in range(6)))

    asking(test, reader, ladder=False, slo_ms=100.0, workers=2, queue_limit=64)
    assert set(reader.sizes) == {(2000, 1500)}


@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_that_breaks_off_is_an_error_and_frees_its_place(stream: bool) -> None:
    broken = picture(600, 400)[:-3000] if len(picture(600, 400)) > 6000 else picture(600, 400)[:200]

    async def test(asker: Asker) -> None:
        for _ in range(3):
            async with asker.session.post(
                asker.url + "/v1/chat/completions", data=ask("?", broken, stream=stream)
            ) as response:
                text = await response.text()
            assert response.status == (200 if stream else 400)
            assert "invalid_image" in text
        status, _, _ = await asker.post(ask("?", LARGE))
        assert status == 200

    asking(test, FakeReader(), workers=1, queue_limit=0)


def slip(size: int) -> bytes:
    """A receipt as it comes from a till, ``size`` px letters."""
    rows = (
        ("Umber Foods", ""),
        ("Ref QEYZLF", ""),
        ("No.", "R-40098"),
        ("Date", "2026-11-21"),
        ("KA513 Salad", ""),
        ("  8 × 5.39", "43.12"),
        ("Subtotal", "43.12"),
        ("Tax", "8.62"),
        ("Total", "€51.74"),
    )
    image = Image.new("RGB", (24 * size, (len(rows) + 1) * 2 * size), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(str(FONT), size)
    for number, (left, right) in enumerate(rows):
        pen.text((size, (2 * number + 1) * size), left, "black", font)
        pen.text((23 * size, (2 * number + 1) * size), right, "black", font, anchor="ra")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_real_receipt_is_really_read() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(ask(ASK_INVOICE.replace("invoice:", "receipt:"), slip(24)))
        said = json.loads(body["choices"][0]["message"]["content"])
        assert said["nonce"] == "QEYZLF"
        assert said["answer"]["fields"]["total"] == "51.74"
        assert said["answer"]["line_items"][0]["sku"] == "KA513"

    asking(test, RapidReader(), slo_ms=60_000.0)


def test_letters_too_small_to_read_lead_to_abstention_and_not_to_guesses() -> None:
    async def test(asker: Asker) -> None:
        _, body, _ = await asker.post(ask(ASK_INVOICE.replace("invoice:", "receipt:"), slip(5)))
        said = json.loads(body["choices"][0]["message"]["content"])
        assert (said["status"], said["answer"]) == ("insufficient_evidence", None)

    asking(test, RapidReader(), slo_ms=60_000.0)


def test_reading_stops_when_the_time_is_up() -> None:
    with Image.open(io.BytesIO(slip(24))) as image:
        late = RapidReader()(image, 1.0, until=0.0)
        whole = RapidReader()(image, 1.0, until=float("inf"))
    assert (late.complete, len(late.lines)) == (False, 0)
    assert whole.complete and len(whole.lines) > 10


def test_places_are_told_in_pixels_of_the_picture_as_received() -> None:
    with Image.open(io.BytesIO(slip(24))) as image:
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        full_page = RapidReader()(image, 1.0, until=float("inf"))
        half_page = RapidReader()(half, 0.5, until=float("inf"))
    full, small = full_page.find("Subtotal"), half_page.find("Subtotal")
    assert full is not None and small is not None
    assert abs(full.x - small.x) < 12 and abs(full.y - small.y) < 12
