"""Reads ``Server-Timing`` headers: names of stages and how long they took. Not aware of records."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_SERVER_TIMING: Final = re.compile(
    r'([!#$%&\'*+.^_`|~\w-]+)(?:\s*;\s*desc=(?:"[^"]*"|[^;,]*))?\s*;\s*dur=(\d+(?:\.\d+)?)'
)


def timings(text: str) -> tuple[Sequence[str], Sequence[float]]:
    """Names and durations of comma-joined ``Server-Timing`` headers."""
    parts = text.replace(";dur=", ",").split(",")
    if text.count(";") == text.count(";dur=") == len(parts) / 2:
        # The common form, at a third of the time that the expression takes.
        with suppress(ValueError):
            durations = list(map(float, parts[1::2]))
            if all(map(math.isfinite, durations)):
                return [name.strip() for name in parts[0::2]], durations
    found = _SERVER_TIMING.findall(text)
    return [name for name, _ in found], [float(duration) for _, duration in found]
