"""Reads a picture with rapidocr (onnxruntime, models in the wheel, no network). Blocking.

Not aware of questions. Detection first, then recognition in small groups until the time is up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmload.model import InputError
from mmload.serve.ocr.page import Line, Page

_GROUP = 8
"""Lines recognised between two looks at the clock."""
_SURE = 0.5
"""Confidence below which a line counts as not read."""


class Reader(Protocol):
    def __call__(self, image: Image.Image, scale: float, until: float) -> Page:
        """Lines of ``image``, their coordinates divided by ``scale``; stops at ``until`` (perf_counter)."""
        ...


class RapidReader:
    """One rapidocr for each thread that calls it: its detector keeps state between calls."""

    def __init__(self) -> None:
        """Raises InputError if the extra is not installed."""
        try:
            import rapidocr  # noqa: F401 - proves the extra before the first request; loaded when first needed
        except ImportError:
            raise InputError("the ocr engine needs its extra: pip install 'mmload[ocr]'") from None
        self._own = threading.local()

    def _models(self) -> tuple[Any, Any]:
        if not hasattr(self._own, "models"):
            self._own.models = _load()
        models: tuple[Any, Any] = self._own.models
        return models

    def __call__(self, image: Image.Image, scale: float, until: float) -> Page:
        from rapidocr.ch_ppocr_rec.typings import TextRecInput
        from rapidocr.utils.process_img import get_rotate_crop_image

        detect, recognise = self._models()
        pixels: NDArray[np.uint8] = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        found = detect(pixels)
        # A group is padded to its longest line: lines of one length together cost least.
        boxes = sorted([] if found.boxes is None else found.boxes, key=_slenderness)
        lines: list[Line] = []
        for start in range(0, len(boxes), _GROUP):
            if perf_counter() > until:
                return _page(lines, scale, pixels, complete=False)
            group = boxes[start : start + _GROUP]
            read = recognise(TextRecInput(img=[get_rotate_crop_image(pixels, box) for box in group]))
            for box, text, score in zip(group, read.txts, read.scores, strict=True):
                if text.strip() and score >= _SURE:
                    (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
                    lines.append(Line(text, float(x0), float(y0), float(x1), float(y1)))
        return _page(lines, scale, pixels, complete=True)


def _load() -> tuple[Any, Any]:
    from rapidocr import RapidOCR

    engine: Any = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            # The pipeline reads several requests at a time: threads within one would only fight over cores.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            # The ladder decides the size: the detector must neither enlarge nor shrink it again.
            "Det.limit_type": "max",
            "Det.limit_side_len": 8192,
            # Lines are padded to at least so many pixels; most words here are far shorter than the usual 320.
            "Rec.rec_img_shape": [3, 48, 96],
        }
    )
    return engine._load_det_model(), engine._load_rec_model()


def _slenderness(box: NDArray[np.float32]) -> float:
    width, height = box.max(axis=0) - box.min(axis=0)
    return float(width / max(1.0, height))


def _page(lines: list[Line], scale: float, pixels: NDArray[np.uint8], complete: bool) -> Page:
    received = tuple(
        replace(line, x0=line.x0 / scale, y0=line.y0 / scale, x1=line.x1 / scale, y1=line.y1 / scale)
        for line in sorted(lines, key=lambda line: (line.y0, line.x0))
    )
    return Page(received, complete, darkness(pixels, scale))


def darkness(pixels: NDArray[np.uint8], scale: float) -> Callable[[float, float, float, float], float]:
    """Mean distance of a box from the page's commonest grey, 0 to 1; boxes in received coordinates."""
    gray: NDArray[np.uint8] = pixels.mean(axis=2).astype(np.uint8)
    paper = int(np.bincount(gray.ravel(), minlength=256).argmax())

    def measure(x0: float, y0: float, x1: float, y1: float) -> float:
        left, top, right, bottom = (max(0, round(v * scale)) for v in (x0, y0, x1, y1))
        box = gray[top : max(top + 1, bottom), left : max(left + 1, right)].astype(np.int16)
        return float(np.abs(box - paper).mean() / 255) if box.size else 0.0

    return measure
