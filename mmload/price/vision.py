"""Tokens that an image is billed as: formula families as code, models as data (``vision_tokens.toml``).

Not aware of prices or requests. A model that the table does not name has no formula: None, never 0.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

Rule = Mapping[str, Any]


def image_tokens(model: str, width: int, height: int) -> int | None:
    """Tokens of one image of so many pixels; None if no formula is known for the model."""
    rule = rule_of(model)
    return None if rule is None else tokens_by(rule, width, height)


@lru_cache(maxsize=1024)
def rule_of(model: str) -> Rule | None:
    """The entry of the table for a model: an exact name wins, then the longest pattern."""
    best: tuple[int, Rule] | None = None
    for rule in _table():
        for pattern in rule["match"]:
            if pattern == model:
                return rule
            if fnmatchcase(model.lower(), pattern) and (best is None or len(pattern) > best[0]):
                best = (len(pattern), rule)
    return None if best is None else best[1]


def tokens_by(rule: Rule, width: int, height: int) -> int:
    """Tokens by one rule. Raises ``KeyError`` for a family that does not exist."""
    return _FAMILIES[rule["family"]](rule, width, height)


@lru_cache(maxsize=1)
def _table() -> tuple[Rule, ...]:
    text = files("mmload.price").joinpath("vision_tokens.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["model"])


def _patch(rule: Rule, width: int, height: int) -> int:
    """OpenAI: patches that cover the image, shrunk to a budget of patches, times a multiplier.

    Worked example of the guide: 1800 x 2400 within 1536 patches is 33 x 44 = 1452.
    """
    p = rule["patch"]
    scale = _fit(width, height, rule.get("max_edge"))
    w, h = width * scale, height * scale
    budget = rule.get("budget")
    n = _patches(w, h, p)
    if budget is not None and n > budget:
        shrink = math.sqrt(budget * p * p / (w * h))
        columns, rows = w * shrink / p, h * shrink / p
        # A little smaller still, so that one side is whole patches.
        shrink *= min(max(1, math.floor(columns)) / columns, max(1, math.floor(rows)) / rows)
        n = _patches(w * shrink, h * shrink, p)
    return math.ceil(n * float(rule["multiplier"]) - 1e-9)


def _patches(width: float, height: float, p: int) -> int:
    # 1e-6: a side that was shrunk to whole patches must not gain one by rounding.
    return math.ceil(width / p - 1e-6) * math.ceil(height / p - 1e-6)


def _fit(width: float, height: float, max_edge: int | None) -> float:
    return 1.0 if max_edge is None else min(1.0, max_edge / max(width, height))


def _tile(rule: Rule, width: int, height: int) -> int:
    """OpenAI, high detail: into 2048 square, short side to 768 (never up), then tiles of 512 over a base."""
    scale = _fit(width, height, 2048)
    w, h = width * scale, height * scale
    scale = min(1.0, 768 / min(w, h))
    return int(rule["base"] + rule["tile"] * _patches(w * scale, h * scale, 512))


def _patch_within(rule: Rule, width: int, height: int) -> int:
    """Anthropic: patches that cover the image once it fits a longest edge and a number of tokens."""
    p, most = rule["patch"], rule["max_tokens"]
    scale = _fit(width, height, rule["max_edge"])
    if _patches(width * scale, height * scale, p) > most:
        low, high = 0.0, scale
        for _ in range(60):
            middle = (low + high) / 2
            if _patches(width * middle, height * middle, p) <= most:
                low = middle
            else:
                high = middle
        scale = low
    return _patches(width * scale, height * scale, p)


def _area(rule: Rule, width: int, height: int) -> int:
    scale = _fit(width, height, rule["max_edge"])
    return math.ceil(width * height * scale * scale / float(rule["pixels_per_token"]))


def _tile_from(rule: Rule, width: int, height: int) -> int:
    """Gemini up to 2.x: one unit if small on both sides, else one for each tile."""
    if max(width, height) <= rule["small"]:
        return int(rule["tokens"])
    return int(rule["tokens"]) * _patches(width, height, rule["tile"])


def _fixed(rule: Rule, width: int, height: int) -> int:
    return int(rule["tokens"])


def _patch_between(rule: Rule, width: int, height: int) -> int:
    n = round(width / rule["patch"]) * round(height / rule["patch"])
    return int(min(rule["max_tokens"], max(rule["min_tokens"], n)))


_FAMILIES: Final[Mapping[str, Callable[[Rule, int, int], int]]] = {
    "patch": _patch,
    "tile": _tile,
    "patch_within": _patch_within,
    "area": _area,
    "tile_from": _tile_from,
    "fixed": _fixed,
    "patch_between": _patch_between,
}
