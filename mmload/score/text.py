"""Comparing strings, amounts, numbers and dates. Pure functions on values of any type."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rapidfuzz.distance import Levenshtein

_ANLS_TAU: Final = 0.5
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?")
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
_CURRENCY: Final = re.compile(
    r"^(?:[$€£¥]|USD|EUR|GBP|CHF|JPY|PLN)\s*|\s*(?:[$€£¥]|USD|EUR|GBP|CHF|JPY|PLN)$"
)
_CENT: Final = Decimal("0.01")
_RELAXED: Final = Decimal("0.05")
_MAX_TEXT: Final = 4096


def norm(value: Any) -> str:
    """NFKC, casefold, strip, inner white space collapsed; at most 4096 characters are looked at."""
    if not isinstance(value, str):
        return "" if value is None else str(value)[:_MAX_TEXT].casefold()
    return " ".join(unicodedata.normalize("NFKC", value[:_MAX_TEXT]).casefold().split())


def same_text(given: Any, truth: Any) -> bool:
    return isinstance(given, str) and norm(given) == norm(truth)


def anls(given: Any, truths: Iterable[str]) -> float:
    """Average-normalised Levenshtein similarity of one answer (DocVQA): the best over ``truths`` of
    ``1 - distance / longer length``, and 0 where that is below 0.5."""
    if not isinstance(given, str):
        return 0.0
    best = max((Levenshtein.normalized_similarity(norm(given), norm(t)) for t in truths), default=0.0)
    return best if best >= _ANLS_TAU else 0.0


def amount(value: Any) -> Decimal | None:
    """A number as exact decimal, with currency sign and thousands separators removed; None if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _decimal(repr(value)) if not isinstance(value, float) or math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > 64:
        return None
    bare = _CURRENCY.sub("", value.strip())
    if _GROUPED.fullmatch(bare):
        bare = re.sub(r"[,' \u00a0\u202f]", "", bare)
    return _decimal(bare) if _PLAIN.fullmatch(bare) else None


def _decimal(digits: str) -> Decimal | None:
    if len(digits) > 64:
        return None
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal("1e24") else None


def same_amount(given: Any, truth: Any) -> bool:
    """Equal at one cent."""
    a, b = amount(given), amount(truth)
    return a is not None and b is not None and a.quantize(_CENT) == b.quantize(_CENT)


def same_date(given: Any, truth: Any) -> bool:
    """ISO 8601 calendar dates (``YYYY-MM-DD``) only, as the answer schema says."""
    if not isinstance(given, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", given.strip(), re.ASCII):
        return False
    try:
        return date.fromisoformat(given.strip()) == date.fromisoformat(str(truth))
    except ValueError:
        return False


def relaxed(given: Any, truth: Any) -> bool:
    """ChartQA's relaxed accuracy: numbers within 5% of the truth, all else normalised-exact.

    A truth of 0 has no tolerance. Years, counts, ids and categories must be compared with
    ``same_text`` or ``same_amount``: 5% of a year would accept a century.
    """
    b = amount(truth)
    if b is None:
        return same_text(given, truth)
    a = amount(given)
    if a is None:
        return False
    return abs(a - b) <= _RELAXED * abs(b)
