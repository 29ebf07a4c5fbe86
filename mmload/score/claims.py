"""Counting the claims of an answer by type, and which of them the picture does not bear out.

Each claim has one type; where several fit, the first of ``TYPES`` wins. Not aware of tasks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

TYPES: Final = ("code", "action", "object", "relation", "attribute")
"""By precedence: an invented button that is clicked is one action claim, not also an object claim."""


@dataclass(slots=True)
class Claims:
    made: Counter[str] = field(default_factory=Counter)
    hallucinated: Counter[str] = field(default_factory=Counter)
    critical: int = 0

    def add(self, kind: str, true: bool, *, critical: bool = False) -> None:
        """One claim; ``critical`` says what a false one would be."""
        self.made[kind] += 1
        if not true:
            self.hallucinated[kind] += 1
            self.critical += critical
