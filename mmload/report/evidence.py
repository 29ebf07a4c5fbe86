"""The evidence behind a gate: the requests that weighed most against it, as they really were.

Holds at most twenty requests of a run (``series["worst"]``), redacted; each with a thumbnail of the
image that was sent. Not aware of how they were chosen.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from mmload.report.escape import redact, visible
from mmload.report.measured import Measured
from mmload.report.verdicts import GateLine, gates
from mmload.report.wording import DASH, known, ms

THUMBNAIL_PX = 320
MOST_PER_GATE = 5
_LONGEST = {"prompt": 420, "expected": 520, "answer": 700}


@dataclass(frozen=True)
class Case:
    """One request as it is shown."""

    seq: int
    phase: str
    task: str
    image: str
    """A data URL, or empty."""
    why_no_image: str
    prompt: str
    answer: str
    expected: str
    score: str
    reason: str
    latency: str
    error: str


@dataclass(frozen=True)
class Page:
    """A failed or undecided gate with its cases."""

    gate: GateLine
    chosen_by: str
    cases: list[Case]
    """Those not shown under an earlier gate."""
    again: list[Case]


def worst(measured: Measured) -> list[Case]:
    return [_case(measured, entry) for entry in measured.series.get("worst") or []]


def of_gates(measured: Measured) -> list[Page]:
    """One page per gate that did not pass, failed ones first."""
    entries = list(measured.series.get("worst") or [])
    pages: list[Page] = []
    shown: set[int] = set()
    for gate in sorted(gates(measured), key=lambda gate: gate.verdict != "fail"):
        if gate.verdict == "pass":
            continue
        chosen_by, wanted, order = _selection(gate.name)
        chosen = sorted((e for e in entries if wanted(e)), key=order)[:MOST_PER_GATE]
        cases = [_case(measured, entry) for entry in chosen]
        pages.append(
            Page(
                gate,
                chosen_by,
                [c for c in cases if c.seq not in shown],
                [c for c in cases if c.seq in shown],
            )
        )
        shown |= {case.seq for case in cases}
    return pages


Entry = dict[str, Any]


def _selection(name: str) -> tuple[str, Callable[[Entry], bool], Callable[[Entry], Any]]:
    """How the requests that weigh on a gate are told: in words, as a test, and as an order."""

    def slowest(entry: Entry) -> float:
        return -(entry.get("e2e_ms") or 0.0)

    def lowest(entry: Entry) -> tuple[float, float]:
        score = entry.get("score")
        return (float(score) if known(score) else 2.0, slowest(entry))

    if "e2e" in name or "ttft" in name or "slo" in name or "recovery" in name:
        return "the slowest requests of the run", lambda e: known(e.get("e2e_ms")), slowest
    if name == "error_max":
        return "requests that failed or were shed", lambda e: bool(e.get("error")), slowest
    if (
        "halluc" in name
        or "overreach" in name
        or "schema" in name
        or "cross_talk" in name
        or "safety" in name
    ):
        return "scored answers with the lowest score", lambda e: known(e.get("score")), lowest
    if "quality" in name or "good_query" in name:
        return "scored answers with the lowest score", lambda e: known(e.get("score")), lowest
    return "the requests with the lowest score or the longest time", lambda e: True, lowest


def _case(measured: Measured, entry: Entry) -> Case:
    image, why = _thumbnail(measured, entry.get("image"))
    return Case(
        seq=int(entry.get("seq") or 0),
        phase=str(entry.get("phase") or ""),
        task=str(entry.get("task") or ""),
        image=image,
        why_no_image=why,
        prompt=_text(entry.get("prompt"), _LONGEST["prompt"]),
        answer=_text(entry.get("answer"), _LONGEST["answer"]),
        expected=_text(entry.get("expected"), _LONGEST["expected"]),
        score=f"{entry['score']:.2f}" if known(entry.get("score")) else DASH,
        reason=_text(entry.get("reason")),
        latency=ms(entry.get("e2e_ms")),
        error=_text(entry.get("error")),
    )


def _text(value: Any, longest: int = 300) -> str:
    text = visible(redact(str(value if value is not None else "")))
    return text if len(text) <= longest else text[:longest].rstrip() + " …"


def _thumbnail(measured: Measured, file: Any) -> tuple[str, str]:
    """A small JPEG as data URL, and otherwise why there is none."""
    if not file:
        return "", "no image in this request"
    suite = Path(str(measured.run_info.get("suite_dir") or ""))
    path = (suite / str(file)).resolve()
    if not measured.run_info.get("suite_dir") or not path.is_relative_to(suite.resolve()):
        return "", "the suite of this run is not at hand"
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
            small = opened.convert("RGB")
        small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=72, optimize=True)
    except (OSError, ValueError):
        return "", "the image is no longer in the cache of suites"
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode(), ""
