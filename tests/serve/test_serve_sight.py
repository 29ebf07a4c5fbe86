"""Vision tokens, legibility and what compression hides."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmload.serve.sight import LARGE, SMALL, fit, jpeg_penalty, jpeg_quality, legibility, vision_tokens


@pytest.mark.parametrize(
    ("width", "height", "budget", "tokens"),
    [
        (1024, 1024, 1536, 1024),
        (1800, 2400, 1536, 1452),
        (32, 32, 1536, 1),
        (33, 32, 1536, 2),
        (2048, 2048, 10_000, 4096),
    ],
)
def test_vision_tokens_follow_the_published_patch_rule(
    width: int, height: int, budget: int, tokens: int
) -> None:
    assert vision_tokens(width, height, budget) == tokens


@given(st.integers(64, 8192), st.integers(64, 8192), st.integers(256, 10_000))
def test_vision_tokens_are_at_least_one_and_within_the_budget(width: int, height: int, budget: int) -> None:
    assert 1 <= vision_tokens(width, height, budget) <= budget


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([None, 1568, 1280]))
def test_shrinking_never_enlarges_and_keeps_the_long_edge_within_its_limit(
    w: int, h: int, edge: int | None
) -> None:
    width, height = fit(w, h, edge)
    assert 1 <= width <= w and 1 <= height <= h
    assert edge is None or max(width, height) <= edge
    assert vision_tokens(width, height) <= vision_tokens(w, h)


@given(st.floats(0, 60), st.floats(0, 60))
def test_taller_letters_are_read_no_worse(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for eyes in (LARGE, SMALL):
        assert legibility(low, eyes) <= legibility(high, eyes)


@given(st.floats(0, 60))
def test_the_small_model_reads_no_better_than_the_large(height: float) -> None:
    assert legibility(height, SMALL) <= legibility(height, LARGE) + 1e-12
    assert SMALL.cap < LARGE.cap


def test_half_of_the_text_is_read_at_the_documented_heights() -> None:
    assert legibility(6.0, LARGE) == pytest.approx(0.5)
    assert legibility(8.0, SMALL) == pytest.approx(0.5)


@pytest.mark.parametrize("quality", [5, 10, 25, 30, 50, 75, 90, 95])
def test_jpeg_quality_is_read_back_from_the_file(quality: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        tables = image.quantization
    assert jpeg_quality(tables[0]) == pytest.approx(quality, abs=1.5)


def test_compression_costs_height_as_measured() -> None:
    assert [jpeg_penalty(q) for q in (5, 10, 30, 75, 95)] == pytest.approx([1.6, 1.6, 1.3, 1.0, 1.0])
    falling = [jpeg_penalty(q) for q in range(1, 101)]
    assert falling == sorted(falling, reverse=True)
