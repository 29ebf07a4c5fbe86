"""A contact sheet of a suite: pictures of each task, with the evidence boxed and the truth beside it.

Not aware of how items are drawn or scored.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmload.corpus.suite import Suite
from mmload.model import InputError, Item

if TYPE_CHECKING:
    from PIL import Image, ImageFont

CELL: Final = (560, 420)
"""Pixels of the picture of one item."""
_CAPTION: Final = 132
_COLUMNS: Final = 4
_MARGIN: Final = 12
_EVIDENCE: Final = (230, 60, 40)
_NONCE: Final = (20, 120, 230)


def preview(suite: Suite, path: Path, count: int = 24) -> None:
    """Write a PNG with ``count`` items, taken in turn from the tasks and their variants.

    Evidence is boxed in red, the nonce in blue; below stand what the item is, and its truth. Raises
    ``InputError`` if the file cannot be written.
    """
    from PIL import Image

    items = chosen(suite, count)
    rows = -(-len(items) // _COLUMNS)
    width = _COLUMNS * (CELL[0] + _MARGIN) + _MARGIN
    height = rows * (CELL[1] + _CAPTION + _MARGIN) + _MARGIN
    sheet = Image.new("RGB", (width, height), (238, 240, 243))
    font = _font()
    for k, item in enumerate(items):
        x = _MARGIN + k % _COLUMNS * (CELL[0] + _MARGIN)
        y = _MARGIN + k // _COLUMNS * (CELL[1] + _CAPTION + _MARGIN)
        _cell(sheet, suite, item, x, y, font)
    try:
        sheet.save(path, "PNG")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def chosen(suite: Suite, count: int) -> list[Item]:
    """Items in turn from every (task, answerable, clean or degraded), so that few show all kinds."""
    groups: dict[tuple[str, bool, bool], list[Item]] = defaultdict(list)
    for item in suite.items:
        groups[item.task, item.answerable, item.severity == 0].append(item)
    queues = [groups[key] for key in sorted(groups, key=str)]
    found: list[Item] = []
    while len(found) < min(count, len(suite.items)):
        for queue in queues:
            if queue and len(found) < count:
                found.append(queue.pop(0))
    return found


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """DejaVu from matplotlib where it is, for captions in any language."""
    import importlib.util

    from PIL import ImageFont

    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.exists():
            return ImageFont.truetype(str(file), 13, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(13)


def _cell(
    sheet: Image.Image,
    suite: Suite,
    item: Item,
    x: int,
    y: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    from PIL import Image, ImageDraw

    number = next((e["image"] for e in item.evidence if e.get("image") is not None), 0)
    draw = ImageDraw.Draw(sheet)
    if item.images:
        with Image.open(suite.dir / item.images[number].file) as opened:
            picture = opened.convert("RGB")
        scale = min(CELL[0] / picture.width, CELL[1] / picture.height, 2.0)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), (x, y))
        for one in item.evidence:
            if one.get("image") == number and one.get("bbox"):
                x0, y0, x1, y1 = (round(v * scale) for v in one["bbox"])
                shade = _NONCE if one["id"] == "nonce" else _EVIDENCE
                draw.rectangle((x + x0 - 2, y + y0 - 2, x + x1 + 1, y + y1 + 1), outline=shade, width=2)
    for k, line in enumerate(_caption(item)):
        draw.text((x, y + CELL[1] + 6 + 17 * k), _fitting(line, font), fill=(24, 28, 36), font=font)


def _caption(item: Item) -> list[str]:
    degraded = f" · {item.variant}@{item.severity}" if item.severity else ""
    images = ", ".join(f"{i.width}x{i.height} {i.format}" for i in item.images)
    truth = json.dumps(item.truth["answer"], ensure_ascii=False) if item.truth["answer"] is not None else "-"
    lines = [
        f"{item.index} · {item.task}{degraded} · {images} · {item.prompt_tokens} tokens",
        f"{item.truth['status']} · nonce {item.nonce or '-'}",
        "Q: " + " ".join(item.prompt.split())[:160],
    ]
    return lines + [truth[k : k + 78] for k in range(0, min(len(truth), 312), 78)]


def _fitting(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    while line and font.getlength(line) > CELL[0]:
        line = line[:-2]
    return line
