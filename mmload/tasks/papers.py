"""Painters of business papers: invoice, receipt, slip, form and log table.

Each takes a ``Paper`` and gives a canvas and where each value stands. Not aware of questions or scores.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image, ImageChops

from mmload.tasks.canvas import XHEIGHT, Box, Canvas, LayoutError, Text, Theme, blend, wrap
from mmload.tasks.words import CITIES, STREETS

Marks = dict[str, Text]
_TINY_XHEIGHT: Final = 3.6
"""Pixels; nobody reads that."""


@dataclass(slots=True)
class Row:
    sku: str
    what: str
    qty: int
    unit: str
    amount: str
    """Unit price and amount as printed."""


@dataclass(slots=True)
class Paper:
    kind: str
    labels: dict[str, str]
    vendor: str
    printed: dict[str, str]
    """Value of each field as printed."""
    rows: list[Row] = field(default_factory=list)
    plan: str = ""
    plans: tuple[str, ...] = ()
    log: list[tuple[str, ...]] = field(default_factory=list)
    """Rows of a log table: time, level, service, code, duration, message."""
    nonce: str = ""
    absent: str = ""
    """Field that is not printed at all."""
    tiny: str = ""
    """Field that is printed too small to read."""
    notice: str = ""
    """A further sentence printed at the foot, in a contrast of ``notice_contrast``."""
    notice_contrast: float = 1.0


class _Pen:
    """Writes the values of one paper and remembers where they stand."""

    def __init__(self, canvas: Canvas, paper: Paper, face: str) -> None:
        self.canvas, self.paper, self.face = canvas, paper, face
        self.marks: Marks = {}

    def value(
        self,
        name: str,
        x: float,
        y: float,
        anchor: str,
        *,
        string: str = "",
        scale: float = 1.0,
        face: str = "",
    ) -> None:
        if name == self.paper.absent:
            return
        face = face or self.face
        if name == self.paper.tiny:
            scale = _TINY_XHEIGHT / XHEIGHT[face] / self.canvas.em
        drawn = self.canvas.text(
            x, y, string or self.paper.printed[name], anchor=anchor, scale=scale, face=face
        )
        self.marks[name] = drawn

    def pair(self, name: str, label: str, x: float, y: float, gap: float) -> None:
        """A muted label at (x, y) and its value ``gap`` pixels to the right."""
        if name != self.paper.absent:
            self.canvas.text(x, y, label, fill=self.canvas.theme.muted, face=self.face, anchor="lm")
        self.value(name, x + gap, y, "lm")

    def reference(self, x: float, y: float, anchor: str, label: bool = True) -> None:
        """The nonce, a little larger than the rest."""
        if not self.paper.nonce:
            return
        if label:
            self.canvas.text(x, y, "Ref", fill=self.canvas.theme.muted, anchor=anchor, scale=1.2)
            x += self.canvas.measure("Ref ", 1.2)
        self.marks["nonce"] = self.canvas.text(x, y, self.paper.nonce, face="bold", scale=1.2, anchor=anchor)

    def reference_right(self, x: float, y: float) -> None:
        width = self.canvas.measure("Ref ", 1.2) + self.canvas.measure(self.paper.nonce, 1.2, "bold")
        self.reference(x - width, y, "lm")

    def notice(self, x: float, y: float, room: float) -> None:
        """The extra sentence, wrapped; its first line is remembered."""
        if not self.paper.notice:
            return
        c = self.canvas
        ink = blend(c.theme.panel, c.theme.ink, self.paper.notice_contrast)
        for k, line in enumerate(wrap(c, self.paper.notice, room, 0.9)):
            drawn = c.text(x, y + k * 1.3 * c.em, line, scale=0.9, fill=ink, anchor="lm")
            self.marks.setdefault("notice", drawn)


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
    pen = _Pen(c, paper, face)
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


def _table(pen: _Pen, left: float, right: float, y: float, zebra: bool) -> float:
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


def _totals(pen: _Pen, left: float, right: float, y: float) -> float:
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


def _receipt(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    """A till receipt; on a canvas of few ems it fills the whole image (a slip)."""
    t, em, words = c.theme, c.em, paper.labels
    pen = _Pen(c, paper, "mono" if c.width > 17 * em else "sans")
    width = min(c.width - 0.4 * em, rng.uniform(21, 25) * em)
    box = Box((c.width - width) / 2, 0.2 * em, (c.width + width) / 2, c.height - 0.2 * em)
    step = (1.32 if c.height < 17 * em else 1.55) * em
    lines = 6.2 + len(paper.rows) * 2 + 2 * ("subtotal" in paper.printed) + 2.6 * bool(paper.notice)
    bottom = min(box.y1, box.y0 + (lines + 2.2) * step)
    shift = (box.y1 - bottom) * rng.uniform(0.2, 0.8)
    box = Box(box.x0, box.y0 + shift, box.x1, bottom + shift)
    c.rect(
        Box(box.x0 + 0.25 * em, box.y0 + 0.25 * em, box.x1 + 0.25 * em, box.y1 + 0.25 * em),
        blend(t.desk, (0, 0, 0), 0.3),
    )
    c.rect(box, (250, 249, 244))
    paper_ink = Theme(
        "till",
        t.desk,
        (250, 249, 244),
        t.bar,
        t.bar_ink,
        (38, 38, 44),
        (84, 84, 92),
        (150, 150, 156),
        (38, 38, 44),
        (250, 249, 244),
        t.field,
        t.danger,
        t.series,
    )
    c.theme = paper_ink
    left, right, middle = box.x0 + 0.5 * em, box.x1 - 0.5 * em, (box.x0 + box.x1) / 2
    y = box.y0 + 0.95 * em
    scale = min(1.25, 1.25 * (right - left) / c.measure(paper.vendor, 1.25, "bold"))
    pen.marks["vendor"] = c.text(middle, y, paper.vendor, scale=scale, face="bold", anchor="mm")
    y += step + 0.15 * em
    pen.reference(left, y, "lm")
    for name, label in (("invoice_id", words["no"]), ("date", words["date"])):
        y += step
        if name != paper.absent:
            c.text(left, y, label, face=pen.face, anchor="lm")
        pen.value(name, right, y, "rm")
    y = _till_lines(pen, left, right, y + 0.75 * step, step)
    c.rule(left, y + 0.1 * step, right, y + 0.1 * step)
    for name in ("subtotal", "tax", "total"):
        if name in paper.printed:
            y += 0.9 * step
            face = "bold" if name == "total" else pen.face
            if name != paper.absent:
                c.text(left, y, words[name], face=face, anchor="lm")
            pen.value(name, right, y, "rm", face=face)
    y += 1.2 * step
    if paper.notice:
        pen.notice(left, y, right - left)
    elif y + 0.7 * em < box.y1:
        c.text(middle, y, words["thanks"], face=pen.face, anchor="mm", fill=c.theme.muted)
    return pen.marks


def _till_lines(pen: _Pen, left: float, right: float, y: float, step: float) -> float:
    c, em = pen.canvas, pen.canvas.em
    if not pen.paper.rows:
        return y
    c.rule(left, y, right, y)
    y += 0.75 * step
    for k, row in enumerate(pen.paper.rows):
        first = c.text(
            left, y, c.fit(f"{row.sku} {row.what}", right - left, 1, pen.face), face=pen.face, anchor="lm"
        )
        c.text(left + em, y + 0.9 * step, f"{row.qty} × {row.unit}", face=pen.face, anchor="lm")
        last = c.text(right, y + 0.9 * step, row.amount, face=pen.face, anchor="rm")
        pen.marks[f"row{k}"] = Text(
            row.sku, Box(first.box.x0, first.box.y0, last.box.x1, last.box.y1), first.xheight
        )
        y += 1.85 * step
    return y - 0.35 * step


def _form(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    t, em, words = c.theme, c.em, paper.labels
    pen = _Pen(c, paper, "sans")
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
        _radio(pen, left, right, y + pitch, gap)
        y += pitch
    pen.notice(left, y + 1.9 * em, right - left)
    return pen.marks


def _radio(pen: _Pen, left: float, right: float, y: float, gap: float) -> None:
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


def _log(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    t, em = c.theme, c.em
    pen = _Pen(c, paper, "mono")
    c.rect((0, 0, c.width, 2.2 * em), t.bar, t.line)
    c.text(
        0.6 * em, 1.1 * em, c.fit("Log viewer", c.width - 10 * em), fill=t.bar_ink, anchor="lm", face="bold"
    )
    c.theme = Theme(
        **{**{f: getattr(t, f) for f in t.__slots__}, "ink": t.bar_ink, "muted": blend(t.bar_ink, t.bar, 0.2)}
    )
    pen.reference_right(c.width - 0.6 * em, 1.1 * em)
    c.theme = t
    c.rect((0, 2.2 * em, c.width, c.height), t.panel)
    starts = [0.6, 6.2, 10.0, 18.6, 22.4, 26.8]
    room = c.width / em
    heads = [
        h
        for h, s in zip(("time", "level", "service", "code", "ms", "message"), starts, strict=True)
        if s + 5 < room
    ]
    c.rect((0, 2.2 * em, c.width, 4 * em), blend(t.panel, t.ink, 0.07))
    for head, start in zip(heads, starts, strict=False):
        c.text(start * em, 3.1 * em, head, fill=t.muted, anchor="lm", face="mono")
    pitch = min(1.9, (c.height / em - 4.6) / len(paper.log)) * em
    for k, row in enumerate(paper.log):
        y = 4.6 * em + k * pitch + 0.35 * em
        bad = row[1] == "ERROR"
        if k % 2:
            c.rect((0, y - pitch / 2, c.width, y + pitch / 2), blend(t.panel, t.ink, 0.03))
        for head, start, cell in zip(heads, starts, row, strict=False):
            shade = (
                t.danger
                if bad and head == "level"
                else t.ink
                if head in ("time", "service", "code", "ms")
                else t.muted
            )
            if head == "message":
                cell = c.fit(cell, c.width - start * em - 0.6 * em, 1, "mono")
            if bad and head in paper.printed:
                pen.value(head, start * em, y, "lm")
            else:
                c.text(start * em, y, cell, face="mono", anchor="lm", fill=shade)
    return pen.marks


Painter = Callable[[random.Random, Paper, Canvas], Marks]
PAINTERS: Final[dict[str, Painter]] = {"invoice": _invoice, "receipt": _receipt, "form": _form, "log": _log}


def paint(rng: random.Random, paper: Paper, canvas: Canvas) -> Marks:
    """The paper on a blank canvas. Raises ``LayoutError`` if it does not fit."""
    marks = PAINTERS[paper.kind](rng, paper, canvas)
    if paper.kind in ("receipt", "invoice") and rng.random() < 0.4:
        grain(canvas.image, rng.getrandbits(32), 5.0)
    return marks


_GRAIN_SIDE: Final = 256


def grain(image: Image.Image, seed: int, deviation: float) -> None:
    """Add the grey noise of a scanner's sensor, tiled, in place (PCG64; deviation in levels of 255)."""
    noise = np.random.Generator(np.random.PCG64(seed)).normal(128.0, deviation, (_GRAIN_SIDE, _GRAIN_SIDE, 1))
    tile = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8).repeat(3, axis=2))
    sheet = Image.new("RGB", image.size)
    for x in range(0, image.width, _GRAIN_SIDE):
        for y in range(0, image.height, _GRAIN_SIDE):
            sheet.paste(tile, (x, y))
    image.paste(ImageChops.add(image, sheet, 1, -128))


def stain(rng: random.Random, canvas: Canvas, box: Box) -> None:
    """Cover ``box`` with a sticky note."""
    shade = rng.choice(((255, 232, 120), (255, 190, 190), (186, 230, 200)))
    cover = box.grown(canvas.em * 0.4)
    cover = Box(max(0, cover.x0), max(0, cover.y0), min(canvas.width, cover.x1), min(canvas.height, cover.y1))
    canvas.rect(cover, shade, blend(shade, (0, 0, 0), 0.2))
    canvas.hide(cover)


def tear(rng: random.Random, canvas: Canvas, top: float) -> None:
    """Tear the sheet off below ``top``: a jagged edge, and the desk below it."""
    points: list[tuple[float, float]] = [(0, canvas.height), (0, top)]
    x = 0.0
    while x < canvas.width:
        x += canvas.em * rng.uniform(0.3, 0.9)
        points.append((min(x, canvas.width), top - canvas.em * rng.uniform(0.0, 0.3)))
    points.append((canvas.width, canvas.height))
    canvas.draw.polygon(points, fill=canvas.theme.desk)
    canvas.hide(Box(0, top - canvas.em * 0.3, canvas.width, canvas.height))
