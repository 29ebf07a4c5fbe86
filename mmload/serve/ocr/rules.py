"""Which rules a question calls for, and the envelope around what they find. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mmload.serve.ocr import charts, incidents, papers, screens
from mmload.serve.ocr.page import Page, nonce

_EXTRACT = re.compile(r"Extract these fields from the (.+?): ([\w, ]+)\.")
_GOAL = re.compile(r"Goal: (.+?) Which single action is next")
_VALUE = re.compile(r"What is the value( in series .+?)? for (.+?)\? Use the chart")
_NAMED = re.compile(r"Scope of this request: look at (.+?)\.")
_EXTREME = re.compile(r"Which category has the (largest|smallest) value( in series .+?)?\?")
_WHICH = re.compile(r"Use image (\d+) of \d+ only")


def respond(pages: Sequence[Page], prompt: str) -> str:
    """The answer envelope as JSON; abstains from what no rule covers or what was not read."""
    code = nonce(pages)
    answer = _answer(_meant(pages, prompt), prompt) if pages and code else None
    body = {
        "status": "answered" if answer else "insufficient_evidence",
        "answer": answer,
        "evidence": [{"source": "image", "ref": "text"}] if answer else [],
        "confidence": 0.85 if answer else 0.3,
        "nonce": code,
    }
    return json.dumps(body, ensure_ascii=False)


def _meant(pages: Sequence[Page], prompt: str) -> Page:
    which = _WHICH.search(prompt)
    return pages[min(int(which[1]), len(pages)) - 1] if which and int(which[1]) > 0 else pages[0]


def _answer(page: Page, prompt: str) -> dict[str, Any] | None:
    found = _EXTRACT.search(prompt)
    if found:
        kind = "log" if "log" in found[1] else found[1]
        return papers.extract(page, kind, [name.strip() for name in found[2].split(",")])
    found = _GOAL.search(prompt)
    if found:
        return screens.act(page, found[1], prompt)
    if "Triage the incident" in prompt:
        return incidents.triage(page, prompt)
    return _chart(page, prompt)


def _chart(page: Page, prompt: str) -> dict[str, Any] | None:
    """Charts of one series only: which colour is which series is not text."""
    found = _EXTREME.search(prompt)
    if found:
        return None if found[2] else charts.extreme(page, found[1] == "largest")
    found = _VALUE.search(prompt)
    if found is None:
        return None
    named = _NAMED.search(prompt) if "the category that the scope note" in found[2] else None
    return None if found[1] else charts.value(page, named[1] if named else found[2])
