"""Scores answers as they land in the journal, in a process of its own, at low priority.

Not aware of how requests were sent, of load, or of which phases count: an answer is scored by its item,
its text and nothing else, so that scoring during the run and afterwards gives the same scores.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from mmload import corpus, journal, plugins
from mmload.journal import IDLE_S, RUN_JOURNAL, SCORES_JOURNAL
from mmload.model import Answer, InputError, Item, Score

_BATCH: Final = 256


class Scorer(Protocol):
    """What grading needs of a task."""

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score: ...


class Grader:
    """Scores the answers of one run, each once.

    An exception in a scorer is a fault of ours, not of the answer: the answer stays unscored, and the
    report says how many were.
    """

    def __init__(self, header: Mapping[str, Any], scorers: Mapping[str, Scorer] | None = None) -> None:
        """Raises ``InputError`` if the suite is gone, or a task of it is not known here."""
        suite = corpus.load(Path(str(header["suite_dir"])))
        self._items = suite.items
        self._nonces = corpus.nonces(suite)
        self._scripts = corpus.Scripts.of_run(header, len(suite.items))
        tasks = sorted({item.task for item in suite.items})
        self._scorers = dict(scorers) if scorers is not None else {t: _scorer(t) for t in tasks}
        self._done: set[int] = set()
        self.failed: dict[str, int] = {}
        """Scorers that raised: how often, by task and exception. Its text might quote the answer."""

    def grade(self, answers: Iterable[Answer]) -> list[Score]:
        """Scores of the answers that were not scored before and are whole."""
        out = []
        for answer in answers:
            if answer.seq in self._done or not answer.whole:
                continue
            self._done.add(answer.seq)
            item = self._items[answer.item]
            try:
                out.append(self._scorers[item.task].score(item, answer.text, answer.seq, self._foreign(item)))
            except Exception as error:  # a plug-in may raise anything
                what = f"{item.task}: {type(error).__name__}"
                self.failed[what] = self.failed.get(what, 0) + 1
        return out

    def _foreign(self, item: Item) -> Mapping[str, int]:
        """Nonces that belong to another session: with them an answer is recognised as somebody else's."""
        before = self._scripts.before(item.index) if self._scripts is not None else ()
        return corpus.NoncesBut(self._nonces, before) if before else self._nonces


def _scorer(task: str) -> Scorer:
    found = plugins.get("tasks", task)
    return cast(Scorer, found() if isinstance(found, type) else found)


def follow(
    run_dir: Path,
    scorers: Mapping[str, Scorer] | None = None,
    *,
    poll_s: float = 0.2,
    idle_s: float = IDLE_S,
    alone: Callable[[], bool] = lambda: False,
) -> Grader | None:
    """Score a run while it goes on, until its END frame, ``idle_s`` of silence, or ``alone()``.

    Appends to the scores journal; answers that it holds scores of are not scored again. None if no run
    ever began. Raises ``InputError`` for a journal that is not ours, or a suite or task that is missing.
    """
    runs = journal.Follower(run_dir / RUN_JOURNAL)
    grader: Grader | None = None
    writer: journal.Writer | None = None
    last_news = time.monotonic()
    ended = False
    try:
        while not ended:
            for kind, body in runs.poll():
                last_news = time.monotonic()
                if kind == journal.RUN and grader is None:
                    grader = Grader(body, scorers)
                    grader._done |= journal.resume(run_dir / SCORES_JOURNAL, journal.SCORES)
                    writer = journal.Writer(run_dir / SCORES_JOURNAL)
                elif kind == journal.ANSWERS and grader is not None and writer is not None:
                    _append(writer, grader.grade(body))
                elif kind == journal.END:
                    ended = True
            if runs.damaged or alone() or time.monotonic() - last_news > idle_s:
                break
            if not ended:
                time.sleep(poll_s)
    finally:
        if writer is not None:
            writer.close()
    return grader


def rescore(run_dir: Path, scorers: Mapping[str, Scorer] | None = None) -> Grader:
    """Score all stored answers anew, and put the result in the place of the scores journal at once.

    An answer whose text is no longer whole (``quality.texts``) keeps the score that it got. Raises
    ``InputError`` if the folder holds no run.
    """
    draft = run_dir / (SCORES_JOURNAL + ".new")
    draft.unlink(missing_ok=True)
    grader: Grader | None = None
    changed: set[int] = set()
    writer = journal.Writer(draft)
    for kind, body in journal.Follower(run_dir / RUN_JOURNAL).poll():
        if kind == journal.RUN and grader is None:
            grader = Grader(body, scorers)
        elif kind == journal.ANSWERS and grader is not None:
            _append(writer, grader.grade(body))
            changed.update(answer.seq for answer in body if not answer.whole)
    for kind, body in journal.Follower(run_dir / SCORES_JOURNAL).poll() if changed else ():
        if kind == journal.SCORES:
            _append(writer, [score for score in body if score.seq in changed])
    writer.close()
    if grader is None:
        draft.unlink()
        raise InputError(f"{run_dir}: no run of mmload in this folder ({RUN_JOURNAL})")
    draft.replace(run_dir / SCORES_JOURNAL)
    # The live scorer shares this module, and needs no matrix.
    from mmload.scorecard import matrix
    from mmload.scorecard.scored_by import keep

    if not changed:
        keep(run_dir, matrix())
    return grader


def _append(writer: journal.Writer, scores: list[Score]) -> None:
    for start in range(0, len(scores), _BATCH):
        writer.append(journal.SCORES, scores[start : start + _BATCH])


def lower_priority() -> None:
    """Give way to whoever sends traffic: the lowest share of the processor that is still a share."""
    try:
        os.nice(19)
    except (AttributeError, OSError):
        sys.stderr.write("mmload: the scorer runs at normal priority on this system\n")
