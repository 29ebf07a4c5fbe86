"""Field micro-F1 over named fields and keyed rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmload.score.text import anls, norm

Match = Callable[[Any, Any], bool]


@dataclass(slots=True)
class FieldCounts:
    tp: int = 0
    fp: int = 0
    fn: int = 0
    wrong: set[str] = field(default_factory=set)
    """Fields given but not as the truth has them, or that the truth does not have."""
    missing: set[str] = field(default_factory=set)
    similarity: float = 0.0
    """Mean ANLS over the fields of the truth that are text."""

    @property
    def f1(self) -> float:
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp + self.fp + self.fn else 1.0


def count_fields(
    given: Mapping[str, Any], truth: Mapping[str, Any], match: Mapping[str, Match]
) -> FieldCounts:
    """TP present and matching; FP present and not matching, or not in the truth; FN of the truth and not
    matched (so a wrong value counts as both). A null counts as absent."""
    counts = FieldCounts()
    for name, value in given.items():
        if value is None:
            continue
        if name in truth and match[name](value, truth[name]):
            counts.tp += 1
        else:
            counts.fp += 1
            counts.wrong.add(name)
    for name in truth:
        if given.get(name) is None:
            counts.missing.add(name)
    counts.fn = len(truth) - counts.tp
    shares = [anls(given.get(name), [str(value)]) for name, value in truth.items()]
    counts.similarity = sum(shares) / len(shares) if shares else 1.0
    return counts


def count_rows(
    given: Sequence[Mapping[str, Any]],
    truth: Sequence[Mapping[str, Any]],
    key: str,
    match: Mapping[str, Match],
) -> FieldCounts:
    """Rows aligned by the unique ``key``; a row is right when every column of ``match`` is."""
    counts = FieldCounts()
    wanted = {norm(row[key]): row for row in truth}
    seen: set[str] = set()
    for row in given:
        name = norm(row.get(key))
        right = wanted.get(name)
        if right is not None and name not in seen and all(m(row.get(c), right[c]) for c, m in match.items()):
            counts.tp += 1
            seen.add(name)
        else:
            counts.fp += 1
            counts.wrong.add(name)
    counts.fn = len(truth) - counts.tp
    return counts
