"""What a simulated model can still read, and what its picture costs in tokens. Pure functions.

Not aware of queues, HTTP or what any picture says. The legibility curve is a declared assumption of the
practice pipeline, not a claim about any real model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PATCH_PX = 32

# Annex K of ITU-T T.81, luminance; libjpeg scales it by 5000/q (q < 50) or 200 - 2q percent, up to 255.
# fmt: off
_ANNEX_K_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
# fmt: on

# Quality factor of a JPEG -> how many times taller a letter must be to be read as well.
_JPEG_PENALTY = ((10.0, 1.6), (30.0, 1.3), (75.0, 1.0))


@dataclass(frozen=True, slots=True)
class Eyes:
    """How one simulated model reads, errs and how fast it is."""

    cap: float
    """Probability of reading an item right when every letter is tall."""
    half_px: float
    """Effective x-height at which half of ``cap`` is left."""
    width_px: float
    """Softness of the legibility curve."""
    abstain: float
    """Probability of saying so, rather than inventing, when something could not be read."""
    overreach: float
    """Probability of answering a question that the picture cannot answer."""
    cost: float
    """Service time relative to the large model."""


LARGE = Eyes(cap=0.985, half_px=6.0, width_px=0.8, abstain=0.7, overreach=0.02, cost=1.0)
SMALL = Eyes(cap=0.93, half_px=8.0, width_px=1.0, abstain=0.4, overreach=0.15, cost=0.35)


def legibility(height_px: float, eyes: Eyes) -> float:
    """Chance of reading text of this effective x-height, before the model's cap: a logistic curve."""
    return 1.0 / (1.0 + math.exp(min(60.0, (eyes.half_px - height_px) / eyes.width_px)))


def jpeg_quality(luma_table: Sequence[int]) -> float:
    """libjpeg quality 1..100 that gives this luminance quantisation table (inverse of its scaling rule)."""
    unclipped = [(found, base) for found, base in zip(luma_table, _ANNEX_K_LUMA, strict=True) if found < 255]
    if not unclipped:
        return 1.0
    percent = 100.0 * sum(found for found, _ in unclipped) / sum(base for _, base in unclipped)
    quality = 5000.0 / percent if percent > 100 else (200.0 - percent) / 2.0
    return max(1.0, min(100.0, quality))


def jpeg_penalty(quality: float) -> float:
    """Factor (at least 1) by which compression shrinks a letter's effective height; 1 from quality 75 up."""
    low = _JPEG_PENALTY[0]
    if quality <= low[0]:
        return low[1]
    for high in _JPEG_PENALTY[1:]:
        if quality < high[0]:
            share = (quality - low[0]) / (high[0] - low[0])
            return low[1] + share * (high[1] - low[1])
        low = high
    return 1.0


def fit(width: int, height: int, edge: int | None) -> tuple[int, int]:
    """Size after shrinking so that the long edge is at most ``edge`` px; never enlarges."""
    longest = max(width, height)
    if edge is None or longest <= edge:
        return width, height
    return max(1, round(width * edge / longest)), max(1, round(height * edge / longest))


def vision_tokens(width: int, height: int, budget: int = 10_000, multiplier: float = 1.0) -> int:
    """Tokens of a picture by the published 32-px patch rule: shrunk to ``budget`` patches, times a factor."""
    across, down = math.ceil(width / PATCH_PX), math.ceil(height / PATCH_PX)
    if across * down > budget:
        shrink = math.sqrt(budget * PATCH_PX**2 / (width * height))
        columns, rows = width * shrink / PATCH_PX, height * shrink / PATCH_PX
        shrink *= min(math.floor(columns) / columns, math.floor(rows) / rows)
        # The rounding guards against 33.000000001 patches where the rule means 33.
        across = math.ceil(round(width * shrink / PATCH_PX, 6))
        down = math.ceil(round(height * shrink / PATCH_PX, 6))
    return math.ceil(max(1, across) * max(1, down) * multiplier)
