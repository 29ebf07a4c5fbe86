"""Painters of narrow and tabular papers: till receipt and log table. Not aware of questions or scores."""

from __future__ import annotations

import random
from dataclasses import replace

from mmload.tasks.canvas import Box, Canvas, Text, blend
from mmload.tasks.pen import Marks, Paper, Pen


def receipt(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    """A till receipt; on a canvas of few ems it fills the whole image (a slip)."""
    t, em, words = c.theme, c.em, paper.labels
    pen = Pen(c, paper, "mono" if c.width > 17 * em else "sans")
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
    ink, pale = (38, 38, 44), (250, 249, 244)
    c.theme = replace(
        t, panel=pale, ink=ink, muted=(84, 84, 92), line=(150, 150, 156), accent=ink, accent_ink=pale
    )
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


def _till_lines(pen: Pen, left: float, right: float, y: float, step: float) -> float:
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


def log_table(rng: random.Random, paper: Paper, c: Canvas) -> Marks:
    t, em = c.theme, c.em
    pen = Pen(c, paper, "mono")
    c.rect((0, 0, c.width, 2.2 * em), t.bar, t.line)
    c.text(
        0.6 * em, 1.1 * em, c.fit("Log viewer", c.width - 10 * em), fill=t.bar_ink, anchor="lm", face="bold"
    )
    c.theme = replace(t, ink=t.bar_ink, muted=blend(t.bar_ink, t.bar, 0.2))
    pen.reference_right(c.width - 0.6 * em, 1.1 * em)
    c.theme = t
    c.rect((0, 2.2 * em, c.width, c.height), t.panel)
    starts = [0.6, 6.2, 10.0, 18.6, 22.4, 26.8]
    room = c.width / em
    # Messages may be left out; a field that is asked for never, on the narrowest paper of 27 em either.
    heads = ["time", "level", "service", "code", "ms", *(["message"] if starts[-1] + 5 < room else [])]
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
