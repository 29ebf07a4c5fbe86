"""What a capacity search does next: a pure function of its settings and of what was seen so far.

Rising steps until one does not hold, bisection between the highest that holds and the lowest that does not,
then fresh phases at the candidate, which alone decide. What is left of the budget narrows the answer from
above, finds how far latency alone would have gone, and comes down from an overload. Not aware of clocks,
processes or files: a search that was cut goes on by being asked again with what it had seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mmload.model import CheckVerdict

_REQUESTS: Final = 30
"""A step of the search sends so many at least."""
_LOWER: Final = 4
"""Steps below the first rate before it is said that none holds."""
_BOUNDS: Final = 2
"""Rates above the answer of which certain failure is sought."""
_MARGIN: Final = 2.0
_MISSES: Final = 4
"""Candidates that may fail to be confirmed."""
_INVALID: Final = 2
"""Steps in a row in which the generator was the limit."""


class Kind(StrEnum):
    CLIMB = "climb"
    LOWER = "lower"
    BISECT = "bisect"
    CONFIRM = "confirm"
    BOUND = "bound"
    """Above the answer, to fail with certainty: the upper end of the interval. Never an answer itself."""
    BEYOND = "beyond"
    """Above the answer, for what latency alone would have said."""
    DOWN = "down"
    """The answer's rate, an overload, and the answer's rate again."""


@dataclass(frozen=True)
class Settings:
    """``[capacity]`` with its defaults filled in, and what follows from the gates."""

    start_rpm: float
    growth: float
    max_rpm: float
    step_s: float
    warmup_s: float
    replicates: int
    replicate_s: float
    precision: float
    max_requests: int
    max_minutes: float
    max_usd: float | None = None
    needed: int = 0
    """Requests without which no gate could be passed."""
    overhead_s: float = 6.0
    """Time that a step takes beside its traffic; what was seen replaces it."""
    extras: bool = True
    """Whether to look beyond the answer, and to come down from an overload."""


@dataclass(frozen=True)
class Step:
    kind: Kind
    rpm: float
    replicates: int
    seconds: float
    """Of each replicate."""
    over_rpm: float = 0.0
    """``DOWN``: the overload between the two."""


@dataclass(frozen=True)
class Seen:
    """What a step showed, as far as the search needs to know."""

    step: Step
    verdict: CheckVerdict
    """What its gates say with certainty."""
    holds: bool
    """The best guess: every figure meets its limit, whatever its interval."""
    fast: bool
    """The same of latency and errors alone."""
    valid: bool
    """The generator was not the limit."""
    requests: int
    minutes: float
    usd: float | None
    more: float = 1.0
    """So many times its requests would settle it as it leans, if its figures stay as they are."""

    @property
    def measured(self) -> float:
        """Requests that it planned outside of its warm-up."""
        return self.step.rpm / 60 * self.step.seconds * self.step.replicates


@dataclass(frozen=True)
class Stop:
    reason: str
    complete: bool
    """False if a budget or the generator ended it."""


def decide(s: Settings, seen: Sequence[Seen]) -> Step | Stop:
    """The next step, or why there is none. The same arguments give the same answer."""
    last = seen[-_INVALID:]
    if len(last) == _INVALID and not any(x.valid for x in last):
        return Stop(f"the generator was the limit at {last[-1].step.rpm:g} rpm", complete=False)
    known = [x for x in seen if x.valid]
    wanted = _search(s, known)
    if isinstance(wanted, Stop):
        return wanted
    if wanted.kind in (Kind.CLIMB, Kind.LOWER, Kind.BISECT):
        candidate = _candidate(s, known)
        # A candidate may be missed: what narrows it leaves enough for a second one.
        kept = [_confirm(s, candidate or wanted.rpm)] * (2 if wanted.kind is Kind.BISECT else 1)
        if _affordable(s, seen, [wanted, *kept]):
            return wanted
        if candidate is None:
            return Stop(_spent(s, seen) if seen else _too_small(s, [wanted, *kept]), complete=False)
        wanted = _confirm(s, candidate)
    return wanted if _affordable(s, seen, [wanted]) else Stop(_spent(s, seen), complete=False)


def confirmed(seen: Sequence[Seen]) -> Seen | None:
    """The answer: the highest rate that fresh phases confirmed."""
    passed = [x for x in seen if x.valid and x.step.kind is Kind.CONFIRM and x.verdict is CheckVerdict.PASS]
    return max(passed, key=lambda x: x.step.rpm, default=None)


def failing(seen: Sequence[Seen]) -> Seen | None:
    """The lowest rate above the answer that failed with certainty."""
    best = confirmed(seen)
    failed = [
        x
        for x in seen
        if x.valid
        and x.step.kind is not Kind.DOWN
        and x.verdict is CheckVerdict.FAIL
        and (best is None or x.step.rpm > best.step.rpm)
    ]
    return min(failed, key=lambda x: x.step.rpm, default=None)


def _search(s: Settings, known: Sequence[Seen]) -> Step | Stop:
    confirming = [x for x in known if x.step.kind is Kind.CONFIRM]
    if confirming:
        return _confirming(s, known, confirming)
    floor, ceiling = _bracket(known)
    rates = [x.step.rpm for x in known]
    if ceiling is None:
        if not rates:
            return _screen(s, Kind.CLIMB, s.start_rpm)
        if max(rates) >= s.max_rpm:
            return _confirm(s, _candidate(s, known) or s.max_rpm)
        return _screen(s, Kind.CLIMB, min(s.max_rpm, max(rates) * s.growth))
    if floor is None:
        if sum(x.step.kind is Kind.LOWER for x in known) >= _LOWER:
            return Stop("no rate that was tried holds", complete=True)
        return _screen(s, Kind.LOWER, min(rates) / s.growth)
    if ceiling / floor > 1 + s.precision:
        middle = rounded(math.sqrt(floor * ceiling))
        if floor < middle < ceiling:
            return _screen(s, Kind.BISECT, middle)
    return _confirm(s, _candidate(s, known) or floor)


def _confirming(s: Settings, known: Sequence[Seen], confirming: Sequence[Seen]) -> Step | Stop:
    best = confirmed(known)
    missed = [x.step.rpm for x in confirming if x.verdict is not CheckVerdict.PASS]
    if best is None:
        if len(missed) >= _MISSES:
            return Stop("no candidate could be confirmed", complete=True)
        # Each candidate lies further below the one before: it has more room to its limits.
        return _confirm(s, min(missed) / (1 + s.precision * 2 ** (len(missed) - 1)))
    if not missed and len(confirming) <= _MISSES:
        above = _to_narrow(s, known, best)
        if above is not None:
            return _confirm(s, above)
    return _bound(s, known, best) or _extras(s, known, best) or Stop("found", complete=True)


def _to_narrow(s: Settings, known: Sequence[Seen], best: Seen) -> float | None:
    """A rate above a confirmed one, while nothing near it is known to fail: half way to the highest that
    seemed to hold, or a step beyond. Rising candidates that end at the first miss need no correction for many
    looks (fixed sequence).
    """
    failed, floor = failing(known), _bracket(known)[0]
    near = best.step.rpm * (1 + 2 * s.precision)
    if best.step.rpm >= s.max_rpm or (failed is not None and failed.step.rpm <= near * 1.001):
        return None
    if floor is not None and floor > best.step.rpm * (1 + s.precision):
        wide = floor > best.step.rpm * (1 + 2 * s.precision)
        return math.sqrt(floor * best.step.rpm) if wide else floor
    return min(near, s.max_rpm)


def _bound(s: Settings, known: Sequence[Seen], best: Seen) -> Step | None:
    """As long as for a confirmation, at the lowest rate above the answer whose failure that should settle."""
    failed, tried = failing(known), [x.step.rpm for x in known if x.step.kind is Kind.BOUND]
    near = best.step.rpm * (1 + 2 * s.precision)
    if len(tried) >= _BOUNDS or best.step.rpm >= s.max_rpm:
        return None
    if failed is not None and failed.step.rpm <= near * (1 + s.precision):
        return None
    seeming = [x for x in known if not x.holds and x.step.rpm >= near and x.step.kind is not Kind.BOUND]
    able = [x.step.rpm for x in seeming if _lacks(s, x) <= 1]
    rpm = (
        max(tried) * (1 + 2 * s.precision)
        if tried
        else min(able or [x.step.rpm for x in seeming[:1]], default=near)
    )
    if rpm > s.max_rpm or (failed is not None and rpm >= failed.step.rpm * 0.999):
        return None
    return replace(_confirm(s, rpm), kind=Kind.BOUND)


def _extras(s: Settings, known: Sequence[Seen], best: Seen) -> Step | None:
    if not s.extras:
        return None
    steady = [x for x in known if x.step.kind is not Kind.DOWN]
    slow = min((x.step.rpm for x in steady if not x.fast), default=None)
    fast = max((x.step.rpm for x in steady if x.fast and (slow is None or x.step.rpm < slow)), default=None)
    if slow is None:
        highest = max(x.step.rpm for x in steady)
        if highest < s.max_rpm:
            return _screen(s, Kind.BEYOND, min(s.max_rpm, highest * s.growth))
    elif fast is not None and slow / fast > math.sqrt(s.growth) * 1.001:
        return _screen(s, Kind.BEYOND, math.sqrt(slow * fast))
    failed = failing(known)
    if failed is not None and not any(x.step.kind is Kind.DOWN for x in known):
        length = max(s.step_s, 60 * _REQUESTS / best.step.rpm)
        # Where latency gives way there is a queue to come down from; quality alone may fall without one.
        over = max(slow or failed.step.rpm, best.step.rpm * s.growth)
        return Step(Kind.DOWN, best.step.rpm, 1, length, over_rpm=rounded(over))
    return None


def _bracket(known: Sequence[Seen]) -> tuple[float | None, float | None]:
    """(highest rate that seems to hold below the lowest that seems not to, that lowest)."""
    steps = [x for x in known if x.step.kind in (Kind.CLIMB, Kind.LOWER, Kind.BISECT)]
    ceiling = min((x.step.rpm for x in steps if not x.holds), default=None)
    holding = [x.step.rpm for x in steps if x.holds and (ceiling is None or x.step.rpm < ceiling)]
    return max(holding, default=None), ceiling


def _candidate(s: Settings, known: Sequence[Seen]) -> float | None:
    """The highest rate whose confirming phases should suffice for every gate to pass, judging by its step;
    where there is none, the one that lacks least. Who confirms at the very edge buys an undecided answer.
    """
    floor = _bracket(known)[0]
    if floor is None:
        return None
    steps = [x for x in known if x.holds and x.step.rpm <= floor]
    able = [x.step.rpm for x in steps if _lacks(s, x) <= 1]
    return max(able) if able else min(steps, key=lambda x: _lacks(s, x)).step.rpm


def _lacks(s: Settings, x: Seen) -> float:
    """Requests that would settle a rate, over those of its confirming phases: above 1 they are too few. A
    short step knows little of its own spread, hence the margin.
    """
    confirming = _confirm(s, x.step.rpm)
    return _MARGIN * x.more * x.measured / (confirming.rpm / 60 * confirming.seconds * confirming.replicates)


def _screen(s: Settings, kind: Kind, rpm: float) -> Step:
    rpm = rounded(rpm)
    return Step(kind, rpm, 1, max(s.step_s, math.ceil(60 * _REQUESTS / rpm)))


def _confirm(s: Settings, rpm: float) -> Step:
    """Long enough that a gate could pass if a little goes wrong."""
    rpm = rounded(rpm)
    needed = math.ceil(60 * 1.6 * s.needed / rpm / s.replicates)
    return Step(Kind.CONFIRM, rpm, s.replicates, max(s.replicate_s, needed))


def rounded(rpm: float) -> float:
    """Three significant digits: a rate that a person can ask for again."""
    return round(rpm, 2 - math.floor(math.log10(rpm)))


# --- the budget ------------------------------------------------------------------------------------


def traffic_s(s: Settings, step: Step) -> float:
    """Seconds for which a step sends."""
    return s.warmup_s + step.seconds * (3 if step.kind is Kind.DOWN else step.replicates)


def _affordable(s: Settings, seen: Sequence[Seen], steps: Sequence[Step]) -> bool:
    minutes, requests, usd = spent(seen)
    more_minutes, more_requests = _takes(s, seen, steps)
    if minutes + more_minutes > s.max_minutes or requests + more_requests > s.max_requests:
        return False
    if s.max_usd is None:
        return True
    if usd is None:
        return False
    each = usd / requests if requests else 0.0
    return usd + each * more_requests <= s.max_usd


def _takes(s: Settings, seen: Sequence[Seen], steps: Sequence[Step]) -> tuple[float, float]:
    """(minutes, requests) of steps that were not made yet."""
    sending = [(traffic_s(s, step), max(step.rpm, step.over_rpm)) for step in steps]
    minutes = sum(seconds + _overhead_s(s, seen) for seconds, _ in sending) / 60
    return minutes, sum(seconds * rpm / 60 for seconds, rpm in sending)


def spent(seen: Sequence[Seen]) -> tuple[float, int, float | None]:
    """(minutes, requests, dollars or None if any are unknown)."""
    usd = [x.usd for x in seen]
    known = [u for u in usd if u is not None]
    total = sum(known) if len(known) == len(usd) else None
    return sum(x.minutes for x in seen), sum(x.requests for x in seen), total


def _overhead_s(s: Settings, seen: Sequence[Seen]) -> float:
    """What a step takes beside its traffic: the longest of the last five."""
    found = [60 * x.minutes - traffic_s(s, x.step) for x in seen[-5:]]
    return max([*found, 1.0]) if found else s.overhead_s


def _spent(s: Settings, seen: Sequence[Seen]) -> str:
    minutes, requests, usd = spent(seen)
    money = (
        "" if s.max_usd is None else f", {'unknown' if usd is None else f'{usd:.2f}'} of {s.max_usd:g} USD"
    )
    return (
        f"the budget does not allow another step: {minutes:.1f} of {s.max_minutes:g} minutes, "
        f"{requests:,} of {s.max_requests:,} requests{money} are spent"
    )


def _too_small(s: Settings, steps: Sequence[Step]) -> str:
    minutes, requests = _takes(s, [], steps)
    return (
        f"at {steps[0].rpm:g} rpm the first step and its confirmation take {minutes:.1f} minutes (allowed: "
        f"{s.max_minutes:g}) and {math.ceil(requests):,} requests (allowed: {s.max_requests:,}); raise "
        "capacity.start_rpm or the budget"
    )
