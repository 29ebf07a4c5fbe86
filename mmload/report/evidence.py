"""The evidence behind a gate: the requests that weighed most against it, as they really were.

``series["worst"]`` holds the cases of ``summary.cases`` with the names of the lists that each is on; which
list weighs on which gate is said here. Redacted, each with a thumbnail of the image that was sent.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
    trace_id: str
    """By which it is found in the target's own traces and logs; may be empty."""


@dataclass(frozen=True)
class Page:
    """A failed or undecided gate with its cases."""

    gate: GateLine
    chosen_by: str
    cases: list[Case]
    """Those not shown under an earlier gate."""
    again: list[Case]
    beside: tuple[str, str]
    """Section of the report that says more: its anchor and its name."""


def worst(measured: Measured, most: int) -> list[Case]:
    """The answers that did worst, and the slowest: for a run whose gates all hold."""
    entries = measured.series.get("worst") or []
    return [_case(measured, entry) for entry in entries[:most]]


def of_gates(measured: Measured) -> list[Page]:
    """One page per gate that did not pass, failed ones first."""
    entries = list(measured.series.get("worst") or [])
    pages: list[Page] = []
    shown: set[int] = set()
    for gate in sorted(gates(measured), key=lambda gate: gate.verdict != "fail"):
        if gate.verdict == "pass":
            continue
        chosen_by, lists, beside = _selection(gate.name)
        cases = [_case(measured, entry) for entry in _on(entries, lists)[:MOST_PER_GATE]]
        first = [case for case in cases if case.seq not in shown]
        pages.append(Page(gate, chosen_by, first, [c for c in cases if c.seq in shown], beside))
        shown |= {case.seq for case in cases}
    return pages


Entry = dict[str, Any]


def _on(entries: Sequence[Entry], prefixes: Sequence[str]) -> list[Entry]:
    """Entries on lists of these names, worst first; of several lists the first of each, then the second."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, int, Entry]] = []
    for entry in entries:
        for name in entry.get("lists") or ():
            if name.startswith(tuple(prefixes)):
                ranked.append((seen[name], len(ranked), entry))
                seen[name] += 1
                break
    if any(p == "slow" for p in prefixes):
        return sorted((entry for *_, entry in ranked), key=lambda entry: -(entry.get("e2e_ms") or 0.0))
    return [entry for *_, entry in sorted(ranked, key=lambda r: r[:2])]


_ERRORS = ("#s-errors", "Errors")
_BY_WORD: Final = (
    (("slo", "e2e", "ttft", "recovery"), "the slowest requests", ("slow",), ("#s-latency", "Latency")),
    (("error",), "the first requests of each error kind", ("error:", "shed:"), _ERRORS),
    (
        ("halluc",),
        "answers with a critical hallucination",
        ("critical",),
        ("#hallucination", "Hallucinations"),
    ),
    (("overreach",), "answers to what cannot be told", ("overreach",), ("#s-quality", "Quality")),
    (("schema",), "answers that do not fit the schema", ("schema",), ("#s-quality", "Quality")),
    (("cross_talk",), "answers that belong to another request", ("cross_talk",), ("#s-quality", "Quality")),
    (("safety",), "answers that break a safety rule", ("safety",), ("#s-quality", "Quality")),
    (("per_query_usd",), "no single request: every one has its part", (), ("#s-cost", "Cost")),
    (("good_query",), "answers that were paid for and are wrong", ("poor",), ("#s-cost", "Cost")),
    (("rpm_at_quality",), "answers that did not pass", ("poor",), ("#gates", "Load levels")),
    (("",), "answers that did not pass, lowest score first", ("poor",), ("#s-slices", "Slices")),
)


def _selection(name: str) -> tuple[str, tuple[str, ...], tuple[str, str]]:
    """What weighs on a gate: in words, as lists of cases, and the section that says more."""
    return next(
        (said, lists, beside)
        for words, said, lists, beside in _BY_WORD
        if any(word in name for word in words)
    )


def _case(measured: Measured, entry: Entry) -> Case:
    if measured.profile.quality.texts == "none":
        entry = entry | dict.fromkeys(_LONGEST, "[not kept]")
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
        score=_score(entry),
        reason=_text(entry.get("reason")),
        latency=ms(entry.get("e2e_ms")),
        error=_text(entry.get("error")),
        trace_id=str(entry.get("trace_id") or ""),
    )


def _score(entry: Entry) -> str:
    if not known(entry.get("score")):
        return DASH
    passed = entry.get("passed")
    return f"{entry['score']:.2f}" + ("" if passed is None else ", passed" if passed else ", not passed")


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
