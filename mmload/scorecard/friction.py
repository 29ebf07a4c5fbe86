"""How much work it is to live with a target: counted from a run, never guessed. ``scorecard.friction``.

A part that the run could not show (no retry allowed, no reworded prompt in the mix, quirks not declared) is
null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mmload.model import ErrorKind
from mmload.profile import Profile
from mmload.scorecard.matrix import Matrix

BROKEN_PROTOCOL: Final = frozenset(
    kind.value
    for kind in (
        ErrorKind.MALFORMED_SSE,
        ErrorKind.MALFORMED_JSON,
        ErrorKind.INVALID_UTF8,
        ErrorKind.BAD_ENCODING,
        ErrorKind.WRONG_CONTENT_TYPE,
        ErrorKind.HEADER_TOO_LARGE,
        ErrorKind.PROTOCOL_ERROR,
        ErrorKind.TRUNCATED_STREAM,
        ErrorKind.TRUNCATED_BODY,
        ErrorKind.EMPTY_RESPONSE,
    )
)
REWORDED: Final = frozenset({"typos", "prompt_clutter", "renamed_vars"})
"""Degradations that change the words of a prompt and nothing of its truth."""


def friction(figures: Mapping[str, Any], profile: Profile, matrix: Matrix) -> dict[str, Any]:
    """``{value, parts [{name, means, value, cap, weight}], not_measured [name]}``; value 0 to 100 or null."""
    found = _measured(figures, profile)
    parts = [
        {"name": p.name, "means": p.means, "value": found.get(p.name), "cap": p.cap, "weight": p.weight}
        for p in matrix.friction
    ]
    known = [p for p in matrix.friction if found.get(p.name) is not None]
    weight = sum(p.weight for p in known)
    total = sum(p.weight * min(1.0, (found[p.name] or 0.0) / p.cap) for p in known)
    return {
        "value": round(100 * total / weight, 3) if weight > 0 else None,
        "parts": parts,
        "not_measured": [p.name for p in matrix.friction if found.get(p.name) is None],
    }


def _measured(figures: Mapping[str, Any], profile: Profile) -> dict[str, float | None]:
    quality, counts = figures["quality"], figures["counts"]
    strict, valid = quality.get("schema_strict_ratio"), quality.get("schema_valid_ratio")
    sent = counts["sent"]
    broken = sum(n for kind, n in counts["errors"].items() if kind in BROKEN_PROTOCOL)
    more = counts.get("attempts")
    quirks = profile.target.quirks
    return {
        "schema_failure": None if strict is None else round(1 - strict, 6),
        "repairs": None if strict is None or valid is None else round(valid - strict, 6),
        "retries": round(more / sent - 1, 6) if profile.target.retries and sent and more else None,
        "prompt_sensitivity": _sensitivity(quality),
        "instability": round(broken / sent, 6) if sent else None,
        "quirks": None if quirks is None else float(len(quirks)),
    }


def _sensitivity(quality: Mapping[str, Any]) -> float | None:
    """Largest difference of quality between a prompt and its rewording, less the noise floor if known."""
    rows = (quality.get("robustness") or {}).get("by_variant") or []
    spread: list[float] = [
        abs(row["clean"] - row["degraded"]) for row in rows if row["variant"].split("@")[0] in REWORDED
    ]
    if not spread:
        return None
    floor = (quality.get("baseline_delta") or {}).get("noise_floor") or 0.0
    return round(max(0.0, max(spread) - floor), 6)
