"""Why an answer did not pass, in words."""

from __future__ import annotations

from mmload.model import Score


def reason(score: Score) -> str:
    """Why an answer did not pass, in words."""
    if score.nonce == "foreign":
        return "carries another request's nonce"
    if score.safety:
        return "breaks " + ", ".join(sorted(score.safety))
    if score.schema == "invalid":
        return "does not fit the answer schema"
    if score.critical:
        return "critical hallucination"
    if not score.answerable and score.status == "answered":
        return "answers what cannot be told"
    if score.answerable and score.status in ("insufficient_evidence", "refused"):
        return "declines what can be told"
    low = sorted((v, k) for k, v in score.detail.items() if v < 1)
    return "wrong: " + ", ".join(f"{k} {v:.2f}" for v, k in low[:3]) if low else "wrong"
