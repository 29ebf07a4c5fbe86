"""Who a failure belongs to: the model, a stage of the pipeline, the adapter or the generator; by evidence.

Also how good each model was that answered: under pressure a pipeline may ask a smaller one. One pass over
records and scores; of the measured phases. Not aware of gates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mmload.intervals import wilson
from mmload.model import LOCAL_KINDS, NS_PER_US, ErrorKind, Outcome, Record, Score
from mmload.summary.measures import CLAIM_TYPES
from mmload.summary.run_info import RunInfo
from mmload.summary.server_timing import timings
from mmload.summary.sums import Summary
from mmload.summary.view import ratio, rounded

PARTIES: Final = ("model", "pipeline", "adapter", "generator")
_GENERATOR: Final = frozenset(kind.value for kind in LOCAL_KINDS)
_PROTOCOL: Final = frozenset(
    kind.value
    for kind in (
        ErrorKind.MALFORMED_SSE,
        ErrorKind.MALFORMED_JSON,
        ErrorKind.INVALID_UTF8,
        ErrorKind.BAD_ENCODING,
        ErrorKind.WRONG_CONTENT_TYPE,
        ErrorKind.BODY_TOO_LARGE,
        ErrorKind.HEADER_TOO_LARGE,
        ErrorKind.PROTOCOL_ERROR,
        ErrorKind.REDIRECT,
        ErrorKind.HTTP_4XX,
    )
)
"""What the adapter could not read, or the target would not take."""
_CONNECTION: Final = frozenset(
    kind.value
    for kind in (
        ErrorKind.DNS,
        ErrorKind.CONNECT_REFUSED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.CONNECT_RESET,
        ErrorKind.TLS_CERT,
        ErrorKind.TLS_HANDSHAKE,
        ErrorKind.SEND_TIMEOUT,
    )
)
_UNLOADED: Final = 0.5


class Blame(NamedTuple):
    party: str
    """One of ``PARTIES``."""
    stage: str
    """Of the pipeline, or what of the model or the adapter failed."""

    def __str__(self) -> str:
        return f"{self.party}: {self.stage}"


@dataclass
class _Answered:
    n: int = 0
    n_scored: int = 0
    weight: float = 0.0
    squared: float = 0.0
    passed: float = 0.0
    by_phase: Counter[int] = field(default_factory=Counter)


class Attribution:
    """Takes every record once, with its score if it has one."""

    def __init__(self, info: RunInfo, summary: Summary) -> None:
        self._info = info
        self._strict = info.profile.quality.require_strict_schema
        self._measured = frozenset(p.number for p in info.measured)
        self._unloaded = _passing_unloaded(info, summary)
        self._blamed: Counter[Blame] = Counter()
        self._first: dict[Blame, int] = {}
        self._models: dict[str, _Answered] = {}
        self._answers: Counter[int] = Counter()

    def add(self, record: Record, score: Score | None) -> Blame | None:
        """Whose failure it is; None of a request that is right, or not scored, and in time."""
        right = None if score is None else score.passed and (not self._strict or score.schema == "strict")
        found = self._blame(record, score, right)
        if record.phase in self._measured:
            self._count(record, right)
            if found is not None:
                self._blamed[found] += 1
                self._first[found] = min(record.seq, self._first.get(found, record.seq))
        return found

    def _blame(self, record: Record, score: Score | None, right: bool | None) -> Blame | None:
        if record.outcome != Outcome.OK:
            return _of_error(record)
        if score is not None and not right:
            return self._of_answer(record, score)
        return Blame("pipeline", f"late: {_slowest_stage(record)}") if self._late(record) else None

    def _late(self, record: Record) -> bool:
        """Beyond its objective, to the last byte or to the first token."""
        assert record.end_ns is not None
        if (record.end_ns - record.due_ns) // NS_PER_US > self._info.slo_us[record.item]:
            return True
        first = record.first_token_ns
        return first is not None and (
            (first - record.due_ns) // NS_PER_US > self._info.slo_ttft_us[record.item]
        )

    def _of_answer(self, record: Record, score: Score) -> Blame:
        if score.nonce == "foreign" or "cross_talk" in score.safety:
            return Blame("pipeline", "answers mixed up")
        if score.schema == "invalid" and record.finish_reason in ("length", "max_tokens"):
            return Blame("adapter", "token limit too low")
        if self._fallback(record.model):
            return Blame("pipeline", "fallback model")
        if self._unloaded.get(record.item, 0.0) > _UNLOADED:
            return Blame("pipeline", "right without load")
        return Blame("model", _wrong(score))

    def _fallback(self, answered: str) -> bool:
        """Whether another model answered than was asked; a dated name of the same is no other."""
        asked = self._info.profile.target.model
        return bool(answered) and not answered.startswith(asked) and not asked.startswith(answered)

    def _count(self, record: Record, right: bool | None) -> None:
        if record.outcome != Outcome.OK:
            return
        self._answers[record.phase] += 1
        mine = self._models.setdefault(record.model or self._info.profile.target.model, _Answered())
        mine.n += 1
        mine.by_phase[record.phase] += 1
        if right is not None:
            w = 1 / max(record.pi, 1e-3)
            mine.n_scored += 1
            mine.weight += w
            mine.squared += w * w
            mine.passed += w * right

    def figures(self) -> dict[str, Any]:
        """``attribution`` of ``summary.json``: counts by party, and every cause with its first request."""
        total = sum(self._blamed.values())
        rows = [
            {
                "party": blame.party,
                "stage": blame.stage,
                "n": n,
                "share": ratio(n, total),
                "first_seq": self._first[blame],
            }
            for blame, n in sorted(self._blamed.items(), key=lambda kv: (-kv[1], kv[0]))
        ]
        by_party = {p: sum(n for b, n in self._blamed.items() if b.party == p) for p in PARTIES}
        return {"failures": total, "by_party": by_party, "causes": rows}

    def by_model(self) -> dict[str, Any]:
        """``quality.by_model``: share of answers and quality of each model that answered, most used first."""
        total = sum(self._answers.values())
        ranked = sorted(self._models.items(), key=lambda kv: (-kv[1].n, kv[0]))
        return {name: self._model(found, total) for name, found in ranked}

    def _model(self, found: _Answered, total: int) -> dict[str, Any]:
        n = found.weight**2 / found.squared if found.squared else 0.0
        share = wilson(found.passed / found.weight * n, n) if n else None
        names = {p.number: p.name for p in self._info.phases}
        return {
            "n": found.n,
            "share": ratio(found.n, total),
            "n_scored": found.n_scored,
            "score": rounded(share.value) if share else None,
            "low": rounded(share.low) if share else None,
            "high": rounded(share.high) if share else None,
            "share_by_phase": {
                names[phase]: ratio(found.by_phase[phase], n) for phase, n in sorted(self._answers.items())
            },
        }


def _of_error(record: Record) -> Blame:
    if record.error == ErrorKind.SESSION_ENDED:
        return Blame("pipeline", "an earlier turn failed")
    if record.outcome == Outcome.NOT_SENT or record.error in _GENERATOR:
        return Blame("generator", record.error or "not sent")
    if record.outcome == Outcome.SHED:
        return Blame("pipeline", "admission: shed")
    if record.error in _PROTOCOL:
        return Blame("adapter", record.error)
    if record.error in _CONNECTION:
        return Blame("pipeline", f"connection: {record.error}")
    if record.error == ErrorKind.CONTENT_FILTER:
        return Blame("pipeline", "content filter")
    return Blame("pipeline", record.error)


def _slowest_stage(record: Record) -> str:
    """The longest stage as the target tells it; waiting for a lane, if that took longest."""
    assert record.end_ns is not None
    waited = ((record.sent_ns or record.due_ns) - record.due_ns) / 1e6
    if waited > (record.end_ns - record.due_ns) / 2e6:
        return "every lane taken"
    names, durations = timings(record.server_timing) if record.server_timing else ([], [])
    if not len(names):
        return "stage unknown"
    return str(max(zip(names, durations, strict=True), key=lambda pair: pair[1])[0])[:40]


def _wrong(score: Score) -> str:
    if score.schema == "invalid":
        return "schema"
    if score.safety:
        return "safety rule broken"
    if not score.answerable and score.status == "answered":
        return "answered what it cannot know"
    if score.answerable and score.status in ("insufficient_evidence", "refused"):
        return "declined what it could know"
    if score.critical:
        kinds = [kind for kind in CLAIM_TYPES if score.hallucinated.get(kind)]
        return f"invented: {kinds[0]}" if kinds else "invented"
    if score.nonce != "ok":
        return f"nonce {score.nonce}"
    return "wrong answer"


def _passing_unloaded(info: RunInfo, summary: Summary) -> dict[int, float]:
    """Share of passes by item in the baseline phase; empty without one."""
    baseline = info.profile.quality.baseline
    phases = {p.number for p in info.phases if p.group == baseline}
    keys, rows = summary.item_scores.arrays()
    sums: dict[int, list[int]] = {}
    for key, (n, passed) in zip(keys.tolist(), rows.tolist(), strict=True):
        if key >> 40 in phases:
            found = sums.setdefault(key & 0xFFFFFFFF, [0, 0])
            found[0] += n
            found[1] += passed
    return {item: passed / n for item, (n, passed) in sums.items() if n}
