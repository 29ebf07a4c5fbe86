"""Scene description: a control panel of devices; what is listed must be there, what is there listed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.score.scene import judge_scene
from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, Box, Canvas, Colour, Text, blend
from mmload.tasks.compose import Scene, among, seen
from mmload.tasks.devices import DEVICES, disc, padlock
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.look import canvas, choose_em, template, theme
from mmload.tasks.prompts import fill, prompt

LABELS: Final = (
    "lamp",
    "switch",
    "gauge",
    "knob",
    "button",
    "slider",
    "display",
    "socket",
    "fan",
    "key",
    "valve",
    "bell",
)
VERBS: Final = {
    "switch": "toggle",
    "knob": "turn",
    "button": "press",
    "slider": "slide",
    "key": "turn",
    "valve": "turn",
}
COLOURS: Final[dict[str, Colour]] = {
    "red": (200, 40, 44),
    "green": (36, 140, 70),
    "blue": (40, 96, 190),
    "yellow": (226, 176, 20),
    "purple": (124, 66, 170),
    "orange": (226, 116, 24),
}
RELATIONS: Final = ("left_of", "right_of", "above", "below")
_ATTRS = {
    "type": "object",
    "properties": {"color": {"enum": sorted(COLOURS)}, "state": {"enum": ["on", "off", "locked"]}},
    "additionalProperties": False,
}
_LABEL = {"enum": sorted(LABELS)}
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": _LABEL, "attrs": _ATTRS},
                "required": ["label", "attrs"],
                "additionalProperties": False,
            },
        },
        "relations": {
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [_LABEL, {"enum": list(RELATIONS)}, _LABEL],
                "minItems": 3,
                "maxItems": 3,
            },
        },
        "actions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"verb": {"enum": sorted(set(VERBS.values()))}, "target": _LABEL},
                "required": ["verb", "target"],
                "additionalProperties": False,
            },
        },
        "probes": {
            "type": "object",
            "propertyNames": _LABEL,
            "additionalProperties": {"enum": ["yes", "no"]},
        },
    },
    "required": ["objects", "relations", "actions", "probes"],
    "additionalProperties": False,
}
SHAPE: Final = (
    '{"objects":[{"label","attrs":{"color","state"}}],"relations":[[label,"left_of|right_of|above|below",label]],'
    '"actions":[{"verb":"toggle|turn|press|slide","target":label}],"probes":{label:"yes|no"}}. Labels: lamp'
    " switch gauge knob button slider display socket fan key valve bell."
    " Colors: red green blue yellow purple orange. State:"
    " bright, up or right is on, dark, down or left is off, with a padlock it is locked and takes no action."
    " Relations hold between rows and columns of the panel; probes say whether a device is there."
)


@dataclass(frozen=True, slots=True)
class Device:
    label: str
    colour: str
    state: str
    row: int
    column: int


class Describe(DrawnTask):
    name = "describe"
    answer = ANSWER

    @staticmethod
    def scene(rng: random.Random, want: Want) -> Scene:
        """A panel of devices. Unanswerable: its shutter is down."""
        readable = want.answerable
        small = want.width < 26 * 17 or want.height < 20 * 17
        em = choose_em(rng, want, *((15, 13) if small else (24, 20)))
        columns, rows = (3, 2) if small else (4, 3)
        devices = _devices(rng, columns * rows, columns, rng.randint(5, 6) if small else rng.randint(5, 12))
        skin, state = theme(rng, want, THEMES), rng.getrandbits(64)
        aside = random.Random(rng.getrandbits(64))
        sheet = canvas(want, em, skin)
        places = _paint(template(state, want), sheet, devices, columns, rows, want.nonce, closed=not readable)

        def other() -> Any:
            blank = canvas(want, em, skin)
            _paint(aside, blank, _devices(aside, columns * rows, columns, 5), columns, rows, "", closed=False)
            return blank.image

        images, which, place = among(aside, want, sheet.image, other)
        absent = [n for n in LABELS if n not in {d.label for d in devices}] or ["bell"]
        present = aside.sample([d.label for d in devices], 2)
        lures = aside.sample(absent, min(2, len(absent)))
        probes = sorted([*present, *[n for n in lures if n not in present]])
        graph = _graph(devices)
        answer = _answer(graph, probes)
        evidence = [seen("nonce", places["nonce"], ["nonce"], place)]
        plausible: dict[str, list[Any]] = {}
        if readable:
            for k, device in enumerate(devices):
                evidence.append(seen(device.label, places[device.label], ["answer", "objects", k], place))
                wrong = next(c for c in COLOURS if c != device.colour)
                plausible[device.label] = [
                    {"label": device.label, "attrs": {"color": wrong, "state": device.state}}
                ]
        bait = lures[0] if lures[0] not in {d.label for d in devices} else ""
        invented = {
            **answer,
            "actions": [
                *answer["actions"],
                {"verb": VERBS.get(bait, "press"), "target": bait or devices[0].label},
            ],
        }
        if not bait:
            invented["actions"] = [*answer["actions"], {"verb": "slide", "target": "lamp"}]
        return Scene(
            images=images,
            question=fill(prompt("describe"), which=which, probes=", ".join(probes)),
            shape=SHAPE,
            status="answered" if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait=invented if readable else answer,
            plausible=plausible,
            evidence=evidence,
            extra={"graph": graph, "bait_labels": lures},
            slices={"difficulty": f"{len(devices)} devices"},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        asked = list(item.truth["answer"]["probes"])
        found = judge_scene(answer, item.truth["graph"], item.truth["bait_labels"], asked)
        passed = not found.claims.hallucinated and found.cover >= 0.8 and body["status"] == "answered"
        made = sum(found.claims.made.values()) or 1
        value = found.cover * (1 - sum(found.claims.hallucinated.values()) / made)
        claims = Claims(found.claims.made, found.claims.hallucinated, found.claims.critical)
        return Judgement(value, passed, claims, detail=found.detail)


def _devices(rng: random.Random, cells: int, columns: int, count: int) -> list[Device]:
    labels = rng.sample(LABELS, min(count, cells))
    spots = sorted(rng.sample(range(cells), len(labels)))
    made = []
    for label, spot in zip(labels, spots, strict=True):
        state = (
            rng.choice(("on", "off", "off", "on", "locked")) if label in VERBS else rng.choice(("on", "off"))
        )
        made.append(Device(label, rng.choice(list(COLOURS)), state, spot // columns, spot % columns))
    return made


def _graph(devices: list[Device]) -> dict[str, Any]:
    """Objects with attributes, all relations that hold, and the actions that are possible."""
    relations = []
    for a, b in combinations(devices, 2):
        if a.column != b.column:
            left, right = (a, b) if a.column < b.column else (b, a)
            relations += [[left.label, "left_of", right.label], [right.label, "right_of", left.label]]
        if a.row != b.row:
            top, low = (a, b) if a.row < b.row else (b, a)
            relations += [[top.label, "above", low.label], [low.label, "below", top.label]]
    free = [d for d in devices if d.label in VERBS and d.state != "locked"]
    return {
        "objects": {d.label: {"color": d.colour, "state": d.state} for d in devices},
        "relations": relations,
        "actions": [[VERBS[d.label], d.label] for d in free],
    }


def _answer(graph: Mapping[str, Any], probes: list[str]) -> dict[str, Any]:
    return {
        "objects": [{"label": label, "attrs": dict(attrs)} for label, attrs in graph["objects"].items()],
        "relations": graph["relations"][:4],
        "actions": [{"verb": verb, "target": target} for verb, target in graph["actions"]],
        "probes": {label: "yes" if label in graph["objects"] else "no" for label in probes},
    }


def _paint(
    rng: random.Random, c: Canvas, devices: list[Device], columns: int, rows: int, nonce: str, closed: bool
) -> dict[str, Text]:
    em, t = c.em, c.theme
    places: dict[str, Text] = {}
    c.rect((0, 0, c.width, 2.0 * em), t.bar)
    c.text(
        0.7 * em,
        1.0 * em,
        rng.choice(("Panel A", "Panel B", "Panel C")),
        face="bold",
        fill=t.bar_ink,
        anchor="lm",
    )
    if nonce:
        width = c.measure(nonce, 1.2, "bold")
        c.text(c.width - 1.1 * em - width, 1.0 * em, "Ref", anchor="rm", scale=1.2, fill=t.bar_ink)
        places["nonce"] = c.text(
            c.width - 0.7 * em, 1.0 * em, nonce, face="bold", scale=1.2, anchor="rm", fill=t.bar_ink
        )
    plate = Box(0.5 * em, 2.5 * em, c.width - 0.5 * em, c.height - 0.5 * em)
    metal = blend((176, 182, 190), t.panel, 0.3)
    c.rect(plate, metal, blend(metal, (0, 0, 0), 0.4), radius=0.5 * em)
    for x in (plate.x0 + 0.6 * em, plate.x1 - 0.6 * em):
        for y in (plate.y0 + 0.6 * em, plate.y1 - 0.6 * em):
            disc(c, x, y, 0.22 * em, blend(metal, (0, 0, 0), 0.5))
    if closed:
        _shutter(c, plate.grown(-0.9 * em), metal)
        return places
    cell_w, cell_h = plate.width / columns, plate.height / rows
    side = min(cell_w, cell_h) * 0.62
    for d in devices:
        x, y = plate.x0 + (d.column + 0.5) * cell_w, plate.y0 + (d.row + 0.5) * cell_h
        box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        DEVICES[d.label](c, box, COLOURS[d.colour], d.state)
        if d.state == "locked":
            padlock(c, box)
        places[d.label] = Text(d.label, box, round(side / 5, 1))
    return places


def _shutter(c: Canvas, box: Box, metal: Colour) -> None:
    slats = max(4, int(box.height / (1.4 * c.em)))
    for k in range(slats):
        y = box.y0 + k * box.height / slats
        c.rect((box.x0, y, box.x1, y + box.height / slats - 2), blend(metal, (0, 0, 0), 0.18 + 0.1 * (k % 2)))
