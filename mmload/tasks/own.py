"""A user's own items: the scorer that each line of the file names, on the text of the answer as it came.

Without a schema the text itself is compared; with one it must be JSON of that schema (a code fence around it
is repaired). An answer in mmload's envelope is taken by its ``answer``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from mmload.model import InputError, Item, Score
from mmload.score.envelope import STATUSES, Envelope, loads, unfenced
from mmload.score.fields import count_fields
from mmload.score.text import anls, norm, relaxed, same_amount, same_date, same_text
from mmload.tasks import Drawn, Want

_ENVELOPE_KEYS: Final = frozenset({"status", "answer", "evidence", "confidence", "nonce"})
_DECLINES: Final = frozenset({"", "null", "none", "unanswerable"})


class Own:
    name = "own"
    version = "1"
    schema: Mapping[str, Any] = {}
    pairs = False
    want = Want

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        raise InputError('task "own" draws nothing: give its items by mix.items_file')

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        status, answer, schema = _read(item, text)
        if schema == "invalid":
            return Score(seq, item.index, item.task, False, 0.0, schema, "", item.answerable, nonce="ok")
        declined = status == "insufficient_evidence" or norm(answer) in _DECLINES
        if not item.answerable:
            value, detail = float(declined), {"overreach": float(not declined)}
        else:
            value, detail = SCORERS[item.truth["scorer"]](answer, item.truth["answer"]), {}
        passed = value >= item.truth.get("threshold", 1.0)
        # "None" may be what an answerable item asks for: then it is an answer.
        if declined and status == "answered" and not (item.answerable and passed):
            status = "insufficient_evidence"
        return Score(
            seq,
            item.index,
            item.task,
            passed,
            value,
            schema,
            status,
            item.answerable,
            nonce="ok",
            detail=detail,
        )


def _read(item: Item, text: str) -> tuple[str, Any, str]:
    """Status, answer, and ``strict``, ``repaired`` or ``invalid``."""
    body = loads(text)
    if isinstance(body, dict) and set(body) == _ENVELOPE_KEYS and body["status"] in STATUSES:
        return str(body["status"]), body["answer"], "strict"
    schema = item.truth.get("schema")
    if schema is not None:
        parsed = _validator(json.dumps(schema, sort_keys=True)).parse_any(text)
        return "answered", parsed[1], parsed[0]
    if item.truth["scorer"] in ("json", "fields"):
        if body is not None:
            return "answered", body, "strict"
        inner = loads(unfenced(text) or "")
        return ("answered", inner, "repaired") if inner is not None else ("", None, "invalid")
    return "answered", text.strip(), "strict"


@lru_cache(maxsize=256)
def _validator(schema: str) -> Envelope:
    return Envelope(json.loads(schema))


def _contains(given: Any, truth: Any) -> float:
    wanted = truth if isinstance(truth, list) else [truth]
    return sum(norm(w) in norm(given) for w in wanted) / len(wanted) if wanted else 1.0


def _fields(given: Any, truth: Mapping[str, Any]) -> float:
    if not isinstance(given, dict):
        return 0.0
    return count_fields(given, truth, dict.fromkeys(truth, _same)).f1


def _same(given: Any, truth: Any) -> bool:
    return given == truth or same_text(given, str(truth)) or (same_amount(given, truth) and norm(truth) != "")


def _exact(given: Any, truth: Any) -> float:
    return float(_same(given, truth))


SCORERS: Final[dict[str, Callable[[Any, Any], float]]] = {
    "exact": _exact,
    "anls": lambda given, truth: anls(given, truth if isinstance(truth, list) else [truth]),
    "contains": _contains,
    "amount": lambda given, truth: float(same_amount(given, truth)),
    "date": lambda given, truth: float(same_date(given, truth)),
    "relaxed": lambda given, truth: float(relaxed(given, truth)),
    "fields": _fields,
    "json": lambda given, truth: float(given == truth),
}
