"""Validate a profile and draw its planned traffic, without sending anything."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import sys
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mmload.cli._options import Finite, json_option, print_json, profile_options, read_profile
from mmload.model import counted

if TYPE_CHECKING:
    from mmload.cli._certify import Certainty
    from mmload.cli._outline import Outline

EXIT_UNCERTAIN = 4


@click.command(
    epilog="Example: mmload check traffic_profiles/burst.toml --set phase.burst.peak_rpm=4000",
)
@profile_options
@click.option("--answer-s", type=Finite(min=0, min_open=True), default=1.0, show_default=True,
              help="Assumed seconds an answer: closed loops and later turns depend on it.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 4 if a gate cannot be certified by this plan.")
@json_option
def check(
    profile: Path,
    target: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    plugins: tuple[Path, ...],
    answer_s: float,
    strict: bool,
    as_json: bool,
) -> int:
    """Validate PROFILE and show what it would send: no request leaves.

    Draws the planned arrivals, says how many requests, bytes, tokens, minutes and dollars they are, and
    whether they are enough to certify what the gates ask for. A gate that they cannot certify is a warning.
    """
    from mmload.cli._certify import certainties
    from mmload.cli._outline import outline

    asked = read_profile(profile, target, sets, seed, workers, plugins)
    plan = outline(asked, profile.parent, answer_s)
    gates = certainties(asked, plan.estimate, plan.bursts)
    warnings = [*_gate_warnings(gates), *_warnings(plan)]
    if as_json:
        print_json(_result(plan, gates, warnings))
    else:
        _show(plan, gates, warnings, answer_s)
    return EXIT_UNCERTAIN if strict and not all(gate.certifiable for gate in gates) else 0


def _gate_warnings(gates: list[Certainty]) -> list[str]:
    return [f"gates.{g.gate} cannot be certified by this run: {g.reason}" for g in gates if not g.certifiable]


def _warnings(plan: Outline) -> list[str]:
    """What a run of this plan would stumble over."""
    from mmload.profile import key_in

    profile, amount = plan.profile, plan.estimate
    target, cost = profile.target, profile.cost
    found = []
    if not profile.gates.model_fields_set:
        found.append("[gates] is empty: whatever happens, the verdict will be go")
    empty = [p.name for p in amount.phases if p.open_loop and not p.requests]
    if empty:
        found.append(f"this seed plans no request for {', '.join(empty)}")
    if target.url and target.api_key_env and not key_in(target.api_key_env, os.environ):
        found.append(f"the environment variable {target.api_key_env} is not set; the run will need it")
    judge = profile.quality.judge
    if judge and judge.api_key_env and not key_in(judge.api_key_env, os.environ):
        found.append(f"the environment variable {judge.api_key_env} is not set; the judge will need it")
    if amount.usd is None and cost.models:
        found.append(f"[cost.models] has no price for {target.model}: the cost of the run will be unknown")
    if amount.usd is not None and cost.budget_usd is not None and amount.usd > cost.budget_usd:
        found.append(
            f"the run would cost about ${amount.usd:,.2f} and stop at its budget, ${cost.budget_usd:,.2f}"
        )
    slowest_s = max(slo.e2e_ms for slo in profile.slo.values()) / 1e3
    if target.total_timeout_s < slowest_s:
        found.append(
            f"total_timeout_s = {target.total_timeout_s:g} gives up before the objective, {slowest_s:g} s"
        )
    found += _session_warnings(plan)
    lanes = _peak_rps(plan) * slowest_s
    if lanes > target.max_in_flight:
        found.append(
            f"at its peak, answers that take the objective ({slowest_s:g} s) need "
            f"{counted(math.ceil(lanes), 'lane')}; target.max_in_flight = {target.max_in_flight} would make "
            "arrivals wait"
        )
    return found


def _session_warnings(plan: Outline) -> list[str]:
    found = []
    if plan.turns_cut:
        found.append(
            f"with {plan.answer_s:g} s an answer, {counted(plan.turns_cut, 'turn')} would be due only after "
            f"the drain time: drain_s = {plan.profile.drain_s:g} cuts their sessions short"
        )
    warm = sum(p.duration_s for p in takewhile(lambda p: p.warmup, plan.estimate.phases))
    if warm < plan.session_s:
        found.append(
            f"the planned rate is reached only when the first sessions come to their end, after some "
            f"{plan.session_s:.3g} s; a warm-up phase that long keeps the run-up out of the figures"
        )
    return found


def _peak_rps(plan: Outline) -> float:
    """Most arrivals in any second of the open-loop phases."""
    import numpy as np

    if not len(plan.schedule):
        return 0.0
    return float(np.bincount(plan.times_s.astype(np.int64)).max())


class Binned(NamedTuple):
    """The time of the run in equal bins: one entry each."""

    t_s: list[float]
    """Middle of the bin."""
    planned_rpm: list[float]
    """What the shapes ask for."""
    arrivals_rpm: list[float]
    """What the seed made of it: the very arrivals that would be sent (later turns of sessions as they would
    be due if every answer took the time assumed)."""
    users: list[float]
    """Of closed-loop phases."""


def _binned(plan: Outline, bins: int) -> Binned:
    import numpy as np

    end_s = plan.estimate.duration_s
    counts, edges = np.histogram(plan.times_s, bins=bins, range=(0, end_s))
    times = ((edges[:-1] + edges[1:]) / 2).tolist()
    cumulated = np.array([_expected(plan, t) for t in edges.tolist()])
    per_minute = 60 * bins / end_s
    planned, arrivals = np.diff(cumulated) * per_minute, counts * per_minute
    return Binned(times, planned.tolist(), arrivals.tolist(), _users(plan, times))


def _expected(plan: Outline, t_s: float) -> float:
    """Open-loop arrivals expected in [0, t] of the run."""
    shapes = dict(zip([p.name for p in plan.profile.phase], plan.shapes, strict=True))
    done = [p for p in plan.estimate.phases if p.open_loop and p.start_s <= t_s]
    return sum(shapes[p.group].expected(min(t_s - p.start_s, p.duration_s)) for p in done)


def _users(plan: Outline, times: list[float]) -> list[float]:
    """Users of closed-loop phases at each time."""
    users = []
    by_name = dict(zip([p.name for p in plan.profile.phase], plan.shapes, strict=True))
    for t in times:
        phase = next(p for p in reversed(plan.estimate.phases) if p.start_s <= t)
        users.append(float(by_name[phase.group].users(t - phase.start_s)))
    return users


def _result(plan: Outline, gates: list[Certainty], warnings: list[str]) -> dict[str, Any]:
    amount = plan.estimate
    bins = max(1, min(600, round(amount.duration_s)))
    binned = _binned(plan, bins)
    return {
        "profile": plan.profile.name,
        "seed": plan.profile.seed,
        "target": plan.profile.target.url or plan.profile.target.engine,
        "schedule_sha256": hashlib.sha256(plan.schedule.fingerprint_bytes()).hexdigest(),
        "requests": amount.requests,
        "measured_requests": amount.measured,
        "closed_loop_requests_assumed": amount.closed_loop_assumed,
        "bytes": amount.bytes,
        "tokens_in": amount.tokens_in,
        "tokens_out": amount.tokens_out,
        "sizes": "measured" if plan.suite else "estimated",
        "duration_s": amount.duration_s,
        "minutes": amount.duration_s / 60,
        "usd": amount.usd,
        "repeated_media_ratio": amount.repeated_media,
        "sessions": _sessions(plan),
        "suite": str(plan.suite.dir) if plan.suite else None,
        "phases": [asdict(phase) for phase in amount.phases],
        "curve": binned._asdict(),
        "gates": [asdict(gate) for gate in gates],
        "warnings": warnings,
    }


def _sessions(plan: Outline) -> dict[str, Any] | None:
    if plan.scripts is None:
        return None
    return {
        "planned": len(plan.schedule),
        "turns_mean": plan.schedule.turns_each,
        "length_s": plan.session_s,
        "turns_cut": plan.turns_cut,
    }


def _show(plan: Outline, gates: list[Certainty], warnings: list[str], answer_s: float) -> None:
    profile, amount = plan.profile, plan.estimate
    target = profile.target
    click.echo(f"{profile.name}: {profile.description}" if profile.description else profile.name)
    click.echo(f"target {target.url or target.engine} ({target.model}), seed {profile.seed}\n")
    for line in _drawing(plan):
        click.echo(line)
    click.echo("")
    for line in _phase_table(plan):
        click.echo(line)
    click.echo("")
    for line in _amounts(plan, answer_s):
        click.echo(line)
    if gates:
        click.echo("\ngates")
    for gate in gates:
        mark, note = ("ok", _enough(gate)) if gate.certifiable else ("!!", gate.reason)
        click.echo(f"  {mark}  {gate.gate:<28} {note}")
    for number, warning in enumerate(warnings):
        click.echo(("\n" if number == 0 else "") + f"warning: {warning}")
    if amount.requests == 0:
        click.echo("warning: nothing would be sent")


def _enough(gate: Certainty) -> str:
    return (
        f"{gate.planned:,} planned, {gate.needed:,} needed"
        if gate.needed and gate.planned is not None
        else ""
    )


def _drawing(plan: Outline) -> list[str]:
    from mmload.cli._curve import Stretch, chart, columns

    width = min(shutil.get_terminal_size((80, 24)).columns, 120)
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    shown = columns(width)
    # Bins of less than a second would draw the noise of single arrivals.
    bins = max(1, min(shown, int(plan.estimate.duration_s)))
    binned = _binned(plan, bins)
    planned, arrivals, users = (
        [values[k * bins // shown] for k in range(shown)]
        for values in (binned.planned_rpm, binned.arrivals_rpm, binned.users)
    )
    stretches = [Stretch(p.name, p.start_s, p.start_s + p.duration_s) for p in plan.estimate.phases]
    lines: list[str] = []
    if any(phase.open_loop for phase in plan.estimate.phases):
        lines += chart(planned, stretches, "rpm", height=8, unicode=unicode, above=arrivals)
    if not all(phase.open_loop for phase in plan.estimate.phases):
        lines += chart(users, stretches, "users", height=4, unicode=unicode)
    return lines


def _phase_table(plan: Outline) -> list[str]:
    rows = [("phase", "shape", "loop", "from", "for", "requests", "mean rpm")]
    for p in plan.estimate.phases:
        loop = "open" if p.open_loop else counted(p.users, "user")
        about = "" if p.open_loop else "~"
        name = f"{p.name} (warm-up)" if p.warmup and p.name != "warm-up" else p.name
        mean = f"{about}{p.requests * 60 / p.duration_s:,.0f}"
        rows.append(
            (name, p.shape, loop, f"{p.start_s:g} s", f"{p.duration_s:g} s", f"{about}{p.requests:,}", mean)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(w) if n < 3 else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _amounts(plan: Outline, answer_s: float) -> list[str]:
    from mmload.cli._certify import best_percentile

    amount, profile = plan.estimate, plan.profile
    about = "" if plan.suite else "about "
    best = best_percentile(amount.measured)
    each = amount.bytes / max(1, amount.requests)
    lines = [
        f"requests  {amount.requests:,}, of which {amount.measured:,} measured"
        + (f": enough to certify up to {best}" if best else ": too few to certify any percentile"),
        f"upload    {about}{_bytes(amount.bytes)}, {_bytes(each)} a request",
        f"tokens    about {_short(amount.tokens_in)} in and {_short(amount.tokens_out)} out",
        f"time      {_time(amount.duration_s)} of traffic, then at most {_time(profile.drain_s)} to drain",
        "cost      "
        + (
            f"unknown: no price for {profile.target.model}"
            if amount.usd is None
            else f"about ${amount.usd:,.2f}"
        ),
        f"suite     {counted(len(plan.suite.items) if plan.suite else profile.mix.items, 'item')}, "
        + ("in the cache" if plan.suite else "not built yet (mmload fixtures build, or the run itself)"),
    ]
    if plan.scripts is not None:
        asked = profile.sessions
        turns = f"{len(plan.schedule):,} of {plan.schedule.turns_each:.3g} turns in the mean"
        pause = f"thinking {asked.think_time_s:g} s ({asked.think})"
        length = f"{plan.session_s:.3g} s long with {answer_s:g} s an answer"
        lines.insert(1, f"sessions  {turns}, {pause}; {length}")
    if amount.closed_loop_assumed:
        lines.append(
            f"          ~ closed loops send what the target lets them: here with {answer_s:g} s an answer"
        )
    if amount.repeated_media >= 0.005:
        lines.append(
            f"          {amount.repeated_media:.0%} of the requests repeat an item that was sent before"
        )
    return lines


def _bytes(n: float) -> str:
    for unit in ("B", "KB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}" if unit != "B" else f"{n:.0f} B"
        n /= 1000
    return f"{n:.3g} GB"


def _short(n: float) -> str:
    for unit in ("", " k", " M"):
        if n < 1000:
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:.3g} G"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.3g} min"
