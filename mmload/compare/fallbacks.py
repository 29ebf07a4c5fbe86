"""What one would do without the candidate, on the same items: is it worth having at all?

``prior`` gives the most usual answer, ``rules`` reads the prompt with patterns and a decision table, ``text``
is an ideal reader of the prompt who sees no image: an upper bound for every model without eyes. All three are
scored by the real scorers. ``human`` is declared in the matrix. A run of another pipeline (``ocr``) may be
given. The proof of having looked (the nonce in the image) is handed to the first three: they are judged by
their answers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from mmload import corpus, plugins
from mmload.compare.runs import Candidate, Floats, Ints
from mmload.intervals import CONFIDENCE, mcnemar, percentile_interval, resampled
from mmload.model import InputError, Item
from mmload.scorecard import matrix
from mmload.summary import Evidence
from mmload.tasks.triage import decide

_SILENT: Final = {"status": "insufficient_evidence", "answer": None}
_SCOPE: Final = re.compile(r"It hits (.+?); (there is a workaround|no workaround)")
_CAUSE: Final = re.compile(r"cause=(RC-\d{2})")
_PER_THOUSAND: Final = 1000
TRIAGE: Final = "triage"
_BEATEN: Final = ("prior", "rules")
"""What a candidate must beat on triage."""
Answerer = Callable[[Item], Mapping[str, Any]]


class Fallback(NamedTuple):
    name: str
    how: str
    passed: Floats
    """Share right, by item; NaN for items that were not asked."""
    wrong: Floats
    """Share answered and not right."""
    usd: float
    """A query."""
    seconds: float | None


class DoingWithout(NamedTuple):
    """All fallbacks of a comparison, and why some are missing."""

    fallbacks: Sequence[Fallback]
    notes: Sequence[str]
    triage: Ints
    """Index of the items of the triage task; empty if the suite is not at hand."""
    n_items: int


def doing_without(
    candidates: Sequence[Candidate], runs: Sequence[Candidate], plugin_files: Sequence[Path] = ()
) -> DoingWithout:
    """``runs``: of what one would do instead. Raises ``InputError`` for a run that did other work."""
    from mmload.compare import comparable

    for run in runs:
        comparable([candidates[0], run])
    notes: list[str] = []
    known: list[Fallback] = []
    triage = np.zeros(0, np.int64)
    n_items = 1 + max(int(c.rows.item.max(initial=-1)) for c in (*candidates, *runs))
    try:
        for file in plugin_files:
            plugins.register_file(file)
        items = corpus.load(Path(str(candidates[0].header["suite_dir"]))).items
        known, n_items = offline(items), len(items)
        triage = np.array([item.index for item in items if item.task == TRIAGE], np.int64)
    except InputError as e:
        notes.append(f"prior, rules and text need the suite: {e}")
    known += [_of_run(run, n_items) for run in runs]
    return DoingWithout([*known, _human(n_items)], notes, triage, n_items)


def against_fallbacks(
    candidates: Sequence[Candidate],
    without: DoingWithout,
    right_usd: float | None = None,
    wrong_usd: float | None = None,
) -> dict[str, Any]:
    """``fallbacks`` of ``compare.json``: every candidate against every fallback; why some are missing.

    ``right_usd`` and ``wrong_usd``: what an answer is worth, and what a wrong one costs; without both there
    is no net value.
    """
    rows = [
        _row(c, _of_run(c, without.n_items), fallback, right_usd, wrong_usd)
        for c in candidates
        for fallback in without.fallbacks
    ]
    return {"right_usd": right_usd, "wrong_usd": wrong_usd, "rows": rows, "notes": list(without.notes)}


def triage_gain(c: Candidate, without: DoingWithout) -> Evidence | None:
    """How much more often a candidate is right on triage than the usual answer and than rules: against
    whichever leaves less, with one-sided 95% bounds over items. None without triage, or without the suite.

    Few items that agree would make the bootstrap too sure: where not even the signs of the gains are
    significant, the lower bound is no better than none.
    """
    mine = _of_run(c, without.n_items)
    asked = without.triage[~np.isnan(mine.passed[without.triage])]
    rivals = [f for f in without.fallbacks if f.name in _BEATEN]
    if not len(asked) or not rivals:
        return None
    found = []
    for rival in rivals:
        gain = mine.passed[asked] - rival.passed[asked]
        low, high = _bound(asked, gain, 2 * CONFIDENCE - 1)
        if mcnemar(int((gain < 0).sum()), int((gain > 0).sum())) > 2 * (1 - CONFIDENCE):
            low = min(low, 0.0)
        found.append(Evidence(round(float(gain.mean()), 6), low, high, len(asked)))
    return min(found, key=lambda e: (e.low, e.value))


def offline(items: Sequence[Item]) -> list[Fallback]:
    """Prior, rules and text, scored on every item."""
    usual = {task: _usual([i for i in items if i.task == task]) for task in {i.task for i in items}}
    prior = _scored("prior", "the most usual answer of the task", lambda i: usual[i.task], items)
    rules = _scored(
        "rules", "patterns and a decision table on the prompt", lambda i: _rules(i, usual[i.task]), items
    )
    reader = _scored(
        "text", "an ideal reader of the prompt, without the image", lambda i: _reader(i, usual[i.task]), items
    )
    return [prior, _best(rules, prior, items), _best(reader, prior, items)]


def _best(clever: Fallback, plain: Fallback, items: Sequence[Item]) -> Fallback:
    """Task by task whichever does better: whoever has rules also knows the most usual answer."""
    passed, wrong = plain.passed.copy(), plain.wrong.copy()
    for task in {item.task for item in items}:
        at = np.array([item.index for item in items if item.task == task])
        if clever.passed[at].sum() > plain.passed[at].sum():
            passed[at], wrong[at] = clever.passed[at], clever.wrong[at]
    return clever._replace(passed=passed, wrong=wrong)


def _scored(name: str, how: str, answer: Answerer, items: Sequence[Item]) -> Fallback:
    passed, wrong = np.zeros(len(items)), np.zeros(len(items))
    for item in items:
        score = _score(item, answer(item))
        passed[item.index] = score.passed
        wrong[item.index] = not score.passed and score.status in ("answered", "conflict")
    return Fallback(name, how, passed, wrong, 0.0, 0.0)


def _score(item: Item, body: Mapping[str, Any]) -> Any:
    found: Any = plugins.get("tasks", item.task)
    task = found() if isinstance(found, type) else found
    envelope = {**body, "evidence": [], "confidence": 0.5, "nonce": item.nonce}
    return task.score(item, json.dumps(envelope, ensure_ascii=False), 0)


def _truth(item: Item) -> Mapping[str, Any]:
    return {"status": item.truth.get("status"), "answer": item.truth.get("answer")}


def _usual(items: Sequence[Item]) -> Mapping[str, Any]:
    """The best single answer to all items of a task: silence, the most frequent one, or each field's."""
    whole = Counter(json.dumps(_truth(i), sort_keys=True) for i in items).most_common(1)
    choices: list[Mapping[str, Any]] = [_SILENT, *(json.loads(text) for text, _ in whole)]
    answers = [a for i in items if isinstance(a := i.truth.get("answer"), Mapping)]
    if answers:
        fields = {k: _most([a[k] for a in answers if k in a]) for k in answers[0]}
        choices.append({"status": "answered", "answer": fields})
    return max(choices, key=lambda body: sum(_score(i, body).passed for i in items))


def _most(values: Sequence[Any]) -> Any:
    common = Counter(json.dumps(v, sort_keys=True) for v in values).most_common(1)
    return json.loads(common[0][0])


def _rules(item: Item, usual: Mapping[str, Any]) -> Mapping[str, Any]:
    """Triage by its decision table, with the code on screen guessed; else the usual answer."""
    ticket, cause = _SCOPE.search(item.prompt), _CAUSE.search(item.prompt)
    if item.task != "triage" or ticket is None or cause is None:
        return usual
    try:
        answer = decide("AUTH-100", ticket[1], ticket[2] == "there is a workaround", cause[1])
    except KeyError:
        return usual
    return {"status": "answered", "answer": answer}


def _reader(item: Item, usual: Mapping[str, Any]) -> Mapping[str, Any]:
    """The truth where no evidence but the nonce stands in an image; else what the rules make of it."""
    needed = [e for e in item.evidence if list(e.get("at") or []) != ["nonce"]]
    if needed and all(e.get("source") != "image" for e in needed):
        return _truth(item)
    return _rules(item, usual)


def _of_run(c: Candidate, n_items: int) -> Fallback:
    """By item, of its requests that were judged: one that failed gave neither a right nor a wrong answer."""
    rows = c.rows.take(np.flatnonzero(c.rows.judged & c.rows.sent))
    w = 1 / rows.pi
    n = np.bincount(rows.item, w, n_items)
    with np.errstate(invalid="ignore", divide="ignore"):
        passed = np.bincount(rows.item, w * rows.passed, n_items) / n
        wrong = np.bincount(rows.item, w * rows.wrong, n_items) / n
    cost = c.figures["cost"].get("per_query_usd")
    mean = c.figures["latency_ms"]["e2e"].get("mean")
    usd = float("nan") if cost is None else float(cost)
    return Fallback(c.name, f"run {c.folder.name}", passed, wrong, usd, None if mean is None else mean / 1000)


def _human(n_items: int) -> Fallback:
    h = matrix().human
    return Fallback(
        "human",
        f"declared: {h.quality:.0%} right, {h.seconds:g} s, {h.usd_per_hour:g} USD an hour",
        np.full(n_items, h.quality),
        np.full(n_items, 1 - h.quality),
        h.seconds / 3600 * h.usd_per_hour,
        h.seconds,
    )


def _row(
    c: Candidate, mine: Fallback, other: Fallback, right_usd: float | None, wrong_usd: float | None
) -> dict[str, Any]:
    both = np.flatnonzero(~np.isnan(mine.passed) & ~np.isnan(other.passed))
    if not len(both):
        return {"candidate": c.name, "fallback": other.name, "how": other.how, "n_items": 0}
    gain = mine.passed[both] - other.passed[both]
    fewer = other.wrong[both] - mine.wrong[both]
    worth: Floats | None = None
    if right_usd is not None and wrong_usd is not None and np.isfinite(mine.usd - other.usd):
        worth = gain * right_usd - (mine.usd - other.usd) + fewer * wrong_usd
    low, high = _bound(both, gain)
    net = None if worth is None else _bound(both, worth)
    review_s = c.profile.cost.review_rate * c.profile.cost.review_s
    saved = None if None in (mine.seconds, other.seconds) else other.seconds - (mine.seconds + review_s)  # type: ignore[operator]
    return {
        "candidate": c.name,
        "fallback": other.name,
        "how": other.how,
        "n_items": len(both),
        "fallback_quality": round(float(other.passed[both].mean()), 6),
        "quality_gain": round(float(gain.mean()), 6),
        "quality_gain_low": low,
        "quality_gain_high": high,
        "errors_avoided_per_1k": round(_PER_THOUSAND * float(fewer.mean()), 3),
        "time_saved_s": None if saved is None else round(saved, 3),
        "extra_cost_usd": round(mine.usd - other.usd, 8) if np.isfinite(mine.usd - other.usd) else None,
        "net_value_usd": None if worth is None else round(float(worth.mean()), 8),
        "net_value_low_usd": None if net is None else net[0],
        "net_value_high_usd": None if net is None else net[1],
        "verdict": _verdict(low, high, _dearer(mine, other, fewer, wrong_usd)),
    }


def _dearer(mine: Fallback, other: Fallback, fewer: Floats, wrong_usd: float | None) -> float:
    """What a query costs more, with its wrong answers if they are priced; NaN if a price is unknown."""
    return float(mine.usd - other.usd - (wrong_usd or 0.0) * fewer.mean())


def _verdict(low: float, high: float, dearer: float) -> str:
    """Better by quality; or not worse than by what counts as equal, and cheaper."""
    if low > 0:
        return "better"
    if low >= -matrix().ranking.equal_quality and dearer < 0:
        return "as good for less"
    return "worse" if high < 0 else "open"


def _bound(items: Any, values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of a mean over items, which are resampled."""
    means = resampled(items, lambda w: w @ values / w.sum(axis=1))
    found = percentile_interval(float(values.mean()), means, confidence)
    return round(found.low, 8), round(found.high, 8)
