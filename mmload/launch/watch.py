"""A run seen while it runs: the journals followed into a ``LiveState``.

Not aware of the processes; it is given a folder and the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mmload import corpus, journal
from mmload.launch.outlets import Sink
from mmload.model import NS_PER_S, PhasePlan
from mmload.profile import Profile
from mmload.report.live import LiveState
from mmload.summary import RUN_JOURNAL, SCORES_JOURNAL, Ending, RunReader, figures, series

_RECENT: Final = 5
"""Bins over which the current rate is averaged."""


class Watch:
    """Follows one run folder."""

    def __init__(self, run_dir: Path, sinks: Sequence[Sink], workers: int) -> None:
        """``sinks`` get every frame of the journals, and each state."""
        self.reader = RunReader(run_dir, corpus.load_items)
        self.sinks = sinks
        self.workers = workers
        self.figures: Mapping[str, Any] | None = None
        self._for_sinks = (
            [journal.Follower(run_dir / name) for name in (RUN_JOURNAL, SCORES_JOURNAL)] if sinks else []
        )

    def poll(self) -> None:
        """Take in what was written since."""
        self.reader.poll()
        for follower in self._for_sinks:
            for kind, body in follower.poll():
                for sink in self.sinks:
                    sink.take(kind, body)

    @property
    def began_s(self) -> float | None:
        """Wall time of the schedule's zero; ``None`` before the start."""
        info = self.reader.info
        return None if info is None else float(info.header["t0_wall_ns"]) / NS_PER_S

    def state(self, now_wall_s: float) -> LiveState:
        """The run as it stands."""
        reader, info = self.reader, self.reader.info
        if info is None or self.began_s is None:
            return LiveState(workers=self.workers)
        elapsed = now_wall_s - self.began_s
        self.figures = found = figures(
            reader.summary, info, Ending(None, reader.events, reader.last_ns, live=True)
        )
        number, phase = _current(info.phases, int(elapsed * NS_PER_S))
        latency, counts, quality = found["latency_ms"]["e2e"], found["counts"], found["quality"]
        validity, cost = found["validity"], found["cost"]
        offered, achieved, in_flight = _flow(series(reader.summary, info)["seconds"], elapsed / info.bin_s)
        state = LiveState(
            profile=info.profile.name,
            target=str(info.header["target"]),
            phase=phase.name if phase else "",
            phase_number=number,
            phase_count=len(info.phases),
            elapsed_s=max(0.0, elapsed),
            total_s=info.phases[-1].end_ns / NS_PER_S,
            offered_rpm=_mean(offered[-_RECENT:]),
            achieved_rpm=_mean(achieved[-_RECENT:]),
            offered_history=offered,
            achieved_history=achieved,
            p50_ms=latency["p50"],
            p95_ms=latency["p95"],
            p99_ms=latency["p99"],
            slo_ms=info.profile.slo_of("default").e2e_ms,
            quality=quality["score"],
            quality_low=quality["low"],
            quality_high=quality["high"],
            n_scored=quality["n_scored"] or 0,
            planned=sum(p.planned for p in info.phases) if all(p.open_loop for p in info.phases) else None,
            sent=counts["sent"] or 0,
            ok=counts["ok"] or 0,
            failed=counts["failed"] or 0,
            shed=counts["shed"] or 0,
            in_flight=in_flight,
            users=_lanes(info.profile, phase),
            errors=counts["errors"],
            cost_usd=cost["total_usd"],
            per_good_query_usd=cost["per_good_query_usd"],
            send_lag_p99_ms=validity["send_lag_ms"]["p99"],
            generator_cpu_ratio=validity["generator_cpu_ratio"],
            workers=self.workers,
            warnings=[] if validity["valid"] else validity["reasons"],
        )
        for sink in self.sinks:
            sink.show(state)
        return state


def _current(phases: Sequence[PhasePlan], now_ns: int) -> tuple[int, PhasePlan | None]:
    for number, phase in enumerate(phases, start=1):
        if now_ns < phase.end_ns:
            return number, phase
    return len(phases), phases[-1] if phases else None


def _flow(seconds: Mapping[str, Any], now: float) -> tuple[list[float], list[float], int | None]:
    """Planned and answered rpm by bin up to ``now`` (in bins), and what is in flight.

    The last whole bin is left out: the records of its end are still on their way from the workers.
    """
    whole = max(0, min(int(now) - 1, len(seconds["t_s"])))
    planned = [float(rate or 0) for rate in seconds["planned_rpm"][:whole]]
    answered = [float(rate or 0) for rate in seconds["ok_rpm"][:whole]]
    seen = [n for n in seconds["in_flight"] if n is not None]
    return planned, answered, seen[-1] if seen else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _lanes(profile: Profile, phase: PhasePlan | None) -> int | None:
    """Lanes that stand by now: of a closed loop its users, of an open one all that may be in flight."""
    if phase is None:
        return None
    return profile.target.max_in_flight if phase.open_loop else phase.users
