"""Painters of what lies over a window and blocks it: a dialog, a notification, a wait.

Not aware of goals, answers or scores.
"""

from __future__ import annotations

from mmload.tasks.canvas import Box, LayoutError, Text, blend
from mmload.tasks.screens import Screen, button


def dialog(screen: Screen, title: str, lines: list[str], buttons: list[tuple[str, bool]]) -> None:
    """A modal dialog in the middle; what lies under it can no longer be used."""
    c, t, em, body = screen.canvas, screen.canvas.theme, screen.canvas.em, screen.body
    for widget in screen.widgets:
        widget.enabled = False
    total = sum(c.measure(b) + 1.9 * em for b, _ in buttons) + 0.9 * em
    width = min(body.width - 0.6 * em, max(total, 22 * em))
    height = (5.2 + 1.4 * len(lines)) * em
    if total > width or height > body.height - 0.4 * em:
        raise LayoutError("dialog does not fit")
    x, y = body.x0 + (body.width - width) / 2, body.y0 + (body.height - height) / 2
    box = Box(x, y, x + width, y + height)
    c.rect(box.grown(0.3 * em), blend(t.desk, (0, 0, 0), 0.35), radius=0.7 * em)
    c.hide(box.grown(0.3 * em))
    c.rect(box, t.panel, t.line, radius=0.5 * em)
    c.text(
        x + 0.9 * em,
        y + 1.2 * em,
        c.fit(title, width - 1.8 * em, 1.2, "bold"),
        scale=1.1,
        face="bold",
        anchor="lm",
    )
    for k, line in enumerate(lines):
        c.text(
            x + 0.9 * em, y + (2.7 + 1.4 * k) * em, c.fit(line, width - 1.8 * em), anchor="lm", fill=t.muted
        )
    edge = box.x1 - 0.9 * em
    for text, strong in reversed(buttons):
        made = button(screen, edge, box.y1 - 1.4 * em, text, strong=strong)
        edge = made.box.x0 - 0.6 * em


def toast(screen: Screen, cover: Box, text: str) -> None:
    """A notification that lies over ``cover``."""
    c, t, em = screen.canvas, screen.canvas.theme, screen.canvas.em
    width = max(cover.width + 0.8 * em, c.measure(text) + 1.4 * em)
    x0 = min(max(0, cover.x0 - 0.4 * em), c.width - width)
    box = Box(x0, cover.y0 - 0.35 * em, x0 + width, cover.y1 + 0.35 * em)
    c.hide(box)
    c.rect(box, blend(t.ink, t.panel, 0.1), radius=0.3 * em)
    c.text(x0 + 0.6 * em, (box.y0 + box.y1) / 2, text, fill=t.panel, anchor="lm")
    for widget in screen.widgets:
        if widget.box.meets(box):
            widget.enabled = False


def busy(screen: Screen) -> Text:
    """A 'Saving…' overlay in the middle of the window: nothing can be used until it is gone."""
    c, t, em = screen.canvas, screen.canvas.theme, screen.canvas.em
    x, y = screen.body.centre
    box = Box(x - 4.6 * em, y - 1.4 * em, x + 4.6 * em, y + 1.4 * em)
    c.hide(box)
    c.rect(box, t.panel, t.accent, radius=0.4 * em, width=max(2, round(em / 8)))
    c.draw.arc(
        (round(box.x0 + 0.8 * em), round(y - 0.7 * em), round(box.x0 + 2.2 * em), round(y + 0.7 * em)),
        30,
        300,
        fill=t.accent,
        width=max(2, round(em / 6)),
    )
    for widget in screen.widgets:
        widget.enabled = False
    return c.text(box.x0 + 2.8 * em, y, "Saving…", anchor="lm")
