"""What happens to a paper: scanner grain, a sticky note over a value, a torn-off end."""

from __future__ import annotations

import random
from typing import Final

import numpy as np
from PIL import Image, ImageChops

from mmload.tasks.canvas import Box, Canvas, blend

_GRAIN_SIDE: Final = 256


def grain(image: Image.Image, seed: int, deviation: float) -> None:
    """Add the grey noise of a scanner's sensor, tiled, in place (PCG64; deviation in levels of 255)."""
    noise = np.random.Generator(np.random.PCG64(seed)).normal(128.0, deviation, (_GRAIN_SIDE, _GRAIN_SIDE, 1))
    tile = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8).repeat(3, axis=2))
    sheet = Image.new("RGB", image.size)
    for x in range(0, image.width, _GRAIN_SIDE):
        for y in range(0, image.height, _GRAIN_SIDE):
            sheet.paste(tile, (x, y))
    image.paste(ImageChops.add(image, sheet, 1, -128))


def stain(rng: random.Random, canvas: Canvas, box: Box) -> None:
    """Cover ``box`` with a sticky note."""
    shade = rng.choice(((255, 232, 120), (255, 190, 190), (186, 230, 200)))
    cover = box.grown(canvas.em * 0.4)
    cover = Box(max(0, cover.x0), max(0, cover.y0), min(canvas.width, cover.x1), min(canvas.height, cover.y1))
    canvas.rect(cover, shade, blend(shade, (0, 0, 0), 0.2))
    canvas.hide(cover)


def tear(rng: random.Random, canvas: Canvas, top: float) -> None:
    """Tear the sheet off below ``top``: a jagged edge, and the desk below it."""
    points: list[tuple[float, float]] = [(0, canvas.height), (0, top)]
    x = 0.0
    while x < canvas.width:
        x += canvas.em * rng.uniform(0.3, 0.9)
        points.append((min(x, canvas.width), top - canvas.em * rng.uniform(0.0, 0.3)))
    points.append((canvas.width, canvas.height))
    canvas.draw.polygon(points, fill=canvas.theme.desk)
    canvas.hide(Box(0, top - canvas.em * 0.3, canvas.width, canvas.height))
