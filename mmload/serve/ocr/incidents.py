"""Rules for triage: the decision table that the question publishes. Pure."""

from __future__ import annotations

import re
from typing import Any

from mmload.serve.ocr.page import Page

_COMPONENTS = {"AUTH": "login", "BILL": "billing", "MAIL": "mail", "SRCH": "search", "FILE": "storage"}
_CATEGORIES = {"1": "network", "2": "permission", "3": "data", "4": "capacity"}
_SCOPES = {"the whole company": 2, "our team": 1, "one person": 0}
_NEXT = {
    "network": "restart_service",
    "permission": "fix_access",
    "data": "restore_record",
    "capacity": "add_capacity",
}
_CODE = r"\b(AUTH|BILL|MAIL|SRCH|FILE)\s?-\s?([1-4])\d{2}\b"


def triage(page: Page, prompt: str) -> dict[str, Any] | None:
    """Component and category from the code on screen, severity from the ticket, cause from the log."""
    code = page.matching(_CODE)
    ticket = re.search(r"It hits (the whole company|our team|one person); (there is a|no) workaround", prompt)
    cause = re.search(r"\bcause=(RC-\d{2})\b", prompt)
    if not code or not ticket or not cause:
        return None
    category = _CATEGORIES[code[0][1][2]]
    severity = 4 - _SCOPES[ticket[1]] - (ticket[2] == "no")
    return {
        "component": _COMPONENTS[code[0][1][1]],
        "category": category,
        "severity": f"S{severity}",
        "root_cause_code": cause[1],
        "next_action": "page_oncall" if severity == 1 else _NEXT[category],
    }
