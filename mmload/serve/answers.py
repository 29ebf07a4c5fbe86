"""What the simulated model says: right where it could read, and by its seed wrong or silent where not.

Monotone coupling: every (seed, item, evidence) has one fixed draw, compared with a probability that only
falls as the picture shrinks, so that less resolution never mends an answer. Not aware of time or of HTTP.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from mmload.model import Item
from mmload.serve.sight import legibility
from mmload.serve.views import View

UNREAD_CONTEXT = 0.15
"""What is left of the probability when the evidence lies beyond the context that was kept."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and how it came about (known to tests and metrics only)."""

    text: str
    right: bool
    """Everything was read and nothing was planted."""
    abstained: bool
    planted: bool


def uniform(*parts: object) -> float:
    """A draw in [0, 1) that is a pure function of ``parts``."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def read_probability(item: Item, view: View) -> float:
    """Probability, over seeds, that everything in ``item`` is read through ``view``."""
    sharp = min((_sharpness(e, view) for e in item.evidence), default=1.0)
    beyond = sum(_beyond(e, view) for e in item.evidence)
    return view.eyes.cap * sharp * UNREAD_CONTEXT**beyond


def unread(item: Item, view: View, seed: int) -> list[str]:
    """Ids of the evidence that this view does not give up, in the item's order.

    The model's cap is shared out over the evidence (the root), so that an item has the documented chance
    however many fields it takes. Sharpness has one draw for a whole item: what is smallest is lost first.
    """
    slip = float(view.eyes.cap ** (1.0 / max(1, len(item.evidence))))
    blur = uniform(seed, "blur", item.id)
    return [
        e["id"]
        for e in item.evidence
        if blur >= _sharpness(e, view)
        or uniform(seed, "slip", item.id, e["id"]) >= slip
        or (_beyond(e, view) and uniform(seed, "beyond", item.id, e["id"]) >= UNREAD_CONTEXT)
    ]


def _sharpness(evidence: Mapping[str, Any], view: View) -> float:
    if evidence["source"] != "image":
        return 1.0
    number = evidence["image"] or 0
    if number >= len(view.scales):
        return 0.0
    if evidence["xheight_px"] is None:
        return 1.0
    return legibility(evidence["xheight_px"] * view.scales[number] / view.penalties[number], view.eyes)


def _beyond(evidence: Mapping[str, Any], view: View) -> bool:
    span = evidence["char_span"]
    return evidence["source"] != "image" and span is not None and span[1] > view.prompt_chars


def answer(item: Item, view: View, seed: int, planted: bool = False) -> Reply:
    """What the model answers to ``item`` seen through ``view``; ``planted`` forces an invented claim."""
    truth = item.truth
    missing = unread(item, view, seed)
    lost = [name for name in missing if name != "nonce"]
    nonce = _wrong(item, "nonce", seed) if "nonce" in missing else item.nonce
    if planted:
        return _said(item, "answered", truth["bait"], nonce, 0.9, planted=True)
    if truth["status"] == "insufficient_evidence":
        if uniform(seed, "overreach", item.id) < view.eyes.overreach:
            return _said(item, "answered", truth["bait"], nonce, 0.85)
        return _said(item, "insufficient_evidence", None, nonce, 0.9, right="nonce" not in missing)
    if not lost:
        return _said(item, truth["status"], truth["answer"], nonce, 0.95, right="nonce" not in missing)
    if uniform(seed, "abstain", item.id) < view.eyes.abstain:
        return _said(item, "insufficient_evidence", None, nonce, 0.4, abstained=True)
    return _misread(item, lost, nonce, seed)


def _said(
    item: Item,
    status: str,
    value: Any,
    nonce: str,
    confidence: float,
    *,
    right: bool = False,
    abstained: bool = False,
    planted: bool = False,
) -> Reply:
    envelope = {
        "status": status,
        "answer": value,
        "evidence": _citations(item, status),
        "confidence": confidence,
        "nonce": nonce,
    }
    return Reply(json.dumps(envelope, ensure_ascii=False), right, abstained, planted)


def _citations(item: Item, status: str) -> list[dict[str, str]]:
    if status == "insufficient_evidence":
        return []
    return [{"source": e["source"], "ref": e["id"]} for e in item.evidence[:4]]


def _misread(item: Item, lost: Sequence[str], nonce: str, seed: int) -> Reply:
    envelope: dict[str, Any] = {
        "status": item.truth["status"],
        "answer": copy.deepcopy(item.truth["answer"]),
        "evidence": _citations(item, "answered"),
        "confidence": 0.8,
        "nonce": nonce,
    }
    for evidence in item.evidence:
        if evidence["id"] in lost:
            put(envelope, evidence["at"], _wrong(item, evidence["id"], seed))
    return Reply(json.dumps(envelope, ensure_ascii=False), False, False, False)


def _wrong(item: Item, evidence: str, seed: int) -> Any:
    values = item.truth["plausible"][evidence]
    return copy.deepcopy(values[int(uniform(seed, "wrong", item.id, evidence) * len(values))])


def put(envelope: dict[str, Any], at: Sequence[str | int], value: Any) -> None:
    """Replace the value at path ``at``; an empty path merges a mapping into the envelope.

    A path that an earlier replacement took away is left alone: the answer is wrong there already.
    """
    if not at:
        envelope.update(value)
        return
    place: Any = envelope
    for key in at[:-1]:
        try:
            place = place[key]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(place, list):
        place[int(at[-1]) : int(at[-1]) + 1] = [value]
    elif isinstance(place, dict):
        place[at[-1]] = value


def stranger(wants_envelope: bool) -> str:
    """The answer to a picture that the pipeline does not know."""
    if not wants_envelope:
        return "I cannot tell from what I was given."
    return json.dumps(
        {"status": "insufficient_evidence", "answer": None, "evidence": [], "confidence": 0.2, "nonce": ""}
    )
