"""Application windows with a goal: which widget is meant, what must be read to know it, what lures away.

Not aware of answers or scores.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, Text
from mmload.tasks.look import canvas, choose_em, language, template, theme
from mmload.tasks.overlays import busy, dialog, toast
from mmload.tasks.screens import (
    CHOICES,
    FIELDS,
    SWITCHES,
    VERBS,
    Entry,
    Record,
    Screen,
    Widget,
    settings,
    table,
    window,
)
from mmload.tasks.words import FAMILY, GIVEN

Notice = tuple[str, float]
"""A sentence and its contrast against the screen."""
_ROW_ACTIONS: Final = (("View", "Approve"), ("Edit", "Delete"), ("View", "Refund"), ("Edit", "Archive"))
_DIALOGS: Final = (
    (
        "Unsaved changes",
        ["Leave without saving?"],
        (
            ("Discard", "drop the changes and leave"),
            ("Keep editing", "stay on the page and go on editing"),
            ("Save", "save the changes"),
        ),
    ),
    (
        "Session ends soon",
        ["You will be signed out."],
        (("Sign out", "end the session now"), ("Stay", "stay signed in")),
    ),
    (
        "Replace file?",
        ["A file of that name exists."],
        (
            ("Cancel", "leave both files as they are"),
            ("Keep both", "have both files"),
            ("Replace", "overwrite the old file"),
        ),
    ),
    (
        "Remove member",
        ["Access ends at once."],
        (("Cancel", "let the member stay"), ("Revoke", "take the member's access away")),
    ),
)


@dataclass(slots=True)
class Goal:
    """What is asked of a screen and what is right."""

    text: str
    action: str
    target: Widget | None
    value: str | None
    evidence: list[tuple[str, Text]]
    """Texts that must be read to know the target."""
    lures: list[Widget]
    """Widgets that a careless answerer would take."""
    kind: str


def painted(
    rng: random.Random, want: Want, nonce: str, answerable: bool, notice: Notice | None = None
) -> tuple[Screen, Goal]:
    """A window with a goal. Both twins show the same window but for what makes it unanswerable."""
    small = want.width < 26 * 17 or want.height < 20 * 17
    kinds = ("form", "form", "dialog") if small else ("table", "table", "table", "form", "form", "dialog")
    kind = rng.choice(kinds)
    columns, rows = (15, 13) if small else (26, 19)
    em = choose_em(rng, want, columns, rows + (3 if notice and not small else 0))
    skin = theme(rng, want, THEMES)
    title = rng.choice(("Backoffice", "Console", "Workbench", "Desk"))
    nav, state = 5 if kind == "form" else rng.randrange(1, 3), rng.getrandbits(64)
    sheet = canvas(want, em, skin)
    screen = window(
        template(state, want),
        sheet,
        language(state, want),
        title,
        nonce,
        nav if want.width > 44 * em else None,
        notice,
    )
    paint = {"table": _table, "form": _form, "dialog": _dialog}[kind]
    wide = want.width / em - (10 if want.width > 44 * em else 0)
    high = want.height / em - 1.9 - screen.body.y0 / screen.canvas.em
    return screen, paint(rng, screen, answerable, wide, high)


def _table(rng: random.Random, screen: Screen, answerable: bool, columns: float, rows: float) -> Goal:
    count = min(int((rows - 5.0) / 2.15), rng.randint(4, 14))
    actions = rng.choice(_ROW_ACTIONS)
    numbers = rng.sample(range(10200, 10999), count + 1)
    records = [
        Record(
            f"ORD-{n}",
            f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}",
            rng.choice(("Open", "Paid", "Late", "Draft", "Held")),
            actions,
        )
        for n in numbers[:count]
    ]
    at = rng.randrange(count)
    way = rng.choice(("covered", "absent"))
    meant = records[at].id
    if not answerable and way == "absent":
        records[at].id = f"ORD-{numbers[count]}"
    table(screen, rng.choice(("Open orders", "Orders to review", "This week's orders")), records)
    verb = actions[1]
    mine = [w for w in screen.widgets if w.row == records[at].id and w.text == verb]
    lures = [w for w in screen.widgets if w.row and w.row != records[at].id and w.text == verb][:3]
    label = screen.labels[f"row:{records[at].id}"]
    if not answerable and way == "covered":
        toast(screen, label.box, "Synced")
    text = f"{verb} order {meant}."
    evidence = [("record", label), ("label", screen.labels[mine[0].id])]
    return Goal(text, "click", mine[0], None, evidence, lures, "table")


def _form(rng: random.Random, screen: Screen, answerable: bool, columns: float, rows: float) -> Goal:
    count = max(2, min(int((rows - 5.1) / 1.8), rng.randint(3, 7)))
    choice = rng.choice(list(CHOICES))
    entries = [Entry("combobox", choice, rng.choice(CHOICES[choice]))]
    pool = [Entry("textbox", n, rng.choice(FIELDS[n])) for n in rng.sample(list(FIELDS), 3)]
    pool += [Entry("switch", n, rng.choice(("on", "off"))) for n in rng.sample(SWITCHES, 3)]
    rng.shuffle(pool)
    entries += pool[: count - 1]
    rng.shuffle(entries)
    kind = rng.choice(("field", "field", "field", "save"))
    at = rng.randrange(len(entries))
    if kind == "save":
        return _save(rng, screen, entries, answerable)
    entry = entries[at]
    value, goal, action = _wish(rng, entry)
    if not answerable:
        others = {"combobox": list(CHOICES), "textbox": list(FIELDS), "switch": list(SWITCHES)}[entry.role]
        unused = [n for n in others if n not in {e.label for e in entries}]
        entries[at] = Entry(entry.role, rng.choice(unused), entry.value)
    settings(screen, "Settings", entries, [("Cancel", False, True), ("Save", True, True)])
    target = screen.widgets[[w.text for w in screen.widgets].index(entries[at].label)]
    lures = [w for w in screen.widgets if w.role in VERBS and w.id != target.id and w.role != "link"][:3]
    lures = [target, *lures] if not answerable else lures
    evidence = [("label", screen.labels[target.id])]
    if action == "none":
        return Goal(goal, "none", None, None, evidence, [target], "form")
    return Goal(goal, action, target, value, evidence, lures, "form")


def _wish(rng: random.Random, entry: Entry) -> tuple[str | None, str, str]:
    """Value, goal and action for one entry. A switch may already stand as wished."""
    if entry.role == "textbox":
        value = rng.choice([n for n in FIELDS[entry.label] if n != entry.value])
        return value, f'Set "{entry.label}" to {value}.', "type"
    if entry.role == "combobox":
        value = rng.choice([c for c in CHOICES[entry.label] if c != entry.value])
        return value, f'Set "{entry.label}" to {value}.', "select"
    wish = rng.choice(("on", "off"))
    return None, f'Have "{entry.label}" switched {wish}.', "none" if wish == entry.value else "click"


def _save(rng: random.Random, screen: Screen, entries: list[Entry], answerable: bool) -> Goal:
    """Save the form: by its button, or wait while it is saving. Unanswerable: the button row is covered."""
    saving = rng.random() < 0.4
    buttons = [("Cancel", False, True), ("Save", True, True)]
    if not answerable:
        buttons = [("Cancel", False, True), ("Apply later", False, True)]
    settings(screen, "Settings", entries, buttons)
    save = next(w for w in screen.widgets if w.text in ("Save", "Apply later"))
    cancel = next(w for w in screen.widgets if w.text == "Cancel")
    if saving and answerable:
        return Goal(
            "Save the changes and then close.",
            "wait",
            None,
            None,
            [("busy", busy(screen))],
            [save, cancel],
            "form",
        )
    lures = [cancel] if answerable else [save, cancel]
    return Goal("Save the changes.", "click", save, None, [("label", screen.labels[save.id])], lures, "form")


def _dialog(rng: random.Random, screen: Screen, answerable: bool, columns: float, rows: float) -> Goal:
    title, lines, choices = rng.choice(_DIALOGS)
    room, measure, em = (columns - 1.6) * screen.canvas.em, screen.canvas.measure, screen.canvas.em
    order = list(choices)
    while len(order) > 2 and sum(measure(b) + 1.9 * em for b, _ in order) + 0.9 * em > room:
        order.pop(0)
    wanted, wish = rng.choice(order)
    if columns > 30 and rows > 16:
        settings(
            screen,
            "Settings",
            [Entry("textbox", n, rng.choice(FIELDS[n])) for n in list(FIELDS)[:3]],
            [("Save", True, True)],
        )
    shown = order if answerable else [o for o in order if o[0] != wanted]
    dialog(screen, title, lines, [(b, k == len(shown) - 1) for k, (b, _) in enumerate(shown)])
    fresh = screen.widgets[-len(shown) :]
    fresh.reverse()
    target = next((w for w in fresh if w.text == wanted), None)
    lures = [w for w in fresh if w is not target]
    evidence = [("label", screen.labels[target.id])] if target else []
    return Goal(f"{wish[0].upper()}{wish[1:]}.", "click", target, None, evidence, lures, "dialog")
