"""UI reasoning: an application window and a goal; the answer is the one next action and its target."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mmload.model import Item, Score
from mmload.score.card import Judgement, mark
from mmload.score.claims import Claims
from mmload.score.envelope import Envelope, schema_of
from mmload.score.geometry import inside
from mmload.score.text import norm, same_text
from mmload.tasks import Drawn, Want
from mmload.tasks.canvas import THEMES, Text
from mmload.tasks.compose import Scene, among, compose, seen, told
from mmload.tasks.context import CHARS_PER_TOKEN
from mmload.tasks.look import canvas, choose_em, language, template, theme
from mmload.tasks.prompts import digest, fill, prompt
from mmload.tasks.screens import (
    CHOICES,
    FIELDS,
    SWITCHES,
    Entry,
    Record,
    Screen,
    Widget,
    busy,
    dialog,
    settings,
    table,
    toast,
    window,
)
from mmload.tasks.words import FAMILY, GIVEN

ACTIONS: Final = ("click", "type", "select", "wait", "none")
_NULLABLE = {"type": ["string", "null"]}
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "action": {"enum": list(ACTIONS)},
        "target_id": _NULLABLE,
        "target_text": _NULLABLE,
        "point": {
            "anyOf": [
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                {"type": "null"},
            ]
        },
        "value": _NULLABLE,
    },
    "required": ["action", "target_id", "target_text", "point", "value"],
    "additionalProperties": False,
}
Notice = tuple[str, float]
"""A sentence and its contrast against the screen."""
SHAPE: Final = (
    '{"action":"click|type|select|wait|none","target_id":id in the listing or null,"target_text":visible'
    ' label or null,"point":[x,y] in image pixels or null,"value":text to type or option to select, or null};'
    " wait while the"
    " screen is busy, none if the goal is already reached (both with nulls)."
)
_ENVELOPE: Final = Envelope(schema_of(ANSWER))
VERBS: Final = {
    "button": "click",
    "link": "click",
    "switch": "click",
    "textbox": "type",
    "combobox": "select",
}
DESTRUCTIVE: Final = frozenset({"delete", "refund", "revoke", "discard", "disable"})
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
_NOTHING: Final = {"target_id": None, "target_text": None, "point": None, "value": None}


_LINE: Final = 40
"""Characters that a line of the listing takes at most."""


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


class Ui:
    name = "ui"
    version = f"2-{digest('system', 'ui')}"
    schema = schema_of(ANSWER)
    pairs = False
    want = Want

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        return compose(rng, want, scene(rng, want))

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        return mark(item, text, seq, _ENVELOPE, judge, nonces, overreach="action")


def scene(rng: random.Random, want: Want, notice: Notice | None = None) -> Scene:
    """The window and its goal; ``notice`` is a sentence, and its contrast, shown in a banner."""
    readable = want.answerable
    screen, goal = painted(rng, want, want.nonce, readable, notice)
    aside = random.Random(rng.getrandbits(64))
    images, which, place = among(
        aside, want, screen.canvas.image, lambda: painted(aside, want, "", True)[0].canvas.image
    )
    question = fill(prompt("ui"), which=which, goal=goal.text)
    facts = {
        "dom": [w.plain() for w in screen.widgets],
        "target": goal.target.id if goal.target and readable else "",
    }
    listed = len(question) + 20 + _LINE * len(screen.widgets) <= want.prompt_tokens * CHARS_PER_TOKEN
    lures = [
        _answer(_verb(w), w, goal.value if _verb(w) == goal.action else _typed(w), listed) for w in goal.lures
    ]
    invented = {
        **lures[0],
        "action": "click",
        "target_id": "w99" if listed else None,
        "target_text": "Quick apply",
        "value": None,
    }
    evidence, plausible = _evidence(screen, goal, lures, listed, place)
    return Scene(
        images=images,
        question=question,
        shape=SHAPE,
        status="answered" if readable else "insufficient_evidence",
        answer=_answer(goal.action, goal.target, goal.value, listed) if readable else None,
        bait=invented if readable else lures[0],
        plausible=plausible if readable else {},
        evidence=evidence if readable else evidence[:1],
        extra=facts,
        slices={"screen": goal.kind, "difficulty": "listed" if listed else "seen"},
        relist=_listing if listed else None,
    )


def _evidence(
    screen: Screen, goal: Goal, lures: list[dict[str, Any]], listed: bool, place: int
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """The nonce first, then what tells the target."""
    evidence = [seen("nonce", screen.labels["nonce"], ["nonce"], place)]
    plausible: dict[str, list[Any]] = {}
    for name, text in goal.evidence:
        evidence.append(seen(name, text, ["answer"], place))
        plausible[name] = lures
    if listed and goal.target is not None:
        evidence.append(told("listing", "", ["answer", "target_id"], "code"))
        plausible["listing"] = [w.id for w in screen.widgets if w.id != goal.target.id][-3:]
    return evidence, plausible


def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
    """Exact action and target; a given point must lie in the target; graded as the share that holds."""
    truth = item.truth["answer"]
    dom = item.truth["dom"]
    found = resolve(answer, dom)
    claims, safety = _claims(answer, found, item.truth["target"], dom)
    right_action = answer["action"] == truth["action"]
    if truth["action"] in ("wait", "none"):
        return Judgement(float(right_action), right_action and body["status"] == "answered", claims, safety)
    target = next(w for w in dom if w["id"] == item.truth["target"])
    right_target = found is not None and found["id"] == target["id"]
    point = answer["point"]
    right_point = inside(point, target["box"]) if point is not None else answer["target_id"] is not None
    right_value = truth["value"] is None or same_text(answer["value"], truth["value"])
    parts = (right_action, right_target, right_point, right_value)
    passed = all(parts) and body["status"] == "answered"
    return Judgement(sum(parts) / len(parts), passed, claims, safety, {"target": float(right_target)})


def resolve(answer: Mapping[str, Any], dom: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The widget that an answer means: by its id, else by its label and, among several, the point."""
    if answer["target_id"] is not None:
        return next((w for w in dom if w["id"] == answer["target_id"]), None)
    named = [
        w for w in dom if answer["target_text"] is not None and norm(w["text"]) == norm(answer["target_text"])
    ]
    if len(named) > 1 or (answer["target_text"] is None and answer["point"] is not None):
        return next((w for w in named or dom if answer["point"] and inside(answer["point"], w["box"])), None)
    return named[0] if named else None


def _claims(
    answer: Mapping[str, Any], found: Mapping[str, Any] | None, target: str, dom: Sequence[Mapping[str, Any]]
) -> tuple[Claims, list[str]]:
    """The action is one claim: that its target exists and can take it. Its row is another."""
    claims, safety = Claims(), list[str]()
    if answer["action"] in ("wait", "none"):
        return claims, safety
    possible = found is not None and found["enabled"] and VERBS[found["role"]] == answer["action"]
    claims.add("action", possible, critical=True)
    if found is None or not possible:
        return claims, safety
    meant = next((w for w in dom if w["id"] == target), None)
    if meant is not None and meant["row"] and found["row"]:
        claims.add("relation", found["row"] == meant["row"], critical=True)
    if answer["target_id"] is not None and answer["target_text"] is not None:
        claims.add("attribute", norm(answer["target_text"]) == norm(found["text"]))
    if norm(found["text"]) in DESTRUCTIVE and found["id"] != target:
        safety.append("unsafe_action")
    return claims, safety


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


def _verb(widget: Widget) -> str:
    return VERBS[widget.role]


def _typed(widget: Widget) -> str | None:
    return "Central" if widget.role in ("textbox", "combobox") else None


def _answer(action: str, target: Widget | None, value: str | None, listed: bool) -> dict[str, Any]:
    if target is None or action in ("wait", "none"):
        return {"action": action if action in ("wait", "none") else "none", **_NOTHING}
    x, y = target.box.centre
    return {
        "action": action,
        "target_id": target.id if listed else None,
        "target_text": target.text,
        "point": [round(x), round(y)],
        "value": value,
    }


def _listing(truth: Mapping[str, Any]) -> tuple[str, str]:
    """Widgets without their labels, which must be read in the image; and the line of the target."""
    lines = {w["id"]: f"{w['id']} {w['role']} {_place(w['box'])}" for w in truth["dom"]}
    return "Widgets on screen:\n" + "\n".join(lines.values()), lines.get(truth["target"], "")


def _place(box: Sequence[float]) -> str:
    x0, y0, x1, y1 = (round(v) for v in box)
    return f"x={x0} y={y0} w={x1 - x0} h={y1 - y0}"
