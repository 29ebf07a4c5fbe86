"""Business records with their truth, as they are printed, and how they may be misread: bill, form, log.

Not aware of how a paper is painted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from mmload.tasks import Want
from mmload.tasks.canvas import LayoutError
from mmload.tasks.pen import Paper, Row
from mmload.tasks.words import (
    CITIES,
    CURRENCIES,
    FAMILY,
    GIVEN,
    GOODS,
    MONTHS,
    PLANS,
    SERVICES,
    SHORT_GOODS,
    SHORT_VENDORS,
    VENDORS,
)


@dataclass(slots=True)
class Document:
    """A paper with its truth."""

    paper: Paper
    fields: dict[str, str]
    items: list[dict[str, Any]]
    wrong: dict[str, list[str]]
    """Plausible misreadings by field."""


def _printed_date(rng: random.Random, day: date) -> str:
    """Only in ways that cannot be read as another day."""
    forms = [day.isoformat(), f"{day.day} {MONTHS[day.month - 1]} {day.year}"]
    if day.day > 12:
        forms.append(f"{day.day:02}.{day.month:02}.{day.year}")
    return rng.choice(forms)


def _day(rng: random.Random) -> date:
    return date(rng.randint(2023, 2026), rng.randint(1, 12), rng.randint(1, 28))


def _grouped(value: Decimal) -> str:
    return f"{value:,.2f}"


def misread(digits: str) -> list[str]:
    """Misreadings of a number: two digits exchanged, one digit misread."""
    spots = [
        k
        for k in range(len(digits) - 1)
        if digits[k].isdigit() and digits[k + 1].isdigit() and digits[k] != digits[k + 1]
    ]
    out = [
        digits[:k] + digits[k + 1] + digits[k] + digits[k + 2 :]
        for k in spots[-2:]
        if (k > 0 or digits[k + 1] != "0")
    ]
    last = max(k for k, d in enumerate(digits) if d.isdigit())
    table = str.maketrans("0123456789", "8734965120")
    return [*out, digits[:last] + digits[last].translate(table) + digits[last + 1 :]]


def _other_days(day: date) -> list[str]:
    return [day.replace(day=day.day % 28 + 1).isoformat(), day.replace(year=day.year - 1).isoformat()]


def _lines(
    rng: random.Random, count: int, price: tuple[int, int], goods: list[str]
) -> tuple[list[dict[str, Any]], list[Row], Decimal]:
    """Line items as truth and as printed, and their sum. Each has a key of its own."""
    lines: list[dict[str, Any]] = []
    printed: list[Row] = []
    total = Decimal(0)
    for k in range(count):
        qty, unit = rng.randint(1, 9), Decimal(rng.randint(*price)) / 100
        sku = f"{rng.choice('ABCEHKMPTX')}{rng.choice('ACEHKMPT')}{rng.randint(200, 999)}"
        if any(sku == line["sku"] for line in lines):
            sku = sku[:2] + str(int(sku[2:]) - 100 - k)
        total += qty * unit
        lines.append({"sku": sku, "qty": qty, "unit_price": f"{unit:.2f}", "amount": f"{qty * unit:.2f}"})
        printed.append(Row(sku, goods[k], qty, _grouped(unit), _grouped(qty * unit)))
    return lines, printed, total


def bill(rng: random.Random, kind: str, want: Want, rows: float, columns: float) -> Document:
    """An invoice or a receipt whose sums are consistent."""
    slip = columns < 20 or rows < 15
    code, sign = rng.choice(CURRENCIES)
    room = int((rows - 12.0) / 2.9) if kind == "receipt" else int((rows - 21.4) / 1.75)
    count = 0 if slip else min(rng.randint(2, 6), room)
    if count < 1 and not slip:
        raise LayoutError(f"{kind} too tall for {rows:.1f} rows")
    price = (150, 1900) if kind == "receipt" else (300, 60000)
    goods = rng.sample(SHORT_GOODS if kind == "receipt" else GOODS, max(count, 2))
    lines, printed_rows, subtotal = _lines(rng, count, price, goods)
    subtotal = subtotal or Decimal(rng.randint(800, 9900)) / 100
    tax = (subtotal * rng.choice((7, 19, 20, 21)) / 100).quantize(Decimal("0.01"))
    vendor = rng.choice(SHORT_VENDORS if kind == "receipt" else VENDORS)
    day = _day(rng)
    number = (
        f"{rng.choice(('INV', 'RE', 'FA'))}-{rng.randint(10000, 99999)}"
        if kind == "invoice"
        else f"R-{rng.randint(10000, 99999)}"
    )
    fields = {
        "invoice_id": number,
        "date": day.isoformat(),
        "vendor": vendor,
        "currency": code,
        "subtotal": f"{subtotal:.2f}",
        "tax": f"{tax:.2f}",
        "total": f"{subtotal + tax:.2f}",
    }
    lead = sign if rng.random() < 0.6 else f"{code} "
    printed = {
        "invoice_id": number,
        "date": _printed_date(rng, day),
        "subtotal": _grouped(subtotal),
        "tax": _grouped(tax),
        "total": lead + _grouped(subtotal + tax),
    }
    if slip:
        for name in ("subtotal", "tax"):
            del fields[name]
    paper = Paper(kind, {}, vendor, printed, printed_rows)
    others = [n for n in (SHORT_VENDORS if kind == "receipt" else VENDORS) if n != vendor]
    wrong = {
        "invoice_id": misread(number),
        "date": _other_days(day),
        "vendor": [rng.choice(others)],
        "currency": [c for c, _ in CURRENCIES if c != code],
        "total": misread(fields["total"]),
        "subtotal": misread(f"{subtotal:.2f}"),
        "tax": misread(f"{tax:.2f}"),
    }
    return Document(paper, fields, lines, {k: wrong[k] for k in fields})


def form(rng: random.Random, kind: str, want: Want, rows: float, columns: float) -> Document:
    day, code = _day(rng), rng.randint(10000, 99999)
    given, family = rng.choice(GIVEN), rng.choice(FAMILY)
    fee = f"{rng.randint(15, 480)}.{rng.choice(('00', '50', '90'))}"
    plain = {"é": "e", "ö": "o"}
    mail = (
        "".join(plain.get(c, c) for c in f"{given[0]}.{family}".lower()) + f"{rng.randint(2, 98)}@example.com"
    )
    city, plan = rng.choice(CITIES), rng.choice(PLANS)
    fields = {
        "form_id": f"F-{code}",
        "date": day.isoformat(),
        "full_name": f"{given} {family}",
        "email": mail,
        "phone": f"555-01{rng.randint(10, 99)}",
        "city": city,
        "amount": fee,
        "plan": plan,
    }
    optional = ["city", "phone", "email"]
    while len(fields) > 4 and (rows - 8.6) / (len(fields) - 1) < 2.2 and optional:
        del fields[optional.pop(0)]
    printed = {k: v for k, v in fields.items() if k != "plan"} | {"date": _printed_date(rng, day)}
    paper = Paper(kind, {}, "", printed, plan=plan, plans=PLANS)
    wrong = {
        "form_id": misread(fields["form_id"]),
        "date": _other_days(day),
        "amount": misread(fee),
        "full_name": [f"{given} {rng.choice([f for f in FAMILY if f != family])}"],
        "email": misread(mail),
        "phone": misread(fields.get("phone", "555-0123")),
        "city": [rng.choice([c for c in CITIES if c != city])],
        "plan": [p for p in PLANS if p != plan],
    }
    return Document(paper, fields, [], {k: wrong[k] for k in fields})


def log_rows(rng: random.Random, kind: str, want: Want, rows: float, columns: float) -> Document:
    count = max(5, min(int((rows - 4.6) / 1.9), 26))
    clock = rng.randint(0, 80000)
    table: list[tuple[str, ...]] = []
    bad = rng.randrange(1, count - 1)
    for k in range(count):
        clock += rng.randint(1, 40)
        when = f"{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}"
        level = "ERROR" if k == bad else rng.choice(("INFO", "INFO", "DEBUG", "WARN"))
        message = rng.choice(
            ("upstream closed", "cache refreshed", "batch accepted", "lease renewed", "slow reply")
        )
        table.append(
            (
                when,
                level,
                rng.choice(SERVICES),
                f"E{rng.randint(1000, 9999)}",
                str(rng.randint(12, 4800)),
                message,
            )
        )
    names = ("time", "service", "code", "ms")
    when, _, service, code, took, _ = table[bad]
    fields = dict(zip(names, (when, service, code, took), strict=True))
    paper = Paper(kind, {}, "", dict(fields), log=table)
    near = table[bad - 1]
    wrong = {
        "time": [near[0], *misread(when)],
        "service": [s for s in SERVICES if s != service][:2],
        "code": [c for c in (near[3], *misread(code)) if c != code],
        "ms": misread(took),
    }
    return Document(paper, fields, [], wrong)
