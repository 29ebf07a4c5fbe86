"""How the same content looks under another skin: theme, font, spacing, template, language of labels.

Not aware of tasks. Every choice of the clean item is made first from the item's own ``rng``, so a reskinned
twin has the same content.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

from mmload.tasks import Want
from mmload.tasks.canvas import Canvas, LayoutError, Theme
from mmload.tasks.degrade import FOREIGN

MIN_XHEIGHT: Final = 9.0
"""Pixels; evidence drawn smaller than this would not count as readable at native size."""
_MAX_XHEIGHT: Final = 20.0
_MIN_EM: Final = 17
"""Smallest font of evidence: an x-height of 9.3 pixels."""
_SPACING: Final = {"reskin": (1.0, 1.0, 0.93, 0.93, 0.88), "layout_shift": (0.97, 0.94, 0.91, 0.88, 0.85)}
_TEMPLATE_FROM: Final = {"reskin": 4, "layout_shift": 2}
"""Severity from which another template of the same kind is drawn."""
_SERIF: Final = {"sans": "serif", "serif": "sans"}


def choose_em(rng: random.Random, want: Want, columns: float, rows: float) -> int:
    """Font size in pixels: an x-height of 9 to 20 (more above 1920 px, as on a dense display), small enough
    that ``columns`` x ``rows`` ems fit. Raises ``LayoutError`` if not even the smallest fits."""
    dense = max(1.0, max(want.width, want.height) / 1920)
    wanted = rng.uniform(MIN_XHEIGHT, _MAX_XHEIGHT) * dense / 0.547
    room = min(want.width / columns, want.height / rows)
    if room < _MIN_EM:
        raise LayoutError(
            f"{want.width}x{want.height} pixels cannot hold {columns:g}x{rows:g} ems of readable text"
        )
    return int(max(_MIN_EM, min(wanted, room)))


def theme(rng: random.Random, want: Want, choices: Sequence[Theme]) -> Theme:
    at = rng.randrange(len(choices))
    return choices[(at + 1) % len(choices)] if want.variant == "reskin" else choices[at]


def canvas(want: Want, em: int, skin: Theme) -> Canvas:
    """A blank canvas of the wanted size. What is drawn on it is chosen for ``em``; a reskin or a shifted
    layout draws it smaller, and a reskin of severity 2 and more in another font."""
    faces = _SERIF if want.variant == "reskin" and want.severity >= 2 else {}
    scale = _SPACING[want.variant][want.severity - 1] if want.variant in _SPACING else 1.0
    return Canvas(want.width, want.height, max(_MIN_EM, int(em * scale)), skin, faces=faces)


def template(state: int, want: Want) -> random.Random:
    """Source of the cosmetic choices of a painter."""
    first = _TEMPLATE_FROM.get(want.variant)
    return random.Random(state if first is None or want.severity < first else state + want.severity)


def labels(state: int, want: Want, table: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The labels of a paper in the wanted language; ``multilingual`` swaps a share of them for others."""
    own = dict(table[want.lang])
    if want.variant != "multilingual":
        return own
    rng = random.Random(state)
    others = [lang for lang in table if lang != want.lang]
    for name in own:
        if rng.random() < FOREIGN[want.severity - 1]:
            own[name] = table[rng.choice(others)][name]
    return own


def language(state: int, want: Want) -> str:
    """Of a screen's surroundings as a whole."""
    if want.variant != "multilingual":
        return want.lang
    rng = random.Random(state)
    swap = rng.random() < FOREIGN[want.severity - 1]
    return (
        rng.choice([lang for lang in ("de", "fr", "es", "pl", "ru") if lang != want.lang])
        if swap
        else want.lang
    )
