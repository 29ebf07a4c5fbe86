"""What a model as a judge said, held against the scorers: ``quality.judge`` of ``summary.json``.

Not aware of how the judge was asked. Its verdicts enter no score and no gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mmload import journal
from mmload.intervals import wilson
from mmload.model import Judgement, Money, Score
from mmload.price import micro, usd
from mmload.profile import Judge
from mmload.summary.measures import passes
from mmload.summary.view import rounded

_MTOK: Final = 1_000_000


@dataclass
class Judged:
    """The verdicts of one run: ``both``... count answers by who holds them right, judge and scorer."""

    model: str
    both: int = 0
    judge_only: int = 0
    scorer_only: int = 0
    neither: int = 0
    correct: int = 0
    n: int = 0
    failed: int = 0
    cost: Money = 0
    """Micro-dollars."""

    @property
    def compared(self) -> int:
        return self.both + self.judge_only + self.scorer_only + self.neither

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa (1960): agreement beyond that of two who guess at their own rates of yes.

        None if nothing was compared, or both said one and the same of everything.
        """
        n = self.compared
        if not n:
            return None
        judge, scorer = self.both + self.judge_only, self.both + self.scorer_only
        # In integers: at full agreement by chance the difference must be 0, not nearly 0.
        by_chance = judge * scorer + (n - judge) * (n - scorer)
        if by_chance == n * n:
            return None
        return ((self.both + self.neither) * n - by_chance) / (n * n - by_chance)


def judged(run_dir: Path, judge: Judge, require_strict: bool) -> Judged:
    """Read the judge's journal, and the scores of what it judged. Without a journal all counts are 0."""
    found: dict[int, Judgement] = {}
    for kind, body in journal.Follower(run_dir / journal.JUDGE_JOURNAL).poll():
        if kind == journal.JUDGEMENTS:
            for judgement in body:
                found.setdefault(judgement.seq, judgement)
    scores: dict[int, Score] = {}
    for kind, body in journal.Follower(run_dir / journal.SCORES_JOURNAL).poll() if found else ():
        if kind == journal.SCORES:
            scores.update((score.seq, score) for score in body if score.seq in found)
    passed = passes(list(scores.values()), require_strict).tolist() if scores else []
    return tally(judge, found.values(), dict(zip(scores, map(bool, passed), strict=True)))


def tally(judge: Judge, judgements: Iterable[Judgement], passed: dict[int, bool]) -> Judged:
    """Count; ``passed`` is what the scorers say, by seq. Each seq occurs once."""
    out = Judged(judge.model)
    for judgement in judgements:
        cost = _cost(judge, judgement)
        out.cost = None if out.cost is None or cost is None else out.cost + cost
        if judgement.correct is None:
            out.failed += 1
            continue
        out.n += 1
        out.correct += judgement.correct
        if judgement.seq in passed:
            name = _CELLS[judgement.correct, passed[judgement.seq]]
            setattr(out, name, getattr(out, name) + 1)
    return out


_CELLS: Final = {
    (True, True): "both",
    (True, False): "judge_only",
    (False, True): "scorer_only",
    (False, False): "neither",
}


def _cost(judge: Judge, judgement: Judgement) -> Money:
    """Micro-dollars, rounded once, half up; None without prices or tokens."""
    if judge.input_usd_per_mtok is None or judge.output_usd_per_mtok is None:
        return None
    if judgement.tokens_in is None or judgement.tokens_out is None:
        return None
    rate_in, rate_out = micro(judge.input_usd_per_mtok), micro(judge.output_usd_per_mtok)
    return (judgement.tokens_in * rate_in + judgement.tokens_out * rate_out + _MTOK // 2) // _MTOK


def judge_figures(found: Judged | None, prompt: str | None = None) -> dict[str, Any] | None:
    """None if no judge was asked for. ``prompt`` names what it was asked with, by version and digest."""
    if found is None:
        return None
    n = found.compared
    agreement = wilson(found.both + found.neither, n) if n else None
    return {
        "model": found.model,
        "prompt": prompt,
        "n": found.n,
        "failed": found.failed,
        "compared": n,
        "agreement_ratio": rounded(agreement.value) if agreement else None,
        "agreement_low": rounded(agreement.low) if agreement else None,
        "agreement_high": rounded(agreement.high) if agreement else None,
        "kappa": rounded(found.kappa),
        "judge_only": found.judge_only,
        "scorer_only": found.scorer_only,
        "judged_pass_ratio": rounded(found.correct / found.n) if found.n else None,
        "cost_usd": usd(found.cost),
    }
