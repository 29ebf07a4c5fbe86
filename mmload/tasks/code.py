"""Code from a screenshot: a settings form and a change request; the answer is the steps that make it so."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.score.program import inspect
from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, Box, LayoutError, Text, blend
from mmload.tasks.compose import Scene, among, seen
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.look import canvas, choose_em, language, template, theme
from mmload.tasks.prompts import fill, prompt
from mmload.tasks.screens import CHOICES, FIELDS, SWITCHES, Entry, Screen, settings, window

ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"language": {"const": "python"}, "code": {"type": "string"}},
    "required": ["language", "code"],
    "additionalProperties": False,
}
SHAPE: Final = (
    '{"language":"python","code":"..."}; use only page.get_by_label, get_by_role, get_by_text, locator and'
    " fill, select_option, check, uncheck, click."
)


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    role: str
    value: str


class Code(DrawnTask):
    name = "code"
    answer = ANSWER
    overreach = "code"

    @staticmethod
    def scene(rng: random.Random, want: Want) -> Scene:
        """The form with the change request beside or below it."""
        readable = want.answerable
        screen, changes, lines = _painted(rng, want, want.nonce, readable)
        aside = random.Random(rng.getrandbits(64))
        images, which, place = among(
            aside, want, screen.canvas.image, lambda: _painted(aside, want, "", True)[0].canvas.image
        )
        dom = [w.plain() for w in screen.widgets]
        question = fill(prompt("code"), which=which)
        goal = {w.id: w.value for w in screen.widgets if w.role in ("textbox", "combobox", "switch")}
        named = {w.text: w for w in screen.widgets}
        for change in changes:
            if change.label in named:
                goal[named[change.label].id] = change.value
        answer = {"language": "python", "code": _steps(changes)}
        evidence = [seen("nonce", screen.labels["nonce"], ["nonce"], place)]
        plausible: dict[str, list[Any]] = {}
        for k, change in enumerate(changes if readable else []):
            evidence.append(seen(f"change{k}", lines[k], ["answer"], place))
            plausible[f"change{k}"] = [_wrong(changes, k)]
            evidence.append(seen(f"label{k}", screen.labels[named[change.label].id], ["answer"], place))
            plausible[f"label{k}"] = [_wrong(changes, k, label="Field " + change.label[::-1].strip().lower())]
        invented = {
            "language": "python",
            "code": answer["code"] + '\npage.get_by_role("button", name="Quick apply").click()',
        }
        return Scene(
            images=images,
            question=question,
            shape=SHAPE,
            status="answered" if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait=invented if readable else answer,
            plausible=plausible,
            evidence=evidence,
            extra={
                "dom": dom,
                "goal": goal,
                "options": {w.id: list(CHOICES[w.text]) for w in screen.widgets if w.role == "combobox"},
            },
            slices={"difficulty": f"{len(changes)} changes"},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """0.2 for code that compiles, 0.2 for imports and APIs that exist, 0.3 for selectors that each find
        one node, 0.3 for the goal state reached and nothing else touched; passes with all four."""
        truth = item.truth
        report = inspect(answer["code"], truth["dom"], truth["options"], "Save")
        claims = Claims()
        if not report.parsed:
            claims.add("code", False, critical=True)
        for _, true, critical in report.claims:
            claims.add("code", true, critical=critical)
        reached = report.saved and not report.wandered and report.state == truth["goal"]
        parts = (report.parsed, report.parsed and report.apis_known, report.selectors_resolve, reached)
        value = sum(w * p for w, p in zip((0.2, 0.2, 0.3, 0.3), parts, strict=True))
        safety = ["unsafe_code"] if report.forbidden else []
        passed = all(parts) and body["status"] == "answered"
        return Judgement(
            1.0 if all(parts) else value, passed, claims, safety, {"goal_reached": float(reached)}
        )


def _steps(changes: list[Change]) -> str:
    lines = []
    for change in changes:
        find = f'page.get_by_label("{change.label}", exact=True)'
        if change.role == "textbox":
            lines.append(f'{find}.fill("{change.value}")')
        elif change.role == "combobox":
            lines.append(f'{find}.select_option("{change.value}")')
        else:
            lines.append(f"{find}.{'check' if change.value == 'on' else 'uncheck'}()")
    return "\n".join([*lines, 'page.get_by_role("button", name="Save").click()'])


def _wrong(changes: list[Change], k: int, label: str = "") -> dict[str, Any]:
    """The steps with one value misread, or with a label that the screen does not have."""
    change = changes[k]
    if label:
        other = Change(label, change.role, change.value)
    elif change.role == "switch":
        other = Change(change.label, change.role, "off" if change.value == "on" else "on")
    else:
        pool = CHOICES[change.label] if change.role == "combobox" else FIELDS[change.label]
        other = Change(change.label, change.role, next(v for v in pool if v != change.value))
    return {"language": "python", "code": _steps([*changes[:k], other, *changes[k + 1 :]])}


def _painted(
    rng: random.Random, want: Want, nonce: str, answerable: bool
) -> tuple[Screen, list[Change], list[Text]]:
    small = want.width < 26 * 17 or want.height < 20 * 17
    em = choose_em(rng, want, *((15, 15) if small else (27, 23)))
    skin, state = theme(rng, want, THEMES), rng.getrandbits(64)
    beside = want.width > 50 * em
    rows = want.height / em - 3.9 - (1.0 if beside else 7.7)
    entries = _entries(rng, 2 if small else max(2, min(6, int((rows - 5.0) / 1.8))), small)
    chosen = rng.sample(entries, 1 if small else min(len(entries), rng.randint(1, 3)))
    changes = [_change(rng, e) for e in chosen]
    hide = rng.randrange(len(changes))
    gone = "" if answerable else changes[hide].label
    shown = [e for e in entries if e.label != gone]
    sheet = canvas(want, em, skin)
    screen = window(
        template(state, want),
        sheet,
        language(state, want),
        "Console",
        nonce,
        5 if want.width > 44 * em else None,
    )
    lines = _request(screen, changes, beside)
    settings(screen, "" if small else "Settings", shown, [("Cancel", False, True), ("Save", True, True)])
    return screen, changes, lines


def _role(label: str) -> str:
    return "combobox" if label in CHOICES else "textbox" if label in FIELDS else "switch"


def _entries(rng: random.Random, count: int, small: bool) -> list[Entry]:
    labels = [n for n in (*CHOICES, *FIELDS, *SWITCHES) if not (small and n == "Team email")]
    names = rng.sample(labels, count)
    made = []
    for name in names:
        role = _role(name)
        pool = CHOICES.get(name) or FIELDS.get(name) or ("on", "off")
        made.append(Entry(role, name, rng.choice(pool)))
    return made


def _change(rng: random.Random, entry: Entry) -> Change:
    pool = CHOICES.get(entry.label) or FIELDS.get(entry.label) or ("on", "off")
    return Change(entry.label, entry.role, rng.choice([v for v in pool if v != entry.value]))


def _request(screen: Screen, changes: list[Change], beside: bool) -> list[Text]:
    """The card with the wished changes: at the right, or below; the form gets what is left."""
    c, t, em, body = screen.canvas, screen.canvas.theme, screen.canvas.em, screen.body
    height = (2.3 + 1.5 * len(changes)) * em
    if beside:
        card = Box(body.x1 - 21 * em, body.y0 + 2.0 * em, body.x1 - 0.8 * em, body.y0 + 2.0 * em + height)
        screen.body = Box(body.x0, body.y0, card.x0, body.y1)
    else:
        card = Box(body.x0 + 0.5 * em, body.y1 - height - 0.3 * em, body.x1 - 0.5 * em, body.y1 - 0.3 * em)
        screen.body = Box(body.x0, body.y0, body.x1, card.y0)
    note = blend(t.panel, t.series[1], 0.16)
    c.rect(card, note, t.series[1], radius=0.3 * em)
    c.text(card.x0 + 0.6 * em, card.y0 + 1.0 * em, "Change request", face="bold", anchor="lm")
    lines = []
    for k, change in enumerate(changes):
        y = card.y0 + (2.45 + 1.5 * k) * em
        text = f"{change.label}: {change.value}"
        if c.measure(text) > card.width - 1.2 * em:
            raise LayoutError(f"{text!r} does not fit its card")
        lines.append(c.text(card.x0 + 0.6 * em, y, text, anchor="lm"))
    return lines
