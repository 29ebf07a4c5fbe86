"""Field extraction: an invoice, receipt, form or log table, and its values as typed fields."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.score.fields import count_fields, count_rows
from mmload.score.text import same_amount, same_date, same_text
from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, Canvas
from mmload.tasks.compose import Scene, among, seen
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.look import canvas, choose_em, labels, template, theme
from mmload.tasks.papers import paint
from mmload.tasks.pen import Marks
from mmload.tasks.prompts import fill, prompt
from mmload.tasks.records import Document, bill, form, log_rows, misread
from mmload.tasks.wear import stain, tear
from mmload.tasks.words import (
    PAPER_LABELS,
)

_TEXT, _AMOUNT = {"type": "string"}, {"type": ["string", "number"]}
FIELDS: Final = {
    "invoice_id": same_text,
    "form_id": same_text,
    "date": same_date,
    "vendor": same_text,
    "currency": same_text,
    "subtotal": same_amount,
    "tax": same_amount,
    "total": same_amount,
    "amount": same_amount,
    "full_name": same_text,
    "email": same_text,
    "phone": same_text,
    "city": same_text,
    "plan": same_text,
    "time": same_text,
    "service": same_text,
    "code": same_text,
    "ms": same_amount,
}
COLUMNS: Final = {"sku": same_text, "qty": same_amount, "unit_price": same_amount}
CRITICAL: Final = frozenset({"invoice_id", "form_id", "date", "total", "amount", "time", "code"})
PASS_F1: Final = 0.95
_ROW = {
    "type": "object",
    "properties": {
        "sku": _TEXT,
        "qty": {"type": ["integer", "string"]},
        "unit_price": _AMOUNT,
        "amount": _AMOUNT,
    },
    "required": ["sku", "qty", "unit_price", "amount"],
    "additionalProperties": False,
}
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "doc_type": {"enum": ["invoice", "receipt", "form", "log"]},
        "fields": {
            "type": "object",
            "properties": {n: _AMOUNT if m is same_amount else _TEXT for n, m in FIELDS.items()},
            "additionalProperties": False,
        },
        "line_items": {"type": "array", "items": _ROW},
    },
    "required": ["doc_type", "fields", "line_items"],
    "additionalProperties": False,
}
Notice = tuple[str, float]
"""A sentence and its contrast against the paper."""
SHAPE: Final = (
    '{"doc_type":"invoice|receipt|form|log","fields":{name:value},"line_items":[{"sku","qty","unit_price","amount"}]};'
    " amounts as decimal strings such as 1234.50, dates as YYYY-MM-DD, currency as its three-letter code;"
    " line_items is [] unless asked for."
)


class Extract(DrawnTask):
    name = "extract"
    answer = ANSWER

    @staticmethod
    def scene(rng: random.Random, want: Want, notice: Notice | None = None) -> Scene:
        """The paper and its question; ``notice`` is a sentence, and its contrast, to be printed on it."""
        kind = _kind(rng, want)
        document, sheet, marks = drawn(rng, want, kind, notice=notice)
        aside = random.Random(rng.getrandbits(64))
        readable = want.answerable
        if not readable:
            sheet, marks = _blinded(aside, document, sheet, marks)
        images, which, place = among(
            aside, want, sheet.image, lambda: drawn(aside, want, kind, nonce="")[1].image
        )
        answer = {"doc_type": kind, "fields": document.fields, "line_items": document.items}
        asked = ", ".join([*document.fields, *(["line_items"] if document.items else [])])
        doc = "log table's ERROR row" if kind == "log" else kind
        return Scene(
            images=images,
            question=fill(prompt("extract"), which=which, doc=doc, fields=asked),
            shape=SHAPE,
            status="answered" if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait=_bait(document, answer, readable),
            plausible=_plausible(document) if readable else {},
            evidence=_evidence(document, marks, place, readable),
            slices={"doc": kind, "difficulty": "rows" if document.items else "fields"},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """Micro-F1 over fields and rows; passes at 0.95 with every critical field exact."""
        truth = item.truth["answer"]
        fields = count_fields(answer["fields"], truth["fields"], FIELDS)
        rows = count_rows(answer["line_items"], truth["line_items"], "sku", COLUMNS)
        tp, fp, fn = fields.tp + rows.tp, fields.fp + rows.fp, fields.fn + rows.fn
        f1 = 2 * tp / max(1, 2 * tp + fp + fn)
        claims = Claims()
        for name, value in answer["fields"].items():
            if value is not None:
                kind = "attribute" if name in truth["fields"] else "object"
                claims.add(kind, name not in fields.wrong, critical=name in CRITICAL)
        known = {same["sku"].casefold() for same in truth["line_items"]}
        for row in answer["line_items"]:
            name = row["sku"].strip().casefold()
            claims.add("attribute" if name in known else "object", name not in rows.wrong)
        exact = not ((fields.wrong | fields.missing) & CRITICAL & set(truth["fields"]))
        kind_right = answer["doc_type"] == truth["doc_type"]
        status_right = body["status"] == "answered"
        passed = f1 >= PASS_F1 and exact and kind_right and status_right
        return Judgement(f1, passed, claims, detail={"f1": f1, "anls": fields.similarity})


def _kind(rng: random.Random, want: Want) -> str:
    roll = rng.random()
    if want.width < 28.5 * 17 or want.height < 21 * 17:
        return "receipt"
    if want.height < 26 * 17 or want.width < 35 * 17:
        return "receipt" if roll < 0.4 else "form" if roll < 0.7 else "log"
    return "invoice" if roll < 0.45 else "receipt" if roll < 0.65 else "form" if roll < 0.85 else "log"


_NEEDS: Final = {"invoice": (35, 26), "form": (28, 21), "log": (27, 12)}
"""Columns and rows in ems below which the paper cannot be drawn."""


def drawn(
    rng: random.Random, want: Want, kind: str, nonce: str | None = None, notice: Notice | None = None
) -> tuple[Document, Canvas, Marks]:
    """A document of ``kind`` at the wanted size, with its truth and where each value stands."""
    small = want.width < 24 * 17 or want.height < 20 * 17
    columns, rows = _NEEDS.get(kind, (15, 11) if small else (22, 20))
    em = choose_em(rng, want, columns, rows + (3 if notice else 0))
    make = {"form": form, "log": log_rows}.get(kind, bill)
    document = make(rng, kind, want, want.height / em - (3 if notice else 0), want.width / em)
    document.paper.nonce = want.nonce if nonce is None else nonce
    if notice:
        document.paper.notice, document.paper.notice_contrast = notice
    skin = theme(rng, want, THEMES if kind == "log" else (THEMES[0], THEMES[2], THEMES[3]))
    state = rng.getrandbits(64)
    document.paper.labels = labels(state, want, PAPER_LABELS)
    sheet = canvas(want, em, skin)
    return document, sheet, paint(template(state, want), document.paper, sheet)


def _blinded(rng: random.Random, document: Document, sheet: Canvas, marks: Marks) -> tuple[Canvas, Marks]:
    """The same paper with a critical field gone: covered, torn off, too small to read, or never printed."""
    paper = document.paper
    name = rng.choice([n for n in ("invoice_id", "form_id", "date", "time", "code") if n in document.fields])
    torn = ("tear",) if paper.kind == "invoice" and not paper.notice else ()
    way = rng.choice(("stain", "tiny", "absent", *torn))
    if way == "stain":
        stain(rng, sheet, marks[name].box)
    elif way == "tear":
        edge = min(marks[n].box.y0 for n in ("subtotal", "tax", "total"))
        tear(rng, sheet, edge - 0.3 * sheet.em)
    else:
        paper.absent, paper.tiny = (name, "") if way == "absent" else ("", name)
        sheet = sheet.blank()
        marks = paint(random.Random(rng.getrandbits(64)), paper, sheet)
    return sheet, marks


def _evidence(document: Document, marks: Marks, place: int, readable: bool) -> list[dict[str, Any]]:
    found = [seen("nonce", marks["nonce"], ["nonce"], place)]
    if not readable:
        return found
    for name in document.fields:
        mark_ = marks.get(name) or marks["total"]
        found.append(seen(name, mark_, ["answer", "fields", name], place))
    for k in range(len(document.items)):
        found.append(seen(f"row{k}", marks[f"row{k}"], ["answer", "line_items", k], place))
    return found


def _plausible(document: Document) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {name: list(wrong) for name, wrong in document.wrong.items()}
    for k, item in enumerate(document.items):
        values[f"row{k}"] = [
            {**item, "unit_price": misread(item["unit_price"])[0]},
            {**item, "qty": item["qty"] + 1},
        ]
    return values


def _bait(document: Document, answer: Mapping[str, Any], readable: bool) -> dict[str, Any]:
    """The truth (on an unanswerable item, what a guess could give) with an invented critical value in it."""
    fields = dict(answer["fields"])
    name = next(n for n in ("total", "amount", "code") if n in fields)
    fields[name] = document.wrong[name][-1] if readable else fields[name]
    return {**answer, "fields": fields}
