"""Points and boxes in image pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence


def inside(point: Sequence[float], box: Sequence[float]) -> bool:
    """Whether a point lies in a box ``x0, y0, x1, y1``, its edges included."""
    x, y = point
    return math.isfinite(x) and math.isfinite(y) and box[0] <= x <= box[2] and box[1] <= y <= box[3]
