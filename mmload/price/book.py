"""What a request cost, in integer micro-dollars, from a dated price book.

Not aware of time, phases or scores. An unknown price or an unknown number of tokens makes an amount
``None``; it is never taken for 0. Prices are kept in pico-dollars per token (1 USD per million tokens
is 1,000,000 of them), so that every amount is integer arithmetic, rounded once, half up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmload.model import NS_PER_S, ErrorKind, Money, Outcome, Record
from mmload.price.catalogue import ListPrice, list_price, source
from mmload.profile import Cost, ModelPrice

MICRO: Final = 1_000_000
_SECONDS_PER_HOUR: Final = 3600
_HOUR_NS: Final = _SECONDS_PER_HOUR * NS_PER_S
_VERSION_DATE: Final = re.compile(r"[-@](\d{4}-\d\d-\d\d|\d{8})$")

Ints = npt.NDArray[np.int64]

TIMEOUTS: Final = frozenset(
    {ErrorKind.FIRST_BYTE_TIMEOUT.value, ErrorKind.IDLE_TIMEOUT.value, ErrorKind.TOTAL_TIMEOUT.value}
)
"""Given up by us while the target was at work; billed if the book says so."""
ANSWERED_BADLY: Final = frozenset(
    kind.value
    for kind in (
        ErrorKind.RESET_MID_BODY,
        ErrorKind.TRUNCATED_BODY,
        ErrorKind.TRUNCATED_STREAM,
        ErrorKind.MALFORMED_SSE,
        ErrorKind.MALFORMED_JSON,
        ErrorKind.INVALID_UTF8,
        ErrorKind.BAD_ENCODING,
        ErrorKind.BODY_TOO_LARGE,
        ErrorKind.API_ERROR_IN_STREAM,
        ErrorKind.EMPTY_RESPONSE,
        ErrorKind.CONTENT_FILTER,
    )
)
"""Failures behind a 2xx status: the target did the work, and bills it."""


class Rate(NamedTuple):
    """Pico-dollars per token."""

    input: int
    output: int
    cached: int


class Bill(NamedTuple):
    """What one planned request cost, in micro-dollars by component; None is unknown."""

    model: Money
    """The last attempt."""
    retries: Money
    """The attempts before it."""
    validators: int
    tools: int
    fallback: int
    review: int

    @property
    def total(self) -> Money:
        if self.model is None or self.retries is None:
            return None
        return self.model + self.retries + self.validators + self.tools + self.fallback + self.review


COMPONENTS: Final = (*Bill._fields, "infrastructure")
_FREE: Final = Bill(0, 0, 0, 0, 0, 0)


def micro(usd: float) -> int:
    """Dollars as integer micro-dollars."""
    return round(usd * MICRO)


def usd(amount: Money) -> float | None:
    """Micro-dollars as dollars; unknown stays unknown."""
    return None if amount is None else amount / MICRO


class PriceBook:
    """The prices of one run, looked up by the model that an answer names.

    ``default_model`` is what the request asked for: it prices requests whose answer names no model.
    A name in the book may be a pattern (``gpt-4o-*``); the exact name wins, then the longest pattern. A name
    that ends in the date of its version, as providers answer with (``gpt-4o-2024-08-06``), is looked up
    without it next. What the book lacks is looked up in the catalogue of list prices as of ``when``.
    """

    def __init__(self, cost: Cost, default_model: str, when: datetime | None = None) -> None:
        self.cost = cost
        self.default_model = default_model
        self.when = when
        self._rates = {name: _rate(price) for name, price in cost.models.items()}
        self._found: dict[str, Rate | None] = {}
        self._listed: dict[str, ListPrice] = {}
        self._validator, self._tool, self._fallback = map(
            micro, (cost.validator_usd, cost.tool_usd, cost.fallback_usd)
        )
        self._review = micro(cost.review_rate * cost.review_s * cost.review_usd_per_hour / _SECONDS_PER_HOUR)

    def rate(self, model: str) -> Rate | None:
        """Rate of a model (of the default one if the name is empty); None if no source has one."""
        name = model or self.default_model
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def _look_up(self, name: str) -> Rate | None:
        for called in dict.fromkeys((name, _VERSION_DATE.sub("", name))):
            patterns = [p for p in self._rates if fnmatchcase(called, p)]
            best = called if called in self._rates else max(patterns, key=len, default="")
            if best:
                return self._rates[best]
        listed = list_price(name, self.when)
        if listed is None:
            return None
        self._listed[name] = listed
        return Rate(micro(listed.input), micro(listed.output), micro(listed.cached))

    def bill(self, record: Record, prompt_tokens: int) -> Bill:
        """Cost of one planned request. ``prompt_tokens`` stands in for usage that never arrived."""
        outcome = record.outcome
        if outcome == Outcome.NOT_SENT:
            return _FREE
        tokens_in = prompt_tokens if record.tokens_in is None else record.tokens_in
        ok = outcome == Outcome.OK
        model: Money = 0
        if ok or self._billed(record.error):
            # An answer whose length is unknown has an unknown price; one that broke off, at least its input.
            out = record.tokens_out if ok else record.tokens_out or 0
            model = self._tokens(record.model, tokens_in, record.tokens_cached or 0, out)
        retries: Money = 0
        if record.attempt_errors:
            billed = sum(map(self._billed, record.attempt_errors.split(",")))
            attempt = self._tokens(record.model, tokens_in, 0, 0) if billed else 0
            retries = None if attempt is None else attempt * billed
        return Bill(
            model,
            retries,
            self._validator if ok else 0,
            self._tool if record.sent_ns is not None else 0,
            0 if ok else self._fallback,
            self._review if ok else 0,
        )

    def bill_answers(self, models: Sequence[str], tokens_in: Ints, cached: Ints, tokens_out: Ints) -> Ints:
        """``bill`` for many answers (outcome ok, one attempt) at once: components, shape (n, 6).

        -1 is unknown, among the arguments and in the result. ``tokens_in`` must be known.
        """
        number = {name: k for k, name in enumerate(dict.fromkeys(models))}
        table = np.array([self.rate(name) or (-1, -1, -1) for name in number], np.int64).reshape(-1, 3)
        rate = table[[number[name] for name in models]]
        cached = np.clip(cached, 0, tokens_in)
        pico = (tokens_in - cached) * rate[:, 0] + cached * rate[:, 2] + tokens_out * rate[:, 1]
        out = np.zeros((len(models), len(Bill._fields)), np.int64)
        out[:, 0] = np.where((rate[:, 0] < 0) | (tokens_out < 0), -1, (pico + MICRO // 2) // MICRO)
        out[:, 2], out[:, 3], out[:, 5] = self._validator, self._tool, self._review
        return out

    def _billed(self, error: str) -> bool:
        return error in ANSWERED_BADLY or (error in TIMEOUTS and self.cost.bill_timeouts)

    def _tokens(self, model: str, tokens_in: int, cached: int, out: int | None) -> Money:
        rate = self.rate(model)
        if rate is None or out is None:
            return None
        cached = min(cached, tokens_in)
        pico = (tokens_in - cached) * rate.input + cached * rate.cached + out * rate.output
        return (pico + MICRO // 2) // MICRO

    def infrastructure(self, duration_ns: int) -> int:
        """Machines paid by the clock, idle or not, in micro-dollars."""
        hour = micro(self.cost.infrastructure_usd_per_hour)
        return (hour * duration_ns + _HOUR_NS // 2) // _HOUR_NS

    def snapshot(self) -> dict[str, Any]:
        """The prices as used, for the run's figures: the profile's own, and those of the catalogue."""
        found: dict[str, Any] = {
            "source": self.cost.source or None,
            "as_of": self.cost.as_of or None,
            "models": {name: price.model_dump() for name, price in self.cost.models.items()},
            "catalogue": None,
        }
        if self._listed:
            models = {name: price._asdict() for name, price in sorted(self._listed.items())}
            found["catalogue"] = {"source": source(), "usd_per_mtok": models}
        return found


def _rate(price: ModelPrice) -> Rate:
    cached = price.cached_input_usd_per_mtok
    full = micro(price.input_usd_per_mtok)
    return Rate(full, micro(price.output_usd_per_mtok), full if cached is None else micro(cached))


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to weights so that the parts add up to it exactly.

    Largest remainder; equal parts when all weights are 0.
    """
    if not weights:
        return []
    whole = sum(weights)
    if whole <= 0:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * w // whole for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
