"""Rules for papers: invoices, receipts, forms and log tables. Pure; a field that was not read is absent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from mmload.serve.ocr.page import Page, plain

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD"}
_SKU = r"^([A-Z]{2}\d{3})\b"
_MONEY = re.compile(r"[€£$]?\s*(\d{1,3}(?:,\d{3})+|\d+)\.(\d{2})\b")
_NUMBER = ("No", "Number", "Nr", "N°", "Nº", "N.º", "N.°", "No.")
_LABELS = {
    "invoice_id": _NUMBER,
    "form_id": _NUMBER,
    "date": ("Date", "Datum", "Fecha", "Data"),
    "subtotal": ("Subtotal", "Netto", "Total HT", "Base"),
    "tax": ("Tax", "VAT", "MwSt", "TVA", "IVA"),
    "total": ("Total", "Gesamt", "Total TTC", "Razem"),
    "full_name": ("Full name", "Name", "Nom", "Nombre", "Imię i nazwisko"),
    "email": ("Email", "E-mail", "Courriel", "Correo"),
    "phone": ("Phone", "Telefon", "Téléphone", "Teléfono"),
    "city": ("City", "Ort", "Ville", "Ciudad", "Miasto"),
    "amount": ("Fee", "Gebühr", "Frais", "Cuota", "Opłata"),
}
"""What each field is called on paper, in English, German, French, Spanish and Polish."""
_PLANS = ("Basic", "Standard", "Premium")
_TITLES = ("invoice", "rechnung", "facture", "factura", "faktura")


def extract(page: Page, kind: str, fields: Sequence[str]) -> dict[str, Any] | None:
    """The answer, or None if any of the asked ``fields`` was not read."""
    rows = "line_items" in fields
    wanted = [name for name in fields if name != "line_items"]
    found = _log(page) if kind == "log" else {name: _field(page, name) for name in wanted}
    if any(found.get(name) is None for name in wanted):
        return None
    items = (_table(page) or _slip(page)) if rows else []
    if rows and (not items or not _adds_up(items, found)):
        return None
    return {"doc_type": kind, "fields": {name: found[name] for name in wanted}, "line_items": items}


def money(text: str) -> str | None:
    found = _MONEY.search(text)
    return f"{found[1].replace(',', '')}.{found[2]}" if found else None


def day(text: str) -> str | None:
    """ISO date of ``2026-03-05``, ``5 Mar 2026`` or ``23.10.2026``."""
    found = re.search(r"(\d{4})-(\d{2})-(\d{2})", text)
    if found:
        return _iso(int(found[1]), int(found[2]), int(found[3]))
    found = re.search(r"(\d{1,2})\.(\d{2})\.(\d{4})", text)
    if found:
        return _iso(int(found[3]), int(found[2]), int(found[1]))
    found = re.search(r"(\d{1,2})\s*([A-Za-z]{3})[a-z]*\s*(\d{4})", text)
    if found and found[2].casefold() in _MONTHS:
        return _iso(int(found[3]), _MONTHS.index(found[2].casefold()) + 1, int(found[1]))
    return None


def _iso(year: int, month: int, number: int) -> str | None:
    try:
        return date(year, month, number).isoformat()
    except ValueError:
        return None


def _field(page: Page, name: str) -> str | None:
    if name == "vendor":
        return _vendor(page)
    if name == "plan":
        return _plan(page)
    if name == "currency":
        return _currency(page)
    text = page.value_of(*_LABELS.get(name, (name,)))
    if text is None or name not in ("date", "subtotal", "tax", "total", "amount"):
        return text
    return day(text) if name == "date" else money(text)


def _currency(page: Page) -> str | None:
    total = page.value_of(*_LABELS["total"]) or ""
    return next((code for sign, code in _SIGNS.items() if sign in total or code in total), None)


def _vendor(page: Page) -> str | None:
    """The tallest line above the number, other than what kind of paper it is."""
    label = page.find(*_LABELS["invoice_id"])
    above = [
        line
        for line in page.lines
        if (label is None or line.y1 < label.y)
        and plain(line.text) not in _TITLES
        and not re.search(r"\.pdf|^\d|\d/\d|\d%|\bRef\b", line.text)
    ]
    return max(above, key=lambda line: line.height).text.strip() if above else None


def _plan(page: Page) -> str | None:
    """The choice whose circle, at the left of its name, holds most colour."""
    marked: list[tuple[float, str]] = []
    for line in page.lines:
        names = [plan for plan in _PLANS if plan in line.text]
        if len(names) > 1:
            return None
        for name in names:
            side = line.height
            # A circle that was read as a sign lies inside the line, else before it.
            left = line.x0 if not line.text.startswith(name) else line.x0 - side
            marked.append((page.darkness(left, line.y - side / 4, left + side, line.y + side / 4), name))
    marked.sort(reverse=True)
    if len(marked) < len(_PLANS) or marked[0][0] < 1.15 * marked[1][0]:
        return None
    return marked[0][1]


def _table(page: Page) -> list[dict[str, Any]]:
    """Rows of an invoice: code, description, quantity, unit price, amount in one row."""
    items = []
    for line, match in page.matching(_SKU):
        cells = [cell.text.strip() for cell in page.right_of(line)]
        prices = [money(cell) for cell in cells[-2:]]
        if len(cells) >= 3 and all(prices) and cells[-3].isdigit():
            items.append(_item(match[1], int(cells[-3]), prices[0], prices[1]))
    return items


def _slip(page: Page) -> list[dict[str, Any]]:
    """Rows of a receipt: code and name above, "quantity × price" and the amount below."""
    items = []
    for line, match in page.matching(_SKU):
        below = [other for other in page.lines if 0 < other.y - line.y < 2 * line.height]
        for other in sorted(below, key=lambda other: other.y):
            counted = re.match(r"(\d+)\s*[×xX*]\s*(\S+)", other.text.strip())
            beside = page.right_of(other)
            if counted and beside:
                items.append(_item(match[1], int(counted[1]), money(counted[2]), money(beside[-1].text)))
                break
    return [item for item in items if item["unit_price"] and item["amount"]]


def _item(sku: str, qty: int, unit_price: str | None, amount: str | None) -> dict[str, Any]:
    return {"sku": sku, "qty": qty, "unit_price": unit_price, "amount": amount}


def _adds_up(items: list[dict[str, Any]], fields: dict[str, str | None]) -> bool:
    """Rows that do not make the subtotal were not all read."""
    subtotal = fields.get("subtotal")
    return subtotal is None or abs(sum(float(item["amount"]) for item in items) - float(subtotal)) < 0.005


def _log(page: Page) -> dict[str, str | None]:
    """The row whose level is ERROR: time, service, code, milliseconds."""
    for line, _ in page.matching(r"\bERROR\b"):
        text = " ".join(cell.text for cell in page.row(line))
        found = re.search(r"(\d{2}:\d{2}:\d{2})\s+ERROR\s+([a-z][a-z-]+)\s+(E\d{4})\s+(\d+)\b", text)
        if found:
            return dict(zip(("time", "service", "code", "ms"), found.groups(), strict=True))
    return {}
