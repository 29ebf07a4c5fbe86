"""Painters of application windows: a table of records, a settings form.

A screen is described first (widgets with roles, labels, states), then painted; every widget knows its
box. Not aware of goals, answers or scores.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mmload.tasks.canvas import Box, Canvas, LayoutError, Text, blend, wrap
from mmload.tasks.words import CITIES, FAMILY, GIVEN, PRODUCTS, REGIONS

NAV: Final = {
    "en": ("Home", "Orders", "Invoices", "Customers", "Reports", "Settings"),
    "de": ("Start", "Aufträge", "Rechnungen", "Kunden", "Berichte", "Einstellungen"),
    "fr": ("Accueil", "Commandes", "Factures", "Clients", "Rapports", "Réglages"),
    "es": ("Inicio", "Pedidos", "Facturas", "Clientes", "Informes", "Ajustes"),
    "pl": ("Start", "Zamówienia", "Faktury", "Klienci", "Raporty", "Ustawienia"),
    "ru": ("Главная", "Заказы", "Счета", "Клиенты", "Отчёты", "Настройки"),
}
FIELDS: Final = {
    "Contact name": GIVEN,
    "Team email": ("ops@example.com", "desk@example.com", "night@example.com", "lab@example.com"),
    "Display name": FAMILY,
    "Cost centre": ("CC-204", "CC-318", "CC-427", "CC-593"),
    "Backup host": ("vault-2", "vault-3", "store-7", "store-9"),
}
CHOICES: Final = {"Region": REGIONS, "Office": CITIES, "Product": PRODUCTS}
SWITCHES: Final = ("Weekly digest", "Auto archive", "Two-step login", "Public page", "Night mode")
"""Labels of the three kinds of control in a settings form, and what may stand in them."""
_PITCH: Final = 2.15
"""Of the rows of a table, in ems."""
VERBS: Final = {
    "button": "click",
    "link": "click",
    "switch": "click",
    "textbox": "type",
    "combobox": "select",
}
"""What can be done with a control of each role."""
_PILLS: Final = {"Open": 0, "Paid": 2, "Late": 3, "Draft": 5, "Held": 1}


@dataclass(slots=True)
class Widget:
    id: str
    role: str
    """button, textbox, combobox, switch, link."""
    text: str
    """Its visible label."""
    box: Box
    enabled: bool = True
    row: str = ""
    """Record of the table row it belongs to."""
    value: str = ""
    """Content of a field; on or off of a switch."""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "box": [round(v, 1) for v in self.box]}


@dataclass(slots=True)
class Screen:
    """A painted window."""

    canvas: Canvas
    body: Box
    """Where its content goes."""
    widgets: list[Widget] = field(default_factory=list)
    labels: dict[str, Text] = field(default_factory=dict)
    """Where the label of a widget (by its id), a record (``row:ID``) or the nonce stands."""

    def add(self, role: str, text: str, box: Box, label: Text, **state: Any) -> Widget:
        widget = Widget(f"w{len(self.widgets) + 1}", role, text, box, **state)
        self.widgets.append(widget)
        self.labels[widget.id] = label
        return widget


def window(
    rng: random.Random,
    canvas: Canvas,
    lang: str,
    title: str,
    nonce: str,
    nav_at: int | None,
    notice: tuple[str, float] | None = None,
) -> Screen:
    """Title bar, navigation with entry ``nav_at`` chosen (None: no navigation), a status line with the nonce,
    and a banner with ``notice``."""
    c, t, em = canvas, canvas.theme, canvas.em
    top, foot = 2.0 * em, c.height - 1.9 * em
    c.rect((0, 0, c.width, top), t.bar)
    c.rule(0, top, c.width, top)
    x = 0.7 * em
    if c.width > 30 * em:
        for shade in ((237, 106, 94), (245, 191, 79), (98, 197, 84)):
            c.draw.ellipse((round(x), round(0.7 * em), round(x + 0.62 * em), round(1.32 * em)), fill=shade)
            x += 1.0 * em
        x += 0.4 * em
    c.text(x, 1.0 * em, c.fit(title, c.width - x - em, 1, "bold"), face="bold", fill=t.bar_ink, anchor="lm")
    left = 0.0 if nav_at is None else 10.0 * em
    screen = Screen(c, Box(left, top, c.width, foot))
    if left:
        c.rect((0, top, left, foot), blend(t.desk, t.bar, 0.5))
        c.rule(left, top, left, foot)
        for k, name in enumerate(NAV[lang]):
            y = top + (1.5 + 2.1 * k) * em
            if y + 1.5 * em > foot:
                break
            if k == nav_at:
                c.rect((0.4 * em, y - 0.95 * em, left - 0.4 * em, y + 0.95 * em), t.accent, radius=0.3 * em)
            on_bar = sum(blend(t.desk, t.bar, 0.5)) < 380
            ink = t.accent_ink if k == nav_at else t.bar_ink if on_bar and sum(t.bar_ink) > 380 else t.ink
            drawn = c.text(1.0 * em, y, c.fit(name, left - 1.6 * em), fill=ink, anchor="lm")
            screen.add("link", name, Box(0.4 * em, y - 0.95 * em, left - 0.4 * em, y + 0.95 * em), drawn)
    c.rect((0, foot, c.width, c.height), t.panel)
    c.rule(0, foot, c.width, foot)
    ref = c.text(0.7 * em, foot + 0.97 * em, "Ref", fill=t.muted, anchor="lm", scale=1.1)
    if nonce:
        screen.labels["nonce"] = c.text(
            ref.box.x1 + 0.4 * em, foot + 0.97 * em, nonce, face="bold", anchor="lm", scale=1.2
        )
    if c.width > 34 * em:
        words = rng.choice(("Connected", "Synced 2 min ago", "3 tasks", "v4.2.1"))
        c.text(c.width - 0.7 * em, foot + 0.97 * em, words, fill=t.muted, anchor="rm")
    if notice:
        _banner(screen, *notice)
    return screen


def _banner(screen: Screen, sentence: str, contrast: float) -> None:
    """A sentence across the top of the content, which moves down for it."""
    c, t, em, body = screen.canvas, screen.canvas.theme, screen.canvas.em, screen.body
    lines = wrap(c, sentence, body.width - 1.2 * em, 0.9)
    height = (0.6 + 1.25 * len(lines)) * em
    back = blend(t.panel, t.accent, 0.12)
    c.rect((body.x0, body.y0, body.x1, body.y0 + height), back, t.line)
    for k, line in enumerate(lines):
        drawn = c.text(
            body.x0 + 0.6 * em,
            body.y0 + (0.92 + 1.25 * k) * em,
            line,
            scale=0.9,
            anchor="lm",
            fill=blend(back, t.ink, contrast),
        )
        screen.labels.setdefault("notice", drawn)
    screen.body = Box(body.x0, body.y0 + height, body.x1, body.y1)


def button(
    screen: Screen,
    right: float,
    y: float,
    text: str,
    *,
    strong: bool = False,
    enabled: bool = True,
    danger: bool = False,
    row: str = "",
) -> Widget:
    """A button whose right edge is at ``right``, centred on ``y``."""
    c, t, em = screen.canvas, screen.canvas.theme, screen.canvas.em
    width = c.measure(text) + 1.3 * em
    box = Box(right - width, y - 0.85 * em, right, y + 0.85 * em)
    fill = t.accent if strong else t.panel
    ink = t.accent_ink if strong else t.danger if danger else t.ink
    if not enabled:
        fill, ink = blend(t.panel, t.muted, 0.12), blend(t.panel, t.muted, 0.62)
    c.rect(box, fill, None if strong and enabled else t.line, radius=0.3 * em)
    label = c.text(box.centre[0], y, text, fill=ink, anchor="mm")
    return screen.add("button", text, box, label, enabled=enabled, row=row)


@dataclass(slots=True)
class Record:
    id: str
    who: str
    status: str
    actions: tuple[str, ...]
    disabled: tuple[str, ...] = ()


def table(screen: Screen, heading: str, records: list[Record]) -> None:
    """A heading and one row per record with its action buttons. Raises ``LayoutError`` when too tall."""
    c, t, em, body = screen.canvas, screen.canvas.theme, screen.canvas.em, screen.body
    c.text(
        body.x0 + 1.2 * em,
        body.y0 + 1.6 * em,
        c.fit(heading, body.width - 2.4 * em, 1.2, "bold"),
        scale=1.2,
        face="bold",
        anchor="lm",
    )
    left, right = body.x0 + 0.8 * em, body.x1 - 0.8 * em
    y = body.y0 + 3.0 * em
    need = y + (1.6 + _PITCH * len(records)) * em
    if need > body.y1 - 0.3 * em:
        raise LayoutError(f"{len(records)} rows do not fit")
    c.rect((left, y, right, need), t.panel, t.line, radius=0.3 * em)
    c.rect((left, y, right, y + 1.7 * em), blend(t.panel, t.ink, 0.06))
    acts = max(sum(c.measure(a) + 1.9 * em for a in r.actions) for r in records)
    columns = [("Record", left + 0.7 * em)]
    spare = right - acts - left - 8.2 * em
    if spare > 16 * em:
        columns.append(("Customer", left + 8.2 * em))
    if spare > 6 * em:
        columns.append(("Status", right - acts - 6.2 * em))
    for name, x in columns:
        c.text(x, y + 0.85 * em, name, fill=t.muted, anchor="lm")
    y += 1.7 * em + _PITCH * em / 2 - 0.05 * em
    for k, record in enumerate(records):
        if k:
            c.rule(left, y - _PITCH * em / 2, right, y - _PITCH * em / 2)
        _row(screen, record, columns, right, y)
        y += _PITCH * em


def _row(screen: Screen, record: Record, columns: list[tuple[str, float]], right: float, y: float) -> None:
    c, t, em = screen.canvas, screen.canvas.theme, screen.canvas.em
    for name, x in columns:
        if name == "Record":
            screen.labels[f"row:{record.id}"] = c.text(x, y, record.id, anchor="lm")
        elif name == "Customer":
            c.text(x, y, c.fit(record.who, 11 * em), anchor="lm", fill=t.muted)
        else:
            shade = t.series[_PILLS[record.status]]
            width = c.measure(record.status) + 0.9 * em
            c.rect(
                (x - 0.45 * em, y - 0.75 * em, x - 0.45 * em + width, y + 0.75 * em),
                blend(t.panel, shade, 0.22),
                radius=0.7 * em,
            )
            c.text(x, y, record.status, anchor="lm")
    edge = right - 0.6 * em
    for action in reversed(record.actions):
        made = button(
            screen,
            edge,
            y,
            action,
            enabled=action not in record.disabled,
            row=record.id,
            danger=action in ("Delete", "Refund"),
        )
        edge = made.box.x0 - 0.6 * em


@dataclass(slots=True)
class Entry:
    """One line of a settings form."""

    role: str
    label: str
    value: str


def settings(
    screen: Screen, heading: str, entries: list[Entry], buttons: list[tuple[str, bool, bool]]
) -> None:
    """A form. ``buttons``: (text, strong, enabled) from left to right. No heading, no room taken for it."""
    c, t, em, body = screen.canvas, screen.canvas.theme, screen.canvas.em, screen.body
    width = min(body.width - 1.0 * em, 40 * em)
    left = body.x0 + (body.width - width) / 2
    head = 2.2 if heading else 0.5
    pitch = min(2.6, (body.height / em - head - 2.8) / len(entries))
    if pitch < 1.7:
        raise LayoutError(f"{len(entries)} entries do not fit")
    height = (head + 2.7 + pitch * len(entries)) * em
    top = body.y0 + min(2.0 * em, (body.height - height) / 2)
    c.rect((left, top, left + width, top + height), t.panel, t.line, radius=0.4 * em)
    c.text(
        left + 0.9 * em,
        top + 1.2 * em,
        c.fit(heading, width - 1.8 * em, 1.15, "bold"),
        scale=1.15,
        face="bold",
        anchor="lm",
    )
    start = left + max(c.measure(e.label) for e in entries) + 1.9 * em
    y = top + (head + pitch / 2) * em
    for entry in entries:
        label = c.text(left + 0.9 * em, y, entry.label, anchor="lm", fill=t.ink)
        _entry(screen, entry, label, start, left + width - 0.9 * em, y)
        y += pitch * em
    edge, y = left + width - 0.9 * em, top + height - 1.45 * em
    for text, strong, enabled in reversed(buttons):
        made = button(screen, edge, y, text, strong=strong, enabled=enabled)
        edge = made.box.x0 - 0.6 * em


def _entry(screen: Screen, entry: Entry, label: Text, x0: float, x1: float, y: float) -> None:
    c, t, em = screen.canvas, screen.canvas.theme, screen.canvas.em
    if entry.role == "switch":
        on = entry.value == "on"
        box = Box(x0, y - 0.55 * em, x0 + 2.1 * em, y + 0.55 * em)
        c.rect(box, t.accent if on else blend(t.panel, t.muted, 0.45), radius=0.55 * em)
        knob = box.x1 - 0.55 * em if on else box.x0 + 0.55 * em
        r = 0.42 * em
        c.draw.ellipse((round(knob - r), round(y - r), round(knob + r), round(y + r)), fill=(255, 255, 255))
        c.text(box.x1 + 0.5 * em, y, "On" if on else "Off", fill=t.muted, anchor="lm")
    else:
        box = Box(x0, y - 0.8 * em, x1, y + 0.8 * em)
        c.rect(box, t.field, t.line, radius=0.25 * em)
        c.text(x0 + 0.5 * em, y, c.fit(entry.value, x1 - x0 - 2.2 * em), anchor="lm")
        if entry.role == "combobox":
            tip = x1 - 1.0 * em
            c.draw.polygon(
                ((tip - 0.35 * em, y - 0.18 * em), (tip + 0.35 * em, y - 0.18 * em), (tip, y + 0.25 * em)),
                fill=t.muted,
            )
    screen.add(entry.role, entry.label, box, label, value=entry.value)
