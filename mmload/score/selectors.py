"""Selectors of browser automation, resolved against the very screen that was shown.

A document is a list of nodes: ``{"id", "tag", "role", "text", "value", "enabled", "row"}``. The subset of CSS
is ``tag``, ``#id``, ``[attribute=value]`` (id, role, name, value, aria-label), their compounds, and
descendants of a row (``tr:has-text("ORD-1")``, ``[data-row="ORD-1"]``); and the engines ``text=`` and
``role=``. Not aware of programs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Node = Mapping[str, Any]
_ALIASES: Final = {
    "switch": {"switch", "checkbox"},
    "textbox": {"textbox"},
    "combobox": {"combobox", "listbox"},
}
_TAGS: Final = {"button": "button", "link": "a", "textbox": "input", "combobox": "select", "switch": "input"}
_STEP: Final = re.compile(
    r"(?P<tag>[A-Za-z][\w-]*|\*)?(?P<rest>(?:\#[\w-]+|\[[^\]]+\]|:has-text\((?:\"[^\"]*\"|'[^']*')\))*)$"
)
_PART: Final = re.compile(
    r"#([\w-]+)|\[([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([\w-]+))\]|:has-text\((?:\"([^\"]*)\"|'([^']*)')\)"
)
_ROLE: Final = re.compile(r"role=([a-z]+)(?:\[name=(?:\"([^\"]*)\"|'([^']*)')\])?")
_ATTRIBUTES: Final = {
    "id": "id",
    "role": "role",
    "name": "text",
    "aria-label": "text",
    "value": "value",
    "data-row": "row",
}


def by_text(nodes: Sequence[Node], text: str, exact: bool = False) -> list[Node]:
    """As Playwright matches: without case and as a part, unless ``exact``."""
    return [n for n in nodes if _says(n["text"], text, exact)]


def by_role(nodes: Sequence[Node], role: str, name: str | None = None, exact: bool = False) -> list[Node]:
    found = [n for n in nodes if role in _ALIASES.get(n["role"], {n["role"]})]
    return found if name is None else by_text(found, name, exact)


def by_label(nodes: Sequence[Node], text: str, exact: bool = False) -> list[Node]:
    """Form controls by their label; a button is found by its text instead."""
    return [n for n in by_text(nodes, text, exact) if n["role"] in ("textbox", "combobox", "switch")]


def select(nodes: Sequence[Node], selector: str) -> list[Node] | None:
    """Nodes that a selector finds; None if it is not of the subset."""
    selector = selector.strip()
    if selector.startswith("text="):
        text = selector[5:].strip()
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        return by_text(nodes, text[1:-1] if quoted else text, exact=quoted)
    role = _ROLE.fullmatch(selector)
    if role:
        return by_role(nodes, role[1], role[2] if role[2] is not None else role[3])
    return _css(nodes, selector.removeprefix("css="))


def _css(nodes: Sequence[Node], selector: str) -> list[Node] | None:
    steps = re.findall(r"(?:[^\s\[\(\"']|\[[^\]]*\]|\([^)]*\))+", selector)
    if not steps or len(steps) > 4:
        return None
    found: Sequence[Node] = nodes
    for step in steps[:-1]:
        narrowed = _row(found, step)
        if narrowed is None:
            return None
        found = narrowed
    return _compound(found, steps[-1])


def _row(nodes: Sequence[Node], step: str) -> list[Node] | None:
    """The nodes within the table rows that a step names."""
    match = _STEP.fullmatch(step)
    if not match:
        return None
    rows = {n["row"] for n in nodes if n["row"]}
    for part in _PART.finditer(match["rest"]):
        attribute, said = part[2], part[6] if part[6] is not None else part[7]
        value = next((g for g in (part[3], part[4], part[5]) if g is not None), "")
        rows = {
            r for r in rows if (said is not None and said in r) or (attribute == "data-row" and value == r)
        }
    return [n for n in nodes if n["row"] in rows] if match["tag"] in (None, "*", "tr", "div", "li") else None


def _compound(nodes: Sequence[Node], step: str) -> list[Node] | None:
    match = _STEP.fullmatch(step)
    if not match or not step:
        return None
    tag = match["tag"]
    found = [n for n in nodes if tag in (None, "*") or _TAGS.get(n["role"]) == tag]
    for part in _PART.finditer(match["rest"]):
        said = part[6] if part[6] is not None else part[7]
        value = next((g for g in (part[3], part[4], part[5]) if g is not None), "")
        if part[1] is not None:
            found = [n for n in found if n["id"] == part[1]]
        elif said is not None:
            found = by_text(found, said)
        elif part[2] in _ATTRIBUTES:
            found = [n for n in found if n[_ATTRIBUTES[part[2]]] == value]
        else:
            return None
    return found


def _says(have: str, want: str, exact: bool) -> bool:
    return have == want if exact else want.casefold() in have.casefold()
