"""Whether the generator, not the target, was the limit; and whether anything is missing.

Not aware of gates' verdicts. Each reason is a sentence with its remedy, for a person to act on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mmload.model import LOCAL_KINDS, ErrorKind, counted
from mmload.summary.measures import M
from mmload.summary.run_info import RunInfo, milliseconds
from mmload.summary.stability import findings, stability
from mmload.summary.sums import Summary
from mmload.summary.view import View, percentiles

CPU_LIMIT: Final = 0.9
LAG_SHARE: Final = 0.05
"""Send lag at p99 may be so much of the smallest latency that is judged."""
LAG_FLOOR_MS: Final = 5.0
_CLAMPED_SHARE: Final = 0.001

_REMEDIES: Final[Mapping[str, str]] = {
    ErrorKind.LOCAL_FD_EXHAUSTED: "raise the limit of open files (ulimit -n) or lower target.max_in_flight",
    ErrorKind.LOCAL_PORT_EXHAUSTED: "keep connections alive, or widen net.ipv4.ip_local_port_range",
    ErrorKind.LOCAL_CANCELLED: "raise drain_s, or let the run end by itself",
    ErrorKind.SCHEDULE_DROP: "raise target.max_in_flight or --workers, and keep the machine otherwise idle",
    ErrorKind.WORKER_LOST: "see why the worker ended (out of memory, killed), then run again",
    ErrorKind.INTERNAL_BUG: "this is a fault of mmload: please report it with the journal",
}


@dataclass(frozen=True)
class Ending:
    """How the run ended, as its journal tells."""

    end: Mapping[str, Any] | None = None
    events: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    last_ns: int = 0
    damaged: str = ""
    live: bool = False
    """The run still goes on: what is not there yet is not missing."""

    @property
    def reason(self) -> str | None:
        return None if self.end is None else str(self.end.get("reason", "done"))

    def stopped_ns(self, info: RunInfo) -> int:
        """Until when traffic was planned and could be seen."""
        planned = info.phases[-1].end_ns
        if self.end is not None and self.reason == "done":
            return planned
        seen = int(self.end.get("t_ns", self.last_ns)) if self.end else self.last_ns
        return min(planned, seen)


def missing(view: View, ending: Ending) -> int:
    """Planned arrivals of open-loop phases that left no record. 0 while the run goes on."""
    if ending.live:
        return 0
    phases = {w.phase for w in view.windows}
    planned = sum(p.planned for p in view.info.phases if p.number in phases and p.open_loop)
    open_loop = [p.number for p in view.info.phases if p.number in phases and p.open_loop]
    recorded = sum(int(view.data[view.phases == number, M.PLANNED].sum()) for number in open_loop)
    return max(0, planned - recorded)


def cpu_ratio(summary: Summary) -> float | None:
    """Busiest worker: the share of a core that it stayed below in 95% of its seconds."""
    by_worker: dict[int, list[tuple[int, int]]] = {}
    for (worker, percent), seconds in summary.cpu.items():
        by_worker.setdefault(worker, []).append((percent, seconds))
    worst: float | None = None
    for rows in by_worker.values():
        left = 0.95 * sum(n for _, n in rows)
        for percent, seconds in sorted(rows):
            left -= seconds
            if left <= 1e-9:
                worst = max(worst or 0.0, percent / 100)
                break
    return worst


def validity_figures(view: View, ending: Ending, gone: int) -> dict[str, Any]:
    """``validity`` of ``summary.json``; ``gone`` is what ``missing`` counted."""
    summary = view.summary
    lag = percentiles(summary.send_lag)
    clocks = [c for c in ("kernel", "user") if summary.tallies.get(f"{c}_clock")]
    reasons = list(_reasons(view, ending, gone))
    return {
        "valid": not reasons,
        "reasons": reasons,
        "warnings": list(_warnings(view)),
        "send_lag_ms": {name: lag[name] for name in ("p50", "p99", "max")},
        "generator_cpu_ratio": cpu_ratio(summary),
        "loop_lag_max_ms": milliseconds(summary.peaks.get("loop_lag_us")),
        "open_fds_max": summary.peaks.get("open_fds"),
        "clamped": sum(h.clamped for h in summary.latency.values()),
        "offered_rpm": _rounded(view.rpm(view.offered(gone))),
        "sent_rpm": _rounded(view.rpm(view.sent)),
        "timestamp_source": None if not clocks else "kernel" if clocks == ["kernel"] else "user",
    }


def _rounded(x: float | None) -> float | None:
    return None if x is None else round(x, 2)


def _reasons(view: View, ending: Ending, gone: int) -> Iterator[str]:
    yield from _cut_short(view, ending, gone)
    summary, info = view.summary, view.info
    limit = lag_limit_ms(info)
    lag = summary.send_lag
    p99 = milliseconds(lag.percentile(99))
    if p99 is not None and p99 > limit and not _lanes_explain(summary):
        # That so many left so late is a fact of this run, whatever its p99 may be certified to be.
        yield (
            f"requests left late: more than 1% of them by over {limit:.1f} ms ({LAG_SHARE:.0%} of the "
            f"smallest latency that is judged), at worst by {milliseconds(lag.max_us):.1f} ms; use more "
            "--workers or a machine with idle cores"
        )
    cpu = cpu_ratio(summary)
    if cpu is not None and cpu > CPU_LIMIT:
        yield (
            f"the generator was busy: a worker used {cpu:.0%} of its core (limit {CPU_LIMIT:.0%}); "
            "use more --workers, or a machine of its own for the target"
        )
    kinds: dict[str, int] = {}
    # What a run that knew enough no longer sent was not wanted: that is no fault of anybody's.
    unwanted = {ErrorKind.LOCAL_CANCELLED} if ending.reason == "settled" else set()
    for (phase, kind), n in summary.errors.items():
        if kind in LOCAL_KINDS - unwanted and not info.phases[phase].warmup:
            kinds[kind] = kinds.get(kind, 0) + n
    for kind, n in sorted(kinds.items()):
        yield f"{counted(n, 'request')} ended as {kind}, a cause on our side; {_REMEDIES[kind]}"
    timed = sum(h.n for h in summary.latency.values())
    clamped = sum(h.clamped for h in summary.latency.values())
    if clamped > _CLAMPED_SHARE * timed:
        yield f"{clamped} of {timed} latencies lie outside 0 to 1 h: a clock jumped, or timeouts are too long"
    steps = [e for e in ending.events if e.get("name") == "clock_step"]
    if steps:
        times = counted(len(steps), "time")
        yield f"the clock stepped {times} during the run; keep what sets it from stepping it"


def _cut_short(view: View, ending: Ending, gone: int) -> Iterator[str]:
    if ending.damaged:
        yield f"the journal is damaged: {ending.damaged}; what was read before that is reported"
    if not ending.live:
        seconds = ending.stopped_ns(view.info) / 1e9
        if ending.end is None:
            yield f"the run was cut off after {seconds:.0f} s; run it again"
        elif ending.reason == "budget":
            yield f"the budget was spent after {seconds:.0f} s; raise cost.budget_usd or plan fewer requests"
        elif ending.reason == "error_rate":
            share = view.info.profile.target.stop_at_error_ratio or 0.0
            yield (
                f"the run was stopped after {seconds:.0f} s: over {share:.0%} of the last requests failed "
                "(target.stop_at_error_ratio)"
            )
        elif ending.reason not in ("done", "settled"):
            yield f"the run was stopped after {seconds:.0f} s ({ending.reason})"
    lost = sorted({str(e.get("worker")) for e in ending.events if e.get("name") == "worker_lost"})
    if lost:
        yield f"lost worker {', '.join(lost)}; {_REMEDIES[ErrorKind.WORKER_LOST]}"
    unreported = max(0, _claimed(ending) - _recorded(view.summary))
    if unreported:
        yield f"{counted(unreported, 'record')} that workers reported never arrived; run it again"
    elif gone and ending.reason == "done" and not lost:
        yield f"{counted(gone, 'planned request')} left no record; run it again"
    if not ending.live and view.sent == 0:
        yield "no request of a measured phase was sent"


def _claimed(ending: Ending) -> int:
    workers = (ending.end or {}).get("workers") or {}
    return sum(int(w.get("records", 0)) for w in workers.values())


def _recorded(summary: Summary) -> int:
    return int(summary.cells.arrays()[1][:, M.PLANNED].sum())


def lag_limit_ms(info: RunInfo) -> float:
    """How late p99 of the requests may leave: a share of the smallest latency limit, at least 5 ms."""
    gates = info.profile.gates.model_dump(exclude_none=True)
    limits = [float(v) for name, v in gates.items() if name.endswith("_ms")]
    limits.append(min(info.profile.slo_of(task).e2e_ms for task in info.tasks))
    return max(LAG_FLOOR_MS, LAG_SHARE * min(limits))


def _lanes_explain(summary: Summary) -> bool:
    """Whether requests left late because every lane was waiting for the target: its doing, not ours."""
    late = {b for b, us in summary.lag_peak.items() if us > LAG_FLOOR_MS * 1000}
    return bool(late) and sum(b in summary.backlog or b - 1 in summary.backlog for b in late) >= 0.9 * len(
        late
    )


def _warnings(view: View) -> Iterator[str]:
    summary = view.summary
    if summary.backlog:
        seconds, lanes = len(summary.backlog) * view.info.bin_s, view.info.profile.target.max_in_flight
        yield (
            f"in {seconds:.0f} s of the run all {lanes} lanes were waiting for the target, so "
            "requests left after they were due; their latency counts from when they were due "
            "(target.max_in_flight sets the number of lanes)"
        )
    cut = sum(n for (phase, kind), n in summary.errors.items()
              if kind == ErrorKind.SESSION_CUT and not view.info.phases[phase].warmup)  # fmt: skip
    if cut:
        yield (
            f"{counted(cut, 'turn')} of sessions never came due before the drain time ended: what is told "
            "of later turns leaves them out; raise drain_s"
        )
    lag = milliseconds(summary.peaks.get("loop_lag_us"))
    if lag is not None and lag > 10 * LAG_FLOOR_MS:
        yield f"a worker's event loop once stood still for {lag:.0f} ms; keep the machine otherwise idle"
    target = view.info.profile.target
    if not target.tls_verify and (target.url or "").startswith("https:"):
        yield "the certificate of the target was not checked (target.tls_verify = false, or --insecure)"
    yield from findings(stability(summary, view.info), view.info.profile.gates.quality_loss_max)
    duplicates = summary.tallies.get("duplicate_records", 0)
    if duplicates:
        yield f"{counted(duplicates, 'record')} arrived twice, and counted once"
    sampled, scored = summary.tallies.get("sampled_ok", 0), view.sum(M.N_SCORED)
    if scored < sampled:
        yield f"{scored} of {sampled} sampled answers are scored; `mmload rescore` scores the rest"
    estimated = summary.tallies.get("usage:estimated", 0)
    if estimated:
        yield f"the target told no usage for {counted(estimated, 'answer')}; tokens there are estimated"
    models = sorted(k.removeprefix("unpriced:") for k in summary.tallies if k.startswith("unpriced:"))
    if models:
        yield f"no price for {', '.join(models)}: costs are unknown; add it to [cost.models]"
