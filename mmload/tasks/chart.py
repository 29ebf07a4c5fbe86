"""Chart reading: a value, the largest or smallest category, or how many exceed a mark."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from PIL import Image

from mmload.model import Item
from mmload.score.card import Judgement
from mmload.score.claims import Claims
from mmload.score.text import norm, relaxed, same_amount, same_text
from mmload.tasks import Want
from mmload.tasks.canvas import THEMES, LayoutError, Theme
from mmload.tasks.compose import Scene, among, seen, told
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.look import canvas, choose_em, template, theme
from mmload.tasks.plots import KINDS, Chart, Data, paint
from mmload.tasks.prompts import fill, prompt
from mmload.tasks.words import MONTHS, PRODUCTS, REGIONS, SHORT_GOODS

_NULLABLE = {"type": ["string", "null"]}
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "value": {"type": ["number", "string"]},
        "unit": _NULLABLE,
        "series": _NULLABLE,
        "category": _NULLABLE,
    },
    "required": ["value", "unit", "series", "category"],
    "additionalProperties": False,
}
SHAPE: Final = (
    '{"value":number or label,"unit":as printed or null,"series":name or null,"category":label or null};'
    " a number without separators; unit is null for labels and counts."
)
_MEASURES: Final = (
    ("Revenue", "kEUR", 40, 900),
    ("Tickets", "tickets", 30, 400),
    ("Orders", "orders", 50, 950),
    ("Energy use", "kWh", 100, 900),
    ("Response time", "ms", 60, 800),
    ("Visitors", "visitors", 100, 980),
)
_WORST_READ: Final = 2.0
"""Pixels that 5% of a value must span where values are not printed: less could not be read."""
_BAIT: Final = ("Overseas", "Orion", "Smr", "Cocoa")


class ChartReading(DrawnTask):
    name = "chart"
    answer = ANSWER

    @staticmethod
    def scene(rng: random.Random, want: Want) -> Scene:
        """The chart and its question."""
        readable = want.answerable
        em, skin, data = _chosen(rng, want, want.nonce)
        kind, s, k = _question(rng, data)
        state, aside = rng.getrandbits(64), random.Random(rng.getrandbits(64))
        sheet = canvas(want, em, skin)
        chart = paint(template(state, want), data if readable else _blind(aside, data, kind, k), sheet)
        _readable(data, chart, kind, s, k)
        images, which, place = among(aside, want, sheet.image, lambda: _other(aside, want))
        named = kind == "value" and want.prompt_tokens >= 1024 and aside.random() < 0.5
        ask, notes = _ask(data, kind, s, k, named)
        answer = _answer(data, kind, s, k)
        evidence, plausible = _evidence(data, chart, kind, s, k, place, readable)
        if named and readable:
            evidence.append(told("subject", notes[0], ["answer"]))
            plausible["subject"] = [_answer(data, kind, s, (k + 1) % len(data.categories))]
        invented = {**answer, "category": _bait(data), "value": number_of(round(data.values[s][k] * 1.2))}
        return Scene(
            images=images,
            question=fill(prompt("chart"), which=which, ask=ask),
            shape=SHAPE,
            status="answered" if readable else "insufficient_evidence",
            answer=answer if readable else None,
            bait=invented if readable else answer,
            plausible=plausible,
            evidence=evidence,
            extra={"ask": kind, "categories": data.categories, "series": data.series},
            notes=notes,
            slices={"chart": data.kind, "difficulty": "printed" if data.labelled else "axis", "ask": kind},
        )

    @staticmethod
    def judge(item: Item, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Judgement:
        """Relaxed accuracy (5%) for values read, labels exact; category and series named must be right."""
        truth, facts = item.truth["answer"], item.truth
        if facts["ask"] == "value":
            right = relaxed(answer["value"], truth["value"]) and not isinstance(answer["value"], bool)
        elif facts["ask"] == "count":
            right = same_amount(answer["value"], truth["value"])
        else:
            right = same_text(answer["value"], truth["value"])
        claims = Claims()
        named = [answer["category"], answer["value"] if facts["ask"] in ("largest", "smallest") else None]
        for label in {norm(n) for n in named if isinstance(n, str) and n}:
            claims.add("object", label in {norm(c) for c in facts["categories"]}, critical=True)
        if answer["series"]:
            claims.add("object", norm(answer["series"]) in {norm(s) for s in facts["series"]}, critical=True)
        claims.add("attribute", right)
        places = all(
            truth[n] is None or answer[n] is None or same_text(answer[n], truth[n])
            for n in ("category", "series")
        )
        unit = truth["unit"] is None or answer["unit"] is None or same_text(answer["unit"], truth["unit"])
        passed = right and places and body["status"] == "answered"
        return Judgement(
            0.9 * right + 0.1 * unit if places else 0.0, passed, claims, detail={"unit": float(unit)}
        )


def _chosen(rng: random.Random, want: Want, nonce: str) -> tuple[int, Theme, Data]:
    small = want.width < 24 * 17 or want.height < 19 * 17
    columns, rows = (15, 13) if small else (22, 18)
    em = choose_em(rng, want, columns, rows)
    return em, theme(rng, want, THEMES), _data(rng, want.width / em, want.height / em, nonce)


def number_of(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 1)


def _data(rng: random.Random, columns: float, rows: float, nonce: str) -> Data:
    kind = rng.choice(KINDS)
    pool = rng.choice((MONTHS, REGIONS, PRODUCTS, SHORT_GOODS))
    widest = max(len(name) for name in pool) * 0.66 + 0.4
    count = max(3, min(int((columns - 6) / widest), rng.randint(3, 8), 5 if kind == "pie" else 8))
    if columns < 24 and widest > 4:
        pool, count = MONTHS, min(4, count)
    if columns < 20:
        pool, count = MONTHS, 3
    start = rng.randrange(len(pool) - count + 1)
    categories = list(pool[start : start + count])
    what, unit, low, high = rng.choice(_MEASURES)
    wide = kind in ("grouped", "line") and columns > 20 and rows > 16
    series = (
        ["2024", "2025", "2026"][: rng.randint(2, 3) if kind == "grouped" else rng.randint(1, 2)]
        if wide
        else [what]
    )
    if kind == "grouped" and not wide:
        kind = "bar"
    if kind == "pie":
        unit = f"{unit} in all"
    room = (columns - 6) / count / len(series) * 0.72
    labelled = kind == "pie" or (
        (rng.random() < 0.5 or rows < 16) and room > 2.2 and not (kind == "line" and len(series) > 1)
    )
    values = [_spread(rng, low, high, count) for _ in series]
    if kind == "pie":
        values = [_spread(rng, 20, 90, count)]
    by = "month" if pool is MONTHS else "region" if pool is REGIONS else "product"
    return Data(kind, f"{what} by {by}", unit, categories, series, values, labelled, nonce)


def _spread(rng: random.Random, low: int, high: int, count: int) -> list[float]:
    """Values that differ from each other by more than the tolerance of a reading."""
    values: list[float] = []
    while len(values) < count:
        new = float(rng.randint(low + (high - low) // 6, high))
        if all(abs(new - v) > 0.11 * max(new, v) for v in values) or rng.random() < 0.02:
            values.append(new)
    return values


def _question(rng: random.Random, data: Data) -> tuple[str, int, int]:
    """What is asked, of which series and category."""
    kind = rng.choice(("value", "value", "value", "largest", "smallest"))
    s = rng.randrange(len(data.series))
    row = data.values[s]
    if kind == "value":
        return kind, s, rng.randrange(len(row))
    ordered = sorted(row, reverse=kind == "largest")
    if abs(ordered[0] - ordered[1]) < 0.08 * max(ordered[:2]):
        raise LayoutError("two values are too close to call")
    return kind, s, row.index(ordered[0])


def _ask(data: Data, kind: str, s: int, k: int, named: bool) -> tuple[str, list[str]]:
    of = f" in series {data.series[s]}" if len(data.series) > 1 else ""
    if kind == "value" and named:
        note = f"Scope of this request: look at {data.categories[k]}."
        return f"What is the value{of} for the category that the scope note below names?", [note]
    if kind == "value":
        return f"What is the value{of} for {data.categories[k]}?", []
    return f"Which category has the {kind} value{of}?", []


def _answer(data: Data, kind: str, s: int, k: int) -> dict[str, Any]:
    series = data.series[s] if len(data.series) > 1 else None
    label = data.categories[k]
    if kind == "value":
        return {"value": number_of(data.values[s][k]), "unit": data.unit, "series": series, "category": label}
    return {"value": label, "unit": None, "series": series, "category": label}


def _blind(rng: random.Random, data: Data, kind: str, k: int) -> Data:
    """The chart, drawn so that it cannot answer: the legend, the labels or the category is gone."""
    if len(data.series) > 1 and rng.random() < 0.5:
        return replace(data, hide_legend=True)
    if kind != "value":
        return replace(data, hide_labels=True)
    rows = [row[:k] + row[k + 1 :] for row in data.values]
    return replace(data, categories=data.categories[:k] + data.categories[k + 1 :], values=rows)


def _readable(data: Data, chart: Chart, kind: str, s: int, k: int) -> None:
    """Raises ``LayoutError`` where 5% of the value spans fewer pixels than can be told apart."""
    if kind == "value" and chart.per_unit and chart.per_unit * 0.05 * data.values[s][k] < _WORST_READ:
        raise LayoutError("5% of the value is less than two pixels")


def _evidence(
    data: Data, chart: Chart, kind: str, s: int, k: int, place: int, readable: bool
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    evidence = [seen("nonce", chart.labels["nonce"], ["nonce"], place)]
    if not readable:
        return evidence, {}
    plausible: dict[str, list[Any]] = {}
    key = f"value:{data.series[s]}/{data.categories[k]}"
    figure = chart.labels.get(key) or chart.labels["axis"]
    others = [j for j in range(len(data.categories)) if j != k]
    if kind == "value":
        value = data.values[s][k]
        evidence.append(seen("value", figure, ["answer", "value"], place))
        plausible["value"] = [
            number_of(data.values[s][others[0]]),
            number_of(round(value * 1.3, 0)),
            number_of(round(value * 0.7, 0)),
        ]
        plausible["value"] = [v for v in plausible["value"] if not relaxed(v, value)] or [
            number_of(round(value * 2))
        ]
    evidence.append(seen("category", chart.labels[f"cat:{data.categories[k]}"], ["answer"], place))
    plausible["category"] = [_answer(data, kind, s, j) for j in others]
    if len(data.series) > 1:
        rest = [j for j in range(len(data.series)) if j != s]
        evidence.append(seen("series", chart.labels[f"series:{data.series[s]}"], ["answer"], place))
        plausible["series"] = [_answer(data, kind, j, k if kind == "value" else others[0]) for j in rest]
    return evidence, plausible


def _bait(data: Data) -> str:
    return next(b for b in _BAIT if b not in data.categories)


def _other(rng: random.Random, want: Want) -> Image.Image:
    for _ in range(8):
        em, skin, data = _chosen(rng, want, "")
        sheet = canvas(want, em, skin)
        try:
            paint(rng, data, sheet)
        except LayoutError:
            continue
        return sheet.image
    raise LayoutError("no chart fits")
