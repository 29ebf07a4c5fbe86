"""Cross-modal conflict: image, text and code each state a value; which to trust is said."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.score.text import same_amount, same_date, same_text
from mmload.tasks import Want, extract
from mmload.tasks.compose import Scene, among, seen, told
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.prompts import fill, prompt
from mmload.tasks.wear import stain

SOURCES: Final = ("image", "text", "code")
_MATCH: Final = {"total": same_amount, "date": same_date, "invoice_id": same_text}
_NAMES: Final = {"total": "total", "date": "date", "invoice_id": "document number"}
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "field": {"enum": sorted(_MATCH)},
        "value": {"type": ["string", "number"]},
        "trusted_source": {"enum": list(SOURCES)},
    },
    "required": ["field", "value", "trusted_source"],
    "additionalProperties": False,
}
SHAPE: Final = (
    '{"field":"total|date|invoice_id","value":value of the most trusted source,'
    '"trusted_source":"image|text|code"};'
    " status conflict if any source states another value, else answered;"
    " amounts as 1234.50, dates as YYYY-MM-DD."
)
_CONSISTENT: Final = 0.25
"""Share of items whose sources agree: there a conflict must not be reported."""


class Conflict(DrawnTask):
    name = "conflict"
    answer = ANSWER
    overreach = "attribute"

    @staticmethod
    def scene(rng: random.Random, want: Want) -> Scene:
        """An invoice or receipt, and the same record in words and in JSON."""
        readable = want.answerable
        roomy = want.width >= 35 * 17 and want.height >= 26 * 17
        kind = "invoice" if roomy and rng.random() < 0.6 else "receipt"
        document, sheet, marks = extract.drawn(rng, want, kind)
        field = rng.choice(list(_MATCH))
        order = rng.sample(SOURCES, 3)
        odd = None if rng.random() < _CONSISTENT else rng.choice(SOURCES)
        aside = random.Random(rng.getrandbits(64))
        truth, wrong = document.fields[field], document.wrong[field][0]
        stated: dict[str, str | None] = {s: wrong if s == odd else truth for s in SOURCES}
        shown = {"text": wrong if odd == "text" else truth, "code": wrong if odd == "code" else truth}
        if odd == "image":
            shown = {"text": wrong, "code": wrong}
            stated = {"image": truth, "text": wrong, "code": wrong}
        if not readable:
            stain(aside, sheet, marks[field].box)
            if field == "total":
                for name in ("subtotal", "tax"):
                    if name in marks:
                        stain(aside, sheet, marks[name].box)
        words = (
            f"{_NAMES[field]} is {shown['text']}" if readable else f"vendor is {document.fields['vendor']}"
        )
        record = json.dumps(
            {field: shown["code"]} if readable else {"vendor": document.fields["vendor"]}, ensure_ascii=False
        )
        images, which, place = among(
            aside, want, sheet.image, lambda: extract.drawn(aside, want, kind, nonce="")[1].image
        )
        answer = {"field": field, "value": stated[order[0]], "trusted_source": order[0]}
        status = "conflict" if odd else "answered"
        evidence = [seen("nonce", marks["nonce"], ["nonce"], place)]
        plausible: dict[str, list[Any]] = {}
        if readable:
            second = document.wrong[field][-1]
            evidence += [
                seen("image", marks[field], [], place),
                told("text", words, []),
                told("code", record, [], "code"),
            ]
            plausible = {s: _misread(answer, stated, s, order, second) for s in SOURCES}
        return Scene(
            images=images,
            question=fill(
                prompt("conflict"),
                which=which,
                field=_NAMES[field],
                order=" over ".join(order),
                text=words,
                code=record,
            ),
            shape=SHAPE,
            status=status if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait={**answer, "value": _nobodys(field, stated)} if readable else answer,
            plausible=plausible,
            evidence=evidence,
            extra={"stated": stated},
            slices={"doc": kind, "authority": order[0], "odd": odd or "none", "difficulty": status},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """The authoritative value, and the conflict flagged (or the right source named).

        ``detail``, where sources differ: ``authority>followed`` for the trusted source and any at odds with
        it, if its value was given; ``blend`` if it is nobody's; ``flagged``. Where they agree:
        ``flagged_falsely``.
        """
        truth, stated = item.truth["answer"], item.truth["stated"]
        same = _MATCH[truth["field"]]
        followed = {s: same(answer["value"], v) for s, v in stated.items() if v is not None}
        right = same(answer["value"], truth["value"])
        trusted = answer["trusted_source"] == truth["trusted_source"]
        conflicting = item.truth["status"] == "conflict"
        flagged = body["status"] == "conflict"
        status = flagged or trusted if conflicting else not flagged
        claims = Claims()
        claims.add("attribute", any(followed.values()), critical=True)
        if conflicting:
            trusted_one = truth["trusted_source"]
            at_odds = {s for s, v in stated.items() if v is not None and not same(v, truth["value"])}
            detail = {f"{trusted_one}>{s}": 1.0 for s in (trusted_one, *sorted(at_odds)) if followed.get(s)}
            detail |= {"blend": float(not any(followed.values())), "flagged": float(flagged)}
            detail |= {"conflicts": 1.0, f"authority_{trusted_one}": 1.0}
        else:
            detail = {"consistent": 1.0, "flagged_falsely": float(flagged)}
        value = 0.6 * right + 0.2 * trusted + 0.2 * (flagged == conflicting)
        passed = right and status and answer["field"] == truth["field"]
        return Judgement(
            1.0 if right and trusted and flagged == conflicting else value, passed, claims, detail=detail
        )


def _misread(
    answer: Mapping[str, Any], stated: Mapping[str, str | None], source: str, order: list[str], second: str
) -> list[Any]:
    """What a reader gives to whom one source was illegible: the next source's word, or a misread one."""
    if source != order[0]:
        agreed = {v for s, v in stated.items() if s != source}
        flagged = "answered" if len(agreed) == 1 else "conflict"
        following = next(s for s in order[1:])
        return [
            {
                "status": flagged
                if flagged == "answered" and answer["value"] != stated[source]
                else "answered",
                "answer": {**answer, "value": second, "trusted_source": following},
            }
        ]
    value = next((stated[s] for s in order[1:] if stated[s] != answer["value"]), second)
    return [{"status": "answered", "answer": {**answer, "value": value, "trusted_source": order[1]}}]


def _nobodys(field: str, stated: Mapping[str, str | None]) -> str:
    """A value that no source states."""
    pool = {
        "total": ("40404.04", "50505.05"),
        "date": ("2019-01-17", "2018-02-18"),
        "invoice_id": ("X-00001", "X-00002"),
    }
    return next(v for v in pool[field] if v not in stated.values())
