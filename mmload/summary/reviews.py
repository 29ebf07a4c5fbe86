"""What people said of answers: ``reviews.csv`` of a run folder. Not aware of gates; it changes no score.

One row an answer: ``seq`` (as in requests.parquet) and ``verdict`` (``right`` or ``wrong``); ``reviewer`` and
``minutes`` if known. An answer that several people saw counts by their majority; a tie is no verdict.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mmload.intervals import wilson
from mmload.model import InputError
from mmload.summary.measures import passes
from mmload.summary.reading import scores_of
from mmload.summary.view import rounded

REVIEWS: Final = "reviews.csv"
_MEANS: Final = {"right": True, "wrong": False}


class Reviews(NamedTuple):
    votes: Mapping[int, Counter[bool]]
    """By seq."""
    reviewers: int | None
    """None if the file names none."""
    minutes: float | None

    @property
    def verdicts(self) -> dict[int, bool]:
        """By seq: what most said; without those that are tied."""
        return {seq: v[True] > v[False] for seq, v in self.votes.items() if v[True] != v[False]}


def read_reviews(path: Path) -> Reviews:
    """Raises ``InputError`` for a file that cannot be read, or a row that says neither right nor wrong."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), strict=True))
    except OSError as e:
        raise InputError(f"{path}: the reviews cannot be read ({e.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: no CSV in UTF-8 ({e})") from None
    if not rows or not {"seq", "verdict"} <= set(rows[0]):
        found = ", ".join(rows[0]) if rows else "no row"
        raise InputError(
            f'{path}: columns "seq" and "verdict" are needed, found: {found}; a row is as "17,right"'
        )
    votes: dict[int, Counter[bool]] = {}
    people: set[str] = set()
    minutes: list[float] = []
    for line, row in enumerate(rows, 2):
        votes.setdefault(_number(path, line, row, "seq", int), Counter())[_verdict(path, line, row)] += 1
        people |= {row["reviewer"].strip()} if (row.get("reviewer") or "").strip() else set()
        if (row.get("minutes") or "").strip():
            minutes.append(_number(path, line, row, "minutes", float))
    return Reviews(votes, len(people) or None, sum(minutes) if minutes else None)


def _verdict(path: Path, line: int, row: Mapping[str, str | None]) -> bool:
    said = (row["verdict"] or "").strip().lower()
    if said not in _MEANS:
        raise InputError(f'{path}, line {line}: verdict: "{said}" is neither "right" nor "wrong"')
    return _MEANS[said]


def _number(path: Path, line: int, row: Mapping[str, str | None], key: str, kind: Any) -> Any:
    text = (row[key] or "").strip()
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**62:
        raise InputError(f'{path}, line {line}: {key}: "{text}" is no number of 0 or more')
    return value


def review_figures(run_dir: Path, require_strict: bool) -> dict[str, Any] | None:
    """``quality.review``: None without reviews in the folder. Raises ``InputError`` for bad ones."""
    if not (run_dir / REVIEWS).exists():
        return None
    reviews = read_reviews(run_dir / REVIEWS)
    human = reviews.verdicts
    scores = list(scores_of(run_dir, set(human)).values())
    passed = passes(scores, require_strict).tolist() if scores else []
    said = Counter((human[s.seq], bool(p)) for s, p in zip(scores, passed, strict=True))
    return tally(reviews, said)


def tally(reviews: Reviews, said: Mapping[tuple[bool, bool], int]) -> dict[str, Any]:
    """``said``: answers by (a person holds it right, the scorer passes it)."""
    n = sum(said.values())
    over, under = said.get((False, True), 0), said.get((True, False), 0)
    override = wilson(over + under, n) if n else None
    return {
        "reviewed": len(reviews.votes),
        "compared": n,
        "reviewers": reviews.reviewers,
        "minutes": reviews.minutes,
        "override_ratio": rounded(override.value) if override else None,
        "override_low": rounded(override.low) if override else None,
        "override_high": rounded(override.high) if override else None,
        "scorer_too_kind": over,
        "scorer_too_strict": under,
        "kappa": rounded(cohen_kappa(said)),
    }


def cohen_kappa(said: Mapping[tuple[bool, bool], int]) -> float | None:
    """Cohen's kappa of two who each said yes or no: agreement beyond that of two who guess at their own
    rates. None if nothing was compared, or both said the same of everything."""
    n = sum(said.values())
    if not n:
        return None
    agree = (said.get((True, True), 0) + said.get((False, False), 0)) / n
    first = sum(k for (a, _), k in said.items() if a) / n
    second = sum(k for (_, b), k in said.items() if b) / n
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else (agree - chance) / (1 - chance)
