"""Figures of published hallucination benchmarks, from what scorers of ``describe`` and ``conflict`` count.

Answers of measured phases, each counted once (not weighted by its sampling probability). None where there is
nothing to divide by. Not aware of how anything was asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mmload.model import Score

SOURCES: Final = ("image", "text", "code")
COUNTED: Final = (
    *("mentions", "mentions_false", "objects", "objects_covered", "bait", "bait_named"),
    *("probes", "there_yes", "there_no", "absent_yes", "absent_no", "probes_all_right"),
    *("conflicts", "flagged", "blend", "consistent", "flagged_falsely"),
    *(f"authority_{source}" for source in SOURCES),
    *(f"{authority}>{followed}" for authority in SOURCES for followed in SOURCES),
)
"""Names in ``Score.detail`` that are counts, and may be added up."""
_PREFIX: Final = "detail:"
_DIGITS: Final = 6
_COUNTED: Final = frozenset(COUNTED)


def counted(scores: Iterable[Score]) -> Counter[str]:
    """What the details of the scores add up to, for ``Summary.tallies``."""
    out: Counter[str] = Counter()
    for score in scores:
        if "mentions" in score.detail:
            out[_PREFIX + "described"] += 1
            out[_PREFIX + "described_falsely"] += score.detail["mentions_false"] > 0
        for name, n in score.detail.items():
            if name in _COUNTED and n:
                out[_PREFIX + name] += int(n)
    return out


def benchmark_figures(tallies: Mapping[str, int], twins_right: float | None) -> dict[str, Any]:
    """``amber``, ``pope`` and ``hallusion_bench`` of ``quality.hallucination``.

    ``twins_right`` is the share of twin pairs of which both answers were right: the same question, with and
    without the evidence in the picture.
    """
    n = {name: tallies.get(_PREFIX + name, 0) for name in (*COUNTED, "described", "described_falsely")}
    there = Probes(n["there_yes"], n["absent_yes"], n["there_no"], n["absent_no"])
    absent = Probes(n["absent_no"], n["there_no"], n["absent_yes"], n["there_yes"])
    return {
        "amber": _amber(n, absent),
        "pope": {**there.figures(), "yes_ratio": _ratio(there.said, there.n), "n": there.n},
        "hallusion_bench": _hallusion_bench(n, there, twins_right),
    }


class Probes:
    """A two-by-two table of probes; ``true`` and ``false`` are those answered with the positive class."""

    def __init__(self, true: int, false: int, missed: int, declined: int) -> None:
        self.true, self.false, self.missed = true, false, missed
        self.said, self.right = true + false, true + declined
        self.n = true + false + missed + declined

    def figures(self) -> dict[str, float | None]:
        return {
            "accuracy": _ratio(self.right, self.n),
            "precision": _ratio(self.true, self.said),
            "recall": _ratio(self.true, self.true + self.missed),
            "f1": _ratio(2 * self.true, 2 * self.true + self.false + self.missed),
        }


def _amber(n: Mapping[str, int], absent: Probes) -> dict[str, Any]:
    """AMBER (arXiv 2311.07397): of probes "no" is the positive class; score = (100 - CHAIR + F1) / 2."""
    chair, found = _ratio(n["mentions_false"], n["mentions"]), absent.figures()
    f1 = found["f1"]
    return {
        "score": None if chair is None or f1 is None else round((100 - 100 * chair + 100 * f1) / 2, 3),
        "chair": chair,
        "cover": _ratio(n["objects_covered"], n["objects"]),
        "hal": _ratio(n["described_falsely"], n["described"]),
        "cog": _ratio(n["bait_named"], n["bait"]),
        **found,
        "n": n["described"],
    }


def _hallusion_bench(n: Mapping[str, int], there: Probes, twins_right: float | None) -> dict[str, Any]:
    """HallusionBench (arXiv 2310.14566): a question is right, all of a figure's are, all of its figures'."""
    wrong, truly = there.n - there.right, there.true + there.missed
    return {
        "a_acc": _ratio(there.right, n["probes"]),
        "f_acc": _ratio(n["probes_all_right"], n["described"]),
        "q_acc": twins_right,
        "yes_difference": _ratio(there.said - truly, there.n),
        "false_positive_ratio": _ratio(there.false, wrong),
        "n": n["probes"],
    }


def conflict_figures(tallies: Mapping[str, int]) -> dict[str, Any]:
    """``quality.conflict``: whose word was taken where image, text and code differ, and whether it was said.

    ``followed``: by the source that was to be trusted, the share of answers with its value, and with that of
    each source that states another one.
    """
    n = {name: tallies.get(_PREFIX + name, 0) for name in COUNTED}
    followed = {
        trusted: {source: _ratio(n[f"{trusted}>{source}"], n[f"authority_{trusted}"]) for source in SOURCES}
        for trusted in SOURCES
    }
    return {
        "authoritative_ratio": _ratio(sum(n[f"{s}>{s}"] for s in SOURCES), n["conflicts"]),
        "detected_ratio": _ratio(n["flagged"], n["conflicts"]),
        "blend_ratio": _ratio(n["blend"], n["conflicts"]),
        "false_conflict_ratio": _ratio(n["flagged_falsely"], n["consistent"]),
        "followed": followed,
        "n": n["conflicts"],
        "n_consistent": n["consistent"],
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, _DIGITS) if whole else None
