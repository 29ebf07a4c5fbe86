"""Reads extraction items from their pixels with an OCR that knows nothing of how they were drawn."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from PIL import Image
from rapidocr import RapidOCR

from mmload.corpus.nonce import nonce
from mmload.tasks import Drawn, Want
from mmload.tasks.extract import FIELDS, Extract
from mmload.tasks.words import MONTHS

Line = tuple[str, tuple[float, float, float, float]]


class Reader:
    """A whole page at a time, on one thread; the models come with the wheel."""

    def __init__(self) -> None:
        self._engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def lines(self, image: Image.Image) -> list[Line]:
        found: Any = self._engine(np.asarray(image.convert("RGB"))[:, :, ::-1])
        if found.boxes is None:
            return []
        corners = [np.asarray(box) for box in found.boxes]
        boxes = [(*c.min(axis=0).tolist(), *c.max(axis=0).tolist()) for c in corners]
        return list(zip(found.txts, boxes, strict=True))


def item(seed: int, width: int, height: int, variant: str = "clean", severity: int = 0) -> Drawn:
    """An English extraction item; seeds that a layout refuses are shifted."""
    want = Want(width, height, 64, variant=variant, severity=severity, nonce=nonce(3, seed))
    for attempt in range(8):
        try:
            drawn = Extract().draw(random.Random(seed * 100 + attempt), want)
            drawn.slices["nonce"] = want.nonce
            return drawn
        except ValueError:
            continue
    raise ValueError(f"no layout for seed {seed}")


def read_fields(reader: Reader, drawn: Drawn) -> Iterator[tuple[str, bool]]:
    """Each field, row and nonce of an item, and whether its value stands in the lines read at its place."""
    pages = [reader.lines(image) for image in drawn.images]
    for one in drawn.evidence:
        text = _at(pages[one["image"]], one["bbox"])
        yield one["id"], all(any(form in text for form in forms) for forms in _forms(drawn, one["id"]))


def _at(lines: list[Line], box: list[float]) -> str:
    """Text of the lines whose middle is at the height of a box, and that meet it."""
    x0, y0, x1, y1 = box
    slack = (y1 - y0) * 0.6
    hits = [
        (b[1] // 8, b[0], text)
        for text, b in lines
        if y0 - slack <= (b[1] + b[3]) / 2 <= y1 + slack and b[0] < x1 and b[2] > x0
    ]
    return _bare("".join(text for *_, text in sorted(hits)))


def _forms(drawn: Drawn, name: str) -> Iterator[set[str]]:
    """What must be found: for each part, the ways in which it may be printed."""
    answer = drawn.truth["answer"]
    if name == "nonce":
        yield {_bare(drawn.slices["nonce"])}
    elif name.startswith("row"):
        row = answer["line_items"][int(name[3:])]
        yield {_bare(row["sku"])}
        yield _amounts(row["unit_price"])
        yield _amounts(row["amount"])
    else:
        value = answer["fields"][name]
        if name == "date":
            day = date.fromisoformat(value)
            yield {
                _bare(f) for f in (value, f"{day.day} {MONTHS[day.month - 1]} {day.year}", f"{day:%d.%m.%Y}")
            }
        elif name == "currency":
            yield {_bare(value), {"EUR": "€", "GBP": "£", "USD": "$"}[value]}
        elif FIELDS[name].__name__ == "same_amount":
            yield _amounts(value)
        else:
            yield {_bare(value)}


def _amounts(value: str) -> set[str]:
    return {_bare(value), _bare(f"{Decimal(value):,.2f}"), _bare(value.removesuffix(".00"))}


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if not c.isspace())
