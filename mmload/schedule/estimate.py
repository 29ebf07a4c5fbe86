"""What a planned run amounts to: requests, bytes, tokens, minutes and dollars, before anything is sent.

Not aware of how big an item really is, nor of where prices stand: bytes, tokens and the price of a token come
as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmload.model import NS_PER_S, PhasePlan
from mmload.profile import Cost, Phase, Profile
from mmload.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Sizes:
    """What one request with each item is: arrays of one entry an item."""

    request_bytes: NDArray[np.float64]
    tokens_in: NDArray[np.float64]
    tokens_out: NDArray[np.float64]
    streamed: NDArray[np.bool_]
    answerable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PhaseEstimate:
    """One phase of the plan. Counts of a closed loop rest on an assumed time an answer."""

    name: str
    group: str
    shape: str
    open_loop: bool
    warmup: bool
    start_s: float
    duration_s: float
    users: int
    requests: int
    streamed: int
    scored: float
    """Expected number of answers scored."""
    scored_unanswerable: float
    bytes: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Estimate:
    phases: list[PhaseEstimate]
    duration_s: float
    requests: int
    measured: int
    """Requests outside of warm-up."""
    bytes: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    """None if no price of the model is known."""
    repeated_media: float
    """Share of open-loop requests whose item was sent before in the run."""
    closed_loop_assumed: int
    """Requests of closed-loop phases, which rest on an assumption."""


def estimate(
    profile: Profile,
    schedule: Schedule,
    sizes: Sizes,
    answer_s: float = 1.0,
    usd_per_mtok: tuple[float, float] | None = None,
) -> Estimate:
    """Add up a plan. ``answer_s``: assumed seconds an answer, which decides how much a closed loop sends;
    ``usd_per_mtok``: price of a million tokens of input and of output, None if it is not known."""
    by_name = {phase.name: phase for phase in profile.phase}
    phases = [_phase(schedule, plan, by_name[plan.group], sizes, answer_s) for plan in schedule.phases]
    duration_s = max((plan.end_ns for plan in schedule.phases), default=0) / NS_PER_S
    requests = sum(p.requests for p in phases)
    asked = schedule.planned_items()
    tokens_in, tokens_out = sum(p.tokens_in for p in phases), sum(p.tokens_out for p in phases)
    return Estimate(
        phases=phases,
        duration_s=duration_s,
        requests=requests,
        measured=sum(p.requests for p in phases if not p.warmup),
        bytes=sum(p.bytes for p in phases),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd=_usd(profile.cost, usd_per_mtok, requests, tokens_in, tokens_out, duration_s),
        repeated_media=1.0 - len(np.unique(asked)) / len(asked) if len(asked) else 0.0,
        closed_loop_assumed=sum(p.requests for p in phases if not p.open_loop),
    )


def _phase(schedule: Schedule, plan: PhasePlan, phase: Phase, sizes: Sizes, answer_s: float) -> PhaseEstimate:
    duration_s = (plan.end_ns - plan.start_ns) / NS_PER_S
    if plan.open_loop:
        items = schedule.planned_items(plan.number)
    else:
        count = round(plan.users * duration_s / (answer_s + phase.think_time_s))
        items = np.array([schedule.closed_item(plan.number, k) for k in range(count)], np.int32)
    pi = schedule.suite.pi[items]
    return PhaseEstimate(
        name=plan.name,
        group=plan.group,
        shape=plan.shape,
        open_loop=plan.open_loop,
        warmup=plan.warmup,
        start_s=plan.start_ns / NS_PER_S,
        duration_s=duration_s,
        users=plan.users,
        requests=len(items),
        streamed=int(sizes.streamed[items].sum()),
        scored=float(pi.sum()),
        scored_unanswerable=float(pi[~sizes.answerable[items]].sum()),
        bytes=int(sizes.request_bytes[items].sum()),
        tokens_in=int(sizes.tokens_in[items].sum()),
        tokens_out=int(sizes.tokens_out[items].sum()),
    )


def _usd(
    cost: Cost,
    usd_per_mtok: tuple[float, float] | None,
    requests: int,
    tokens_in: int,
    tokens_out: int,
    duration_s: float,
) -> float | None:
    """The bill if every request is answered once, by the model that it names."""
    if usd_per_mtok is None:
        return None
    tokens = (tokens_in * usd_per_mtok[0] + tokens_out * usd_per_mtok[1]) / 1e6
    review = cost.review_rate * cost.review_s * cost.review_usd_per_hour / 3600.0
    each = cost.validator_usd + cost.tool_usd + review
    return tokens + requests * each + cost.infrastructure_usd_per_hour * duration_s / 3600.0
