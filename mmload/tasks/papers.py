"""Painters of business papers, by kind: invoice and form here, receipt and log table in ``slips``.

Each takes a ``Paper`` and gives where each value stands. Not aware of questions, answers or scores.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from mmload.tasks.canvas import Box, Canvas, LayoutError, Text, blend
from mmload.tasks.pen import Marks, Paper, Pen
from mmload.tasks.slips import log_table, receipt
from mmload.tasks.wear import grain
from mmload.tasks.words import CITIES, STREETS


def _viewer(rng: random.Random, c: Canvas, title: str, page_width: float) -> Box:
    """A document viewer around a page of ``page_width`` ems; gives the page's box."""
    t, em = c.theme, c.em
    top = 2.2 * em if c.height > 24 * em else 0.4 * em
    side = 9 * em if c.width > (page_width + 14) * em else 0.0
    if top > em:
        c.rect((0, 0, c.width, top), t.bar, t.line)
        c.text(0.8 * em, top / 2, c.fit(title, c.width * 0.5), fill=t.bar_ink, anchor="lm")
        if c.width > 40 * em:
            c.text(
                c.width - 0.8 * em,
                top / 2,
                f"1 / {rng.randint(1, 4)}    {rng.choice((75, 90, 100, 125))}%",
                fill=t.bar_ink,
                anchor="rm",
            )
    if side:
        c.rect((0, top, side, c.height), blend(t.desk, t.bar, 0.6), t.line)
        for k in range(3):
            y = top + (1.5 + k * 8.5) * em
            if y + 7 * em < c.height:
                c.rect((2 * em, y, 7 * em, y + 7 * em), t.panel, t.accent if k == 0 else t.line)
                for line in range(5):
                    c.rect(
                        (2.6 * em, y + (1 + line) * em, (4 + (line * 7 + k) % 3) * em, y + (1.3 + line) * em),
                        t.line,
                    )
    width = min(page_width * em, c.width - side - 1.2 * em)
    left = side + (c.width - side - width) / 2
    page = Box(left, top + 0.6 * em, left + width, c.height - 0.6 * em)
    c.rect(Box(page.x0 + 4, page.y0 + 4, page.x1 + 4, page.y1 + 4), blend(t.desk, (0, 0, 0), 0.25))
    c.rect(page, t.panel, t.line)
    return page


def _invoice(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    t, em, words = c.theme, c.em, paper.labels
    face = rng.choice(("sans", "sans", "serif" if em >= 18 else "sans"))
    pen = Pen(c, paper, face)
    page = _viewer(rng, c, f"scan_{rng.randint(100, 999)}.pdf", rng.uniform(38, 52))
    left, right, y = page.x0 + 1.6 * em, page.x1 - 1.6 * em, page.y0 + 1.9 * em
    band = rng.random() < 0.4
    if band:
        c.rect((page.x0, page.y0, page.x1, page.y0 + 3.8 * em), t.accent)
    heading = t.accent_ink if band else t.accent
    title = c.text(right, y, words["invoice"], scale=1.5, face="bold", fill=heading, anchor="rm")
    scale = min(1.5, 1.5 * (title.box.x0 - left - em) / c.measure(paper.vendor, 1.5, face))
    pen.marks["vendor"] = c.text(
        left,
        y,
        paper.vendor,
        scale=max(1.0, scale),
        face=face,
        anchor="lm",
        fill=t.accent_ink if band else t.ink,
    )
    y += 3.0 * em
    street = f"{rng.choice(STREETS)} {rng.randint(2, 90)}, {rng.choice(CITIES)}"
    c.text(left, y, c.fit(street, (right - left) * 0.55), fill=t.muted, face=face, anchor="lm")
    pen.reference_right(right, y)
    gap = max(c.measure(words[k], 1, face) for k in ("no", "date", "bill")) + 1.2 * em
    pen.pair("invoice_id", words["no"], left, y + 2.0 * em, gap)
    pen.pair("date", words["date"], left, y + 3.7 * em, gap)
    c.text(left, y + 5.4 * em, words["bill"], fill=t.muted, face=face, anchor="lm")
    c.text(
        left + gap,
        y + 5.4 * em,
        c.fit(f"{rng.choice(CITIES)} Retail", right - left - gap),
        face=face,
        anchor="lm",
    )
    y = _table(pen, left, right, y + 7.3 * em, zebra=rng.random() < 0.5)
    y = _totals(pen, left, right, y + 1.4 * em)
    if y + 2.8 * em < page.y1 - 0.8 * em and not paper.notice:
        c.text(
            left,
            page.y1 - 1.4 * em,
            c.fit(words["terms"], right - left, 0.9, face),
            scale=0.9,
            face=face,
            fill=t.muted,
            anchor="lm",
        )
    pen.notice(left, y + 1.8 * em, right - left)
    return pen.marks


def _table(pen: Pen, left: float, right: float, y: float, zebra: bool) -> float:
    """Line items; gives the y below the last. The description column goes where there is no room for it."""
    c, words, face = pen.canvas, pen.paper.labels, pen.face
    em, t = c.em, c.theme
    amount, unit = right - 0.5 * em, right - 6.6 * em
    qty, what = unit - 5.6 * em, left + 6.4 * em
    wide = qty - what > 7 * em
    c.rect((left, y - 0.85 * em, right, y + 0.85 * em), blend(t.panel, t.accent, 0.14))
    c.text(left + 0.4 * em, y, words["sku"], face=face, anchor="lm", fill=t.muted)
    if wide:
        c.text(what, y, words["what"], face=face, anchor="lm", fill=t.muted)
    for x, key in ((qty, "qty"), (unit, "unit"), (amount, "amount")):
        c.text(x, y, words[key], face=face, anchor="rm", fill=t.muted)
    for k, row in enumerate(pen.paper.rows):
        y += 1.75 * em
        if zebra and k % 2:
            c.rect((left, y - 0.85 * em, right, y + 0.85 * em), blend(t.panel, t.ink, 0.04))
        elif not zebra:
            c.rule(left, y + 0.87 * em, right, y + 0.87 * em)
        first = c.text(left + 0.4 * em, y, row.sku, face=face, anchor="lm")
        if wide:
            c.text(what, y, c.fit(row.what, qty - what - 3.2 * em, 1, face), face=face, anchor="lm")
        c.text(qty, y, str(row.qty), face=face, anchor="rm")
        c.text(unit, y, row.unit, face=face, anchor="rm")
        last = c.text(amount, y, row.amount, face=face, anchor="rm")
        box = Box(first.box.x0, min(first.box.y0, last.box.y0), last.box.x1, max(first.box.y1, last.box.y1))
        pen.marks[f"row{k}"] = Text(row.sku, box, first.xheight)
    return y


def _totals(pen: Pen, left: float, right: float, y: float) -> float:
    c, words = pen.canvas, pen.paper.labels
    em, t = c.em, c.theme
    start = max(left, right - 20 * em)
    y += 0.6 * em
    for name in ("subtotal", "tax", "total"):
        if name not in pen.paper.printed:
            continue
        strong = name == "total"
        if strong:
            c.rule(start, y - 0.9 * em, right, y - 0.9 * em, t.ink)
        face = "bold" if strong else pen.face
        if name != pen.paper.absent:
            c.text(start, y, words[name], face=face, anchor="lm", fill=t.ink if strong else t.muted)
        pen.value(name, right - 0.5 * em, y, "rm", face=face)
        y += 1.7 * em
    return y - 1.7 * em


def _form(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    t, em, words = c.theme, c.em, paper.labels
    pen = Pen(c, paper, "sans")
    page = _viewer(rng, c, "form.pdf", rng.uniform(36, 44))
    left, right, y = page.x0 + 1.2 * em, page.x1 - 1.2 * em, page.y0 + 1.6 * em
    scale = min(1.3, 1.3 * (right - left) / c.measure(words["form"], 1.3, "bold"))
    c.text(left, y, words["form"], scale=scale, face="bold", fill=t.accent, anchor="lm")
    y += 1.8 * em
    pen.reference(left, y, "lm")
    names = [
        n for n in ("form_id", "date", "full_name", "email", "phone", "city", "amount") if n in paper.printed
    ]
    label = {
        "form_id": "no",
        "date": "date",
        "full_name": "name",
        "email": "email",
        "phone": "phone",
        "city": "city",
        "amount": "fee",
    }
    room = page.y1 - y - (5.4 if paper.plan else 2.0) * em - 3 * em * bool(paper.notice)
    pitch = min(3.1 * em, room / len(names))
    if pitch < 1.75 * em:
        raise LayoutError("form too tall")
    gap = max(c.measure(words[label[n]]) for n in names) + 1.2 * em
    y += 0.35 * em
    for name in names:
        y += pitch
        field_box = Box(left + gap, y - 0.85 * em, right, y + 0.85 * em)
        c.text(left, y, words[label[name]], fill=t.muted, anchor="lm")
        c.rect(field_box, t.field, t.line, radius=0.25 * em)
        pen.value(name, field_box.x0 + 0.5 * em, y, "lm")
    if paper.plan:
        _radio(pen, left, y + pitch, gap)
        y += pitch
    pen.notice(left, y + 1.9 * em, right - left)
    return pen.marks


def _radio(pen: Pen, left: float, y: float, gap: float) -> None:
    c, t, em = pen.canvas, pen.canvas.theme, pen.canvas.em
    if pen.paper.absent != "plan":
        c.text(left, y, pen.paper.labels["plan"], fill=t.muted, anchor="lm")
    x = left + gap
    for name in pen.paper.plans:
        r = 0.5 * em
        c.draw.ellipse(
            (round(x), round(y - r), round(x + 2 * r), round(y + r)),
            outline=t.muted,
            width=max(1, round(em / 10)),
        )
        chosen = name == pen.paper.plan and pen.paper.absent != "plan"
        if chosen:
            c.draw.ellipse(
                (round(x + r / 2), round(y - r / 2), round(x + 1.5 * r), round(y + r / 2)), fill=t.accent
            )
        drawn = c.text(x + 1.35 * em, y, name, anchor="lm")
        if chosen:
            pen.marks["plan"] = Text(name, Box(x, drawn.box.y0, drawn.box.x1, drawn.box.y1), drawn.xheight)
        x = drawn.box.x1 + 1.1 * em


Painter = Callable[[random.Random, Paper, Canvas], Marks]
PAINTERS: Final[dict[str, Painter]] = {
    "invoice": _invoice,
    "receipt": receipt,
    "form": _form,
    "log": log_table,
}


def paint(rng: random.Random, paper: Paper, canvas: Canvas) -> Marks:
    """The paper on a blank canvas. Raises ``LayoutError`` if it does not fit."""
    marks = PAINTERS[paper.kind](rng, paper, canvas)
    if paper.kind in ("receipt", "invoice") and rng.random() < 0.4:
        grain(canvas.image, rng.getrandbits(32), 5.0)
    return marks
