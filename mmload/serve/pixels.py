"""Decodes and really resizes the picture that arrived. Blocking: run it in a thread (Pillow drops the GIL).

Not aware of who asks or of what the picture shows.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from mmload.serve.sight import fit, jpeg_penalty, jpeg_quality
from mmload.serve.views import Sized

MAX_PIXELS = 8192 * 8192
"""The largest picture that a profile may ask for; anything larger is refused before it is decoded."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError)
# Pillow only warns between its limit and twice that; every picture is measured here before it is decoded.
Image.MAX_IMAGE_PIXELS = None


class BadImageError(Exception):
    """The bytes are not a picture that the pipeline takes; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture(Sized):
    """One received picture after decoding and resizing."""

    sha256: str
    """Of the bytes as they arrived."""
    pixels: Image.Image | None = None


def warm_up() -> None:
    """Load the decoders now, so that the first request does not pay for it."""
    for name in FORMATS:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64)).save(buffer, name)
        see(buffer.getvalue(), 32)


def inspect(data: bytes) -> tuple[int, int]:
    """Width and height from the header alone. Raises BadImageError."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _measured(image)
    except _UNREADABLE as error:
        raise _refusal(error) from None


def see(data: bytes, edge: int | None, keep: bool = False) -> Picture:
    """Decode every pixel, shrink to ``edge``; ``keep`` hands the pixels on. Raises BadImageError."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = _measured(image)
            penalty = _penalty(image)
            seen = _shrink(image, fit(width, height, edge))
    except _UNREADABLE as error:
        raise _refusal(error) from None
    digest = hashlib.sha256(data).hexdigest()
    return Picture(width, height, seen.width, seen.height, penalty, digest, seen if keep else None)


def _measured(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImageError(f"the image has {width}x{height} pixels, at most {MAX_PIXELS} are taken")
    return width, height


def _refusal(error: Exception) -> BadImageError:
    if isinstance(error, UnidentifiedImageError):
        return BadImageError(f"the image is none of {', '.join(FORMATS)}")
    return BadImageError(f"cannot decode the image: {error}")


def _penalty(image: Image.Image) -> float:
    tables = getattr(image, "quantization", None)
    # Luminance has the lowest number; a damaged or odd file may not call it 0.
    return jpeg_penalty(jpeg_quality(tables[min(tables)])) if tables else 1.0


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == image.size:
        image.load()
        return image.convert("RGB")
    # A JPEG is decoded at a half, quarter or eighth when that is still at least twice what is wanted.
    image.draft("RGB", (size[0] * 2, size[1] * 2))
    return image.convert("RGB").resize(size, Image.Resampling.BOX, reducing_gap=2.0)
