"""Support triage: an error dialog in the image, ticket and log in the prompt, a published decision table."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, Text
from mmload.tasks.compose import Scene, among, seen, told
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.look import canvas, choose_em, language, template, theme
from mmload.tasks.overlays import dialog, toast
from mmload.tasks.prompts import fill, prompt
from mmload.tasks.screens import FIELDS, Entry, Screen, settings, window

Notice = tuple[str, float]
COMPONENTS: Final = {"AUTH": "login", "BILL": "billing", "MAIL": "mail", "SRCH": "search", "FILE": "storage"}
CATEGORIES: Final = {1: "network", 2: "permission", 3: "data", 4: "capacity"}
SCOPES: Final = {"the whole company": 2, "our team": 1, "one person": 0}
NEXT: Final = {
    "network": "restart_service",
    "permission": "fix_access",
    "data": "restore_record",
    "capacity": "add_capacity",
}
SEVERITIES: Final = ("S1", "S2", "S3", "S4")
_EVENTS: Final = ("retry", "lease renewed", "slow reply", "queue ok")
CODE: Final = r"^RC-\d{2}$"
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "component": {"enum": sorted(COMPONENTS.values())},
        "category": {"enum": sorted(CATEGORIES.values())},
        "severity": {"enum": list(SEVERITIES)},
        "root_cause_code": {"type": "string", "pattern": CODE},
        "next_action": {"enum": ["page_oncall", *sorted(NEXT.values())]},
    },
    "required": ["component", "category", "severity", "root_cause_code", "next_action"],
    "additionalProperties": False,
}
SHAPE: Final = (
    '{"component","category","severity","root_cause_code","next_action"} by this table.'
    " Component by the letters of the error code on screen: AUTH login,"
    " BILL billing, MAIL mail, SRCH search, FILE storage."
    " Category by its first digit: 1 network, 2 permission, 3 data, 4 capacity."
    " Severity: whole company without workaround S1; whole company with workaround, or a team"
    " without, S2; a team with, or one person without, S3; else S4."
    " root_cause_code: the RC-nn that the log gives as cause."
    " Next action: S1 page_oncall; else network restart_service, permission"
    " fix_access, data restore_record, capacity add_capacity."
)
_DECIDING: Final = ("component", "severity", "next_action")


def decide(code: str, scope: str, workaround: bool, cause: str) -> dict[str, str]:
    """The decision table."""
    letters, digits = code.split("-")
    category = CATEGORIES[int(digits[0])]
    severity = SEVERITIES[3 - SCOPES[scope] - (not workaround)]
    action = "page_oncall" if severity == "S1" else NEXT[category]
    return {
        "component": COMPONENTS[letters],
        "category": category,
        "severity": severity,
        "root_cause_code": cause,
        "next_action": action,
    }


class Triage(DrawnTask):
    name = "triage"
    answer = ANSWER
    overreach = "attribute"

    @staticmethod
    def scene(rng: random.Random, want: Want, notice: Notice | None = None) -> Scene:
        """The error dialog, the ticket, and the log lines among which one names the cause."""
        readable = want.answerable
        code = f"{rng.choice(list(COMPONENTS))}-{rng.randint(1, 4)}{rng.randint(0, 99):02}"
        scope, workaround = rng.choice(list(SCOPES)), rng.random() < 0.5
        cause = f"RC-{rng.randint(10, 99)}"
        blind = rng.choice(("dialog", "log"))
        covered = not readable and blind == "dialog"
        screen, label = _painted(rng, want, code, want.nonce, notice, covered=covered)
        aside = random.Random(rng.getrandbits(64))

        def other() -> Any:
            return _painted(aside, want, f"MAIL-{aside.randint(100, 499)}", "", None, covered=False)[
                0
            ].canvas.image

        images, which, place = among(aside, want, screen.canvas.image, other)
        ticket = f"It hits {scope}; {'there is a workaround' if workaround else 'no workaround'}."
        log = _log(aside, cause if readable or blind == "dialog" else "", short=want.prompt_tokens < 128)
        answer = decide(code, scope, workaround, cause)
        wrong = _swap(code)
        evidence = [seen("nonce", screen.labels["nonce"], ["nonce"], place)]
        plausible: dict[str, list[Any]] = {}
        if readable:
            evidence += [
                seen("code", label, ["answer"], place),
                told("ticket", ticket, ["answer"]),
                told("cause", f"cause={cause}", ["answer", "root_cause_code"]),
            ]
            plausible = {
                "code": [decide(wrong, scope, workaround, cause)],
                "ticket": [decide(code, s, w, cause) for s, w in _other_tickets(answer["severity"])],
                "cause": [f"RC-{int(cause[3:]) % 90 + 10 - 1 if cause[3:] != '10' else 99}"],
            }
        invented = {**answer, "root_cause_code": _absent(cause, log)}
        return Scene(
            images=images,
            question=fill(prompt("triage"), which=which, ticket=ticket),
            shape=SHAPE,
            status="answered" if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait=invented if readable else answer,
            plausible=plausible,
            evidence=evidence,
            notes=[log],
            slices={"difficulty": answer["severity"]},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """Mean of field matches, severity by distance; passes with component, severity and action exact."""
        truth = item.truth["answer"]
        claims = Claims()
        total = 0.0
        for name, value in truth.items():
            right = answer[name] == value
            known = name != "root_cause_code" or answer[name] in item.prompt
            claims.add("attribute" if known else "object", right, critical=name == "severity" or not known)
            total += _severity(answer[name], value) if name == "severity" else float(right)
        exact = all(answer[name] == truth[name] for name in _DECIDING)
        return Judgement(total / len(truth), exact and body["status"] == "answered", claims)


def _severity(given: str, truth: str) -> float:
    return 1 - abs(SEVERITIES.index(given) - SEVERITIES.index(truth)) / 3


def _swap(code: str) -> str:
    """The code of another component, as a misreading gives it."""
    letters = list(COMPONENTS)
    head, digits = code.split("-")
    return f"{letters[(letters.index(head) + 1) % len(letters)]}-{digits}"


def _other_tickets(severity: str) -> list[tuple[str, bool]]:
    pairs = [(s, w) for s in SCOPES for w in (True, False)]
    return [(s, w) for s, w in pairs if SEVERITIES[3 - SCOPES[s] - (not w)] != severity][:2]


def _absent(cause: str, log: str) -> str:
    return next(f"RC-{n}" for n in range(10, 99) if f"RC-{n}" not in log and f"RC-{n}" != cause)


def _log(rng: random.Random, cause: str, short: bool) -> str:
    clock = rng.randint(0, 86000)
    lines = []
    for k in range(1 if short else rng.randint(4, 9)):
        when = f"{(clock + k) // 3600:02}:{(clock + k) // 60 % 60:02}:{(clock + k) % 60:02}"
        lines.append(f"{when} {rng.choice(('INFO', 'WARN'))} {rng.choice(_EVENTS)}")
    last = f"{(clock + 20) // 3600:02}:{(clock + 20) // 60 % 60:02}:{(clock + 20) % 60:02} ERROR failed"
    return "Log:\n" + "\n".join([*lines, f"{last} cause={cause}" if cause else f"{last} ca"])


def _painted(
    rng: random.Random, want: Want, code: str, nonce: str, notice: Notice | None, covered: bool
) -> tuple[Screen, Text]:
    small = want.width < 26 * 17 or want.height < 20 * 17
    em = choose_em(rng, want, *((15, 13) if small else (26, 19 + (3 if notice else 0))))
    skin, state = theme(rng, want, THEMES), rng.getrandbits(64)
    sheet = canvas(want, em, skin)
    nav = 1 if want.width > 44 * em else None
    screen = window(template(state, want), sheet, language(state, want), "Workbench", nonce, nav, notice)
    if not small:
        entries = [Entry("textbox", n, rng.choice(FIELDS[n])) for n in rng.sample(list(FIELDS), 3)]
        settings(screen, "Details", entries, [("Save", True, True)])
    trouble = rng.choice(("The page could not load.", "The request failed.", "Nothing was saved."))
    dialog(screen, f"Error {code}", [trouble], [("Close", False), ("Retry", True)])
    label = next(t for t in sheet.texts if t.string == f"Error {code}")
    if covered:
        toast(screen, label.box, "You are back online")
    return screen, label
