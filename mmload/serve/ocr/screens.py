"""Rules for screens: which widget a goal means, found by the words on it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mmload.serve.ocr.page import Line, Page, plain

_WIDGET = re.compile(r"^(w\d+) (\w+) x=(\d+) y=(\d+) w=(\d+) h=(\d+)$", re.MULTILINE)
_SELECTS = ("region", "office", "product")
_BUTTONS = {
    "drop the changes and leave": "Discard",
    "stay on the page and go on editing": "Keep editing",
    "keep the changes": "Save",
    "save the changes": "Save",
    "end the session now": "Sign out",
    "stay signed in": "Stay",
    "leave both files as they are": "Cancel",
    "have both files": "Keep both",
    "overwrite the old file": "Replace",
    "let the member stay": "Cancel",
    "take the member's access away": "Revoke",
}
"""Decision table: what a person wants, and the button that does it."""


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget of a listing in the prompt."""

    id: str
    role: str
    x: int
    y: int
    width: int
    height: int

    def holds(self, x: float, y: float) -> bool:
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height

    def point(self) -> list[int]:
        return [self.x + self.width // 2, self.y + self.height // 2]


def listing(prompt: str) -> list[Widget]:
    """Widgets that the prompt lists, without their labels."""
    return [Widget(w[1], w[2], *map(int, w.groups()[2:])) for w in _WIDGET.finditer(prompt)]


def act(page: Page, goal: str, prompt: str) -> dict[str, Any] | None:
    """The next action towards ``goal``, or None if the screen does not tell."""
    widgets = listing(prompt)
    if plain(goal).startswith("save the changes and then close") or page.matching(r"^Saving"):
        return _idle("wait") if page.matching(r"^Saving") else None
    order = re.match(r"(\w+) order (ORD-\d+)", goal)
    if order:
        return _in_row(page, order[1], order[2], widgets)
    setting = re.match(r'Set "(.+?)" to (.+?)\.?$', goal)
    if setting:
        return _set(page, setting[1], setting[2], widgets)
    switch = re.match(r'Have "(.+?)" switched (on|off)', goal)
    if switch:
        return _switch(page, switch[1], switch[2], widgets)
    button = _BUTTONS.get(plain(goal))
    line = page.find(button) if button else None
    return _on(line, button or "", "click", widgets) if line else None


def _idle(action: str) -> dict[str, Any]:
    return {"action": action, "target_id": None, "target_text": None, "point": None, "value": None}


def _on(
    line: Line, text: str, action: str, widgets: list[Widget], value: str | None = None
) -> dict[str, Any] | None:
    """An action on the widget at ``line``: the listed one, if there is a listing."""
    # What lies on top of others is smaller, or listed after them.
    holding = [widget for widget in reversed(widgets) if widget.holds(line.x, line.y)]
    listed = min(holding, key=lambda widget: widget.width * widget.height, default=None)
    if widgets and listed is None:
        return None
    point = listed.point() if listed else line.point()
    target = listed.id if listed else None
    return {"action": action, "target_id": target, "target_text": text, "point": point, "value": value}


def _in_row(page: Page, verb: str, order: str, widgets: list[Widget]) -> dict[str, Any] | None:
    row = next((line for line in page.lines if order in line.text), None)
    if row is None:
        return None
    for line in page.row(row):
        if plain(line.text) == plain(verb):
            return _on(line, verb, "click", widgets)
    return None


def _set(page: Page, label: str, value: str, widgets: list[Widget]) -> dict[str, Any] | None:
    line = page.find(label)
    if line is None:
        return None
    action = "select" if plain(label) in _SELECTS else "type"
    beside = page.right_of(line)
    field = _beside(widgets, line) if widgets else None
    if field is not None:
        action = {"textbox": "type", "combobox": "select"}.get(field.role, action)
        return _as(field, label, action, value)
    if not beside or widgets:
        return None
    return _on(beside[0], label, action, [], value)


def _switch(page: Page, label: str, wish: str, widgets: list[Widget]) -> dict[str, Any] | None:
    line = page.find(label)
    if line is None:
        return None
    state = next((other for other in page.right_of(line) if plain(other.text) in ("on", "off")), None)
    if state is None:
        return None
    if plain(state.text) == wish:
        return _idle("none")
    field = _beside(widgets, line) if widgets else None
    if field is not None:
        return _as(field, label, "click", None)
    # The switch stands just before the word for its state.
    knob = Line(label, state.x0 - 1.6 * state.height, state.y0, state.x0 - 0.8 * state.height, state.y1)
    return None if widgets else _on(knob, label, "click", [])


def _beside(widgets: list[Widget], line: Line) -> Widget | None:
    level = [w for w in widgets if w.y <= line.y <= w.y + w.height and w.x > line.x0]
    return min(level, key=lambda widget: widget.x, default=None)


def _as(field: Widget, label: str, action: str, value: str | None) -> dict[str, Any]:
    target = {"target_id": field.id, "target_text": label, "point": field.point()}
    return {"action": action} | target | {"value": value}
