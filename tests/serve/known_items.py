"""Items with exact truth and real image bytes, small enough to be read in a test."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

from PIL import Image, ImageDraw

from mmload.model import ImageFile, Item


def picture(width: int = 96, height: int = 64, form: str = "PNG", mark: str = "x", **options: Any) -> bytes:
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).text((4, 4), mark, fill="black")
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def data_url(data: bytes, form: str = "png") -> str:
    return f"data:image/{form};base64," + base64.b64encode(data).decode()


def evidence(
    name: str, xheight: float | None, at: list[Any], span: list[int] | None = None
) -> dict[str, Any]:
    return {
        "id": name,
        "source": "text" if span else "image",
        "image": None if span else 0,
        "bbox": None if span else [0, 0, 10, 10],
        "xheight_px": xheight,
        "char_span": span,
        "at": at,
    }


def item(
    index: int = 0,
    data: bytes = b"",
    answerable: bool = True,
    xheight: float = 14.0,
    prompt: str = "Read the total. Code: 77.",
    span: list[int] | None = None,
    quality: int | None = None,
) -> Item:
    data = data or picture(mark=str(index))
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        form = str(image.format).lower()
    file = ImageFile("x", width, height, form, quality, hashlib.sha256(data).hexdigest(), len(data))
    proof = [
        evidence("total", xheight, ["answer", "fields", "total"]),
        evidence("vendor", xheight, ["answer", "fields", "vendor"]),
    ]
    if span is not None:
        proof.append(evidence("code", None, ["answer", "fields", "code"], span))
    answer = {"fields": {"total": "10.00", "vendor": "Ada", "code": "77"}}
    return Item(
        index=index,
        id=f"item-{index}",
        task="extract",
        variant="clean",
        severity=0,
        answerable=answerable,
        twin="",
        slices={},
        images=(file,),
        system="",
        prompt=prompt,
        prompt_tokens=8,
        truth={
            "status": "answered" if answerable else "insufficient_evidence",
            "answer": answer if answerable else None,
            "plausible": {
                "total": ["10.90", "16.00"],
                "vendor": ["Ida"],
                "code": ["71"],
                "nonce": ["AAAAAA"],
            },
            "bait": {"fields": {"total": "99.99", "vendor": "Bea", "code": "13"}},
        },
        evidence=(*(proof if answerable else []), evidence("nonce", 20.0, ["nonce"])),
        nonce=f"KQ{index:04d}",
        canaries=(),
    )


def ask(text: str, *images: bytes, stream: bool = False, **more: Any) -> bytes:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": data_url(i)}} for i in images]
    parts.append({"type": "text", "text": text})
    body = {"model": "sim-large", "messages": [{"role": "user", "content": parts}], "stream": stream}
    return json.dumps(body | more).encode()
