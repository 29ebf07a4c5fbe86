"""Pictures as they arrive: sizes, formats, and bytes that are no picture."""

import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_items import picture
from PIL import Image

from mmload.serve.pixels import BadImageError, inspect, see

FILES = [picture(48, 32, form) for form in ("PNG", "JPEG", "WEBP", "GIF")]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_format_is_decoded_and_really_resized(form: str) -> None:
    data = picture(300, 200, form)
    assert inspect(data) == (300, 200)
    seen = see(data, 150, keep=True)
    assert (seen.width, seen.height, seen.seen_width, seen.seen_height) == (300, 200, 150, 100)
    assert seen.pixels is not None and seen.pixels.size == (150, 100)
    assert seen.sha256 == hashlib.sha256(data).hexdigest()
    assert seen.scale == 0.5


def test_a_picture_that_is_small_enough_is_left_as_it_is() -> None:
    assert see(picture(300, 200), 1568).scale == 1.0
    assert see(picture(300, 200), None).scale == 1.0


def test_a_jpeg_tells_its_compression_and_a_png_has_none() -> None:
    assert see(picture(64, 64, "JPEG", quality=10), None).penalty == pytest.approx(1.6, abs=0.1)
    assert see(picture(64, 64, "JPEG", quality=90), None).penalty == 1.0
    assert see(picture(64, 64), None).penalty == 1.0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pictures_of_other_modes_are_taken(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (40, 40)).save(buffer, "PNG")
    seen = see(buffer.getvalue(), 20, keep=True)
    assert seen.pixels is not None and seen.pixels.mode == "RGB"


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_picture_is_decoded_or_refused(data: bytes, draw: st.DataObject) -> None:
    end = draw.draw(st.integers(0, len(data)))
    damaged = bytearray(data[:end])
    for _ in range(draw.draw(st.integers(0, 6))):
        if damaged:
            damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    try:
        inspect(bytes(damaged))
        see(bytes(damaged), 16)
    except BadImageError as error:
        assert "0x" not in str(error)


@given(st.binary(max_size=400))
def test_noise_is_no_picture(data: bytes) -> None:
    with pytest.raises(BadImageError):
        see(data, None)
