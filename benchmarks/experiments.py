"""The experiments of the comparison: each gives rows of measured figures beside the figure to reach.

Not aware of how a table or a plot is made. Every throughput is the server's own count (median over tenths
of a second), the same for every tool; every latency truth is the server's log.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fleet
from benchmarks.reference import Reference
from benchmarks.tools import (
    GENERATOR_CORE,
    HERE,
    PEERS,
    SERVER_CORE,
    SLOW_PEERS,
    NotApplicable,
    NotInstalled,
    Work,
    pinned,
    run,
)

NS_PER_MS = 1e6


@dataclass
class Row:
    """One figure of the table."""

    id: str
    work: str
    target: str
    mmload: str = ""
    met: bool | None = None
    beside: dict[str, str] = field(default_factory=dict)
    """What the other tools gave, or why they gave nothing."""
    detail: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    """Why a target was missed, as far as is known."""

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Settings:
    seconds: float = 3.0
    repeat: int = 3
    slow_peers: bool = True
    """Without, aiperf and guidellm are named as left out."""


def _failed(error: Exception) -> str:
    """Its last words, fit for a cell of a table: without colours, bars and lines of a terminal."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^ -~]|\|", " ", str(error))
    return f"failed: {' '.join(plain.split())[-120:]}"


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


# --- requests a second -----------------------------------------------------------------------------

_APART = "many-apart"
_THROUGHPUT: list[tuple[str, str, Work, float | str, float]] = [
    ("small", "small request, whole answer, closed loop", Work("small"), 30_000, 3.0),
    ("200kb", "200 KB image request", Work("small", 200_000), "wrk", 4.0),
    ("1mb", "1 MB image request", Work("small", 1_000_000), "wrk", 1.8),
    ("one", "64-chunk streamed answer, one write", Work("one"), 10_000, 2.5),
    ("many", "64 chunks, one write each", Work("many"), 3_900, 1.0),
    (_APART, "the same, each core receiving for itself, as two machines do", Work("many"), 0, 1.0),
]
"""Key, name, work, what to reach (answers a second, or a tool that does as many), how many times Locust."""


def throughput(settings: Settings, only: str = "") -> Iterator[Row]:
    """Closed loop of 64: the server's count of answers a second, tools interleaved."""
    for key, name, base, floor, ratio in _THROUGHPUT:
        if only and key not in only.split(","):
            continue
        work = Work(base.mode, base.body_bytes, settings.seconds)
        try:
            with receiving_apart() if key == _APART else nullcontext():
                rates, beside, unrecorded = _rates(settings, key, work)
        except NotApplicable as error:
            yield Row(f"throughput-{key}", name, _wanted(floor, ratio), f"not measured: {error}")
            continue
        yield _rate_row(key, name, floor, ratio, rates, beside, unrecorded)


def _rates(settings: Settings, key: str, work: Work) -> tuple[dict[str, list[float]], dict[str, str], int]:
    """Answers a second of each run of each tool; why a tool has none; answers that mmload did not record."""
    rates: dict[str, list[float]] = {}
    beside: dict[str, str] = {}
    unrecorded = 0
    for repeat in range(settings.repeat):
        with Reference(SERVER_CORE) as server:
            result, _ = fleet.drive(server.url(work.mode), work)
        rates.setdefault("mmload", []).append(server.rate())
        unrecorded += server.stats["requests"] - result.recorded
        for tool, call in PEERS.items():
            if tool in SLOW_PEERS and (reason := _left_out(settings, key)):
                beside[tool] = reason
            elif not (tool in SLOW_PEERS and repeat):
                _peer_rate(tool, call, work, rates, beside)
    return rates, beside, unrecorded


_STEERING = {
    Path("/proc/sys/net/core/rps_sock_flow_entries"): "4096",
    Path("/sys/class/net/lo/queues/rx-0/rps_flow_cnt"): "4096",
    Path("/sys/class/net/lo/queues/rx-0/rps_cpus"): f"{1 << GENERATOR_CORE | 1 << SERVER_CORE:x}",
}


@contextmanager
def receiving_apart() -> Iterator[None]:
    """The kernel's work of receiving is done by the core whose process reads the socket (receive flow
    steering).

    On loopback it is otherwise the sender's: a server that writes in small pieces pays for its client.
    Raises ``NotApplicable`` where that cannot be set.
    """
    before: dict[Path, str] = {}
    try:
        try:
            for path, value in _STEERING.items():
                before[path] = path.read_text()
                path.write_text(value)
        except OSError as error:
            raise NotApplicable(f"receive flow steering could not be set: {error}") from None
        yield
    finally:
        for path, value in before.items():
            with suppress(OSError):
                path.write_text(value)


def _left_out(settings: Settings, key: str) -> str:
    """Why the slow peers are not run for a row, if they are not."""
    if key in ("200kb", "1mb"):
        return "not measured: sends texts of its own"
    if key == _APART:
        return "not measured: far from any limit in the row above"
    return "" if settings.slow_peers else "left out (--fast)"


def _peer_rate(
    tool: str, call: Callable[..., Any], work: Work, rates: dict[str, list[float]], beside: dict[str, str]
) -> None:
    try:
        with Reference(SERVER_CORE) as server:
            call(server.url(work.mode), work)
        rates.setdefault(tool, []).append(server.rate())
    except NotInstalled:
        beside[tool] = "not installed"
    except NotApplicable:
        return
    except (RuntimeError, subprocess.TimeoutExpired, StopIteration) as error:
        beside[tool] = _failed(error)


def _wanted(floor: float | str, ratio: float) -> str:
    parts = [f"at least {floor}" if isinstance(floor, str) else f"at least {floor:,.0f}/s"] if floor else []
    return "; ".join([*parts, f"at least {ratio:g}x Locust", "all recorded"])


def _rate_row(
    key: str, name: str, floor: float | str, ratio: float,
    rates: dict[str, list[float]], beside: dict[str, str], unrecorded: int,
) -> Row:  # fmt: skip
    ours = _median(rates["mmload"])
    limit = _median(rates.get(floor, [])) if isinstance(floor, str) else floor
    beside |= {tool: f"{_median(v):,.0f}/s" for tool, v in rates.items() if tool != "mmload"}
    met = bool(ours >= limit and ours >= ratio * _median(rates.get("locust", [])) and unrecorded == 0)
    return Row(
        f"throughput-{key}", name, _wanted(floor, ratio),
        f"{ours:,.0f}/s, {unrecorded} unrecorded", met, beside, {"rates": rates},
    )  # fmt: skip


# --- keeping the schedule ----------------------------------------------------------------------------


def schedule(settings: Settings, only: str = "") -> Iterator[Row]:
    """Poisson arrivals: is each sent, and how late?"""
    for rate in (50, 200, 1_000, 5_000, 20_000):
        if only and str(rate) not in only.split(","):
            continue
        seconds = max(settings.seconds, min(20.0, 1000 / rate))
        p50_ms, p99_ms = (0.15, 0.5) if rate == 20_000 else (0.2, 0.5)
        work = Work("small", seconds=seconds, rate=float(rate), users=min(max(64, rate // 20), 1024))
        lags: list[Any] = []
        missing = 0
        for _ in range(settings.repeat):
            with Reference(SERVER_CORE, truth=rate <= 5_000) as server:
                result, _ = fleet.drive(server.url("small"), work)
            lags.append((result.column("sent_ns") - result.column("due_ns")) / NS_PER_MS)
            missing += result.planned - result.ended.get("ok", 0)
        p50, p99, worst = (_median([float(np.percentile(lag, q)) for lag in lags]) for q in (50, 99, 100))
        beside = _schedule_peers(work, settings)
        yield Row(
            f"schedule-{rate}", f"open loop, Poisson, {rate:,}/s",
            f"all sent; lag p50 <= {p50_ms}, p99 <= {p99_ms} ms",
            f"{missing} missing; lag p50 {p50:.3f}, p99 {p99:.3f}, max {worst:.2f} ms",
            bool(missing == 0 and p50 <= p50_ms and p99 <= p99_ms), beside,
            {"lag_ms": [round(float(x), 4) for x in np.percentile(lags[0], _POINTS)]},
        )  # fmt: skip


_POINTS = [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]


def _schedule_peers(work: Work, settings: Settings) -> dict[str, str]:
    beside: dict[str, str] = {}
    with Reference(SERVER_CORE) as server:
        said = PEERS["aiohttp"](server.url("small"), work)
    lag = said.figures["lag_ms"]
    beside["aiohttp"] = f"{server.rate():,.0f}/s sent; lag p50 {lag['p50']:.2f}, p99 {lag['p99']:.2f} ms"
    if work.rate <= 1_000:
        with Reference(SERVER_CORE, truth=True) as server:
            PEERS["locust"](server.url("small"), work)
        beside["locust"] = f"constant_throughput: {_largest_volley(server.truth)} requests within one 10 ms"
    for tool in SLOW_PEERS if work.rate in (200, 1_000) else ():
        beside[tool] = _said(settings, lambda tool=tool: _sent(tool, work))
    return beside


def _sent(tool: str, work: Work) -> str:
    with Reference(SERVER_CORE) as server:
        PEERS[tool](server.url("small"), work)
    return f"{server.rate():,.0f} of {work.rate:,.0f}/s sent"


def _said(settings: Settings, measure: Callable[[], str]) -> str:
    """What a slow peer gave, or why it gave nothing."""
    if not settings.slow_peers:
        return "left out (--fast)"
    said = ""
    for _ in range(2):  # aiperf fails now and then, and gives its figure the next time
        try:
            return measure()
        except NotInstalled:
            return "not installed"
        except (RuntimeError, subprocess.TimeoutExpired, StopIteration, KeyError) as error:
            said = _failed(error)
    return said


def _largest_volley(truth: Any) -> int:
    """Most requests to arrive within 10 ms, the first second apart (users start together)."""
    at = np.sort(truth["rx_first"])
    at = at[at > at[0] + 1_500_000_000] if len(at) else at
    return int(max(np.searchsorted(at, at + 10_000_000) - np.arange(len(at)), default=0))


# --- error against the server's own log ----------------------------------------------------------------

_QUANTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}


def accuracy(settings: Settings) -> Iterator[Row]:
    """Streams paced by the server: 50 ms to the first token, 20 more at 10 ms."""
    for rate, seconds in ((50, 15.0), (500, 8.0)):
        work = Work("paced", seconds=seconds, rate=float(rate))
        errors = [_error(work) for _ in range(settings.repeat)]
        yield _error_row(
            f"accuracy-{rate}",
            f"error against the server's log, {rate}/s",
            0.3,
            errors,
            _error_peers(work, settings),
        )
    work = Work("paced", seconds=8.0, rate=500.0)
    with busy_core():
        errors = [_error(work) for _ in range(settings.repeat)]
        by_user = _error(work, user_clock=True)
        peers = _error_peers(work, settings)
    beside = {"mmload by the user clock": _say_error(by_user), **peers}
    yield _error_row("accuracy-busy", "the same, 500/s, the generator's core 80% busy", 0.5, errors, beside)


def _error(work: Work, user_clock: bool = False) -> dict[str, float]:
    """Measured minus true, ms, at each quantile of latency and of time to first token."""
    with Reference(SERVER_CORE, truth=True) as server:
        result, _ = fleet.drive(server.url("paced"), work, user_clock)
    truth = {int.from_bytes(bytes(t["trace_id"])[8:], "big"): t for t in server.truth}
    rows = [truth[int(seq)] for seq in result.column("seq")]
    sent = result.column("sent_ns")
    pairs = {
        "latency": (result.column("end_ns") - sent, [int(t["last_write"] - t["rx_first"]) for t in rows]),
        "ttft": (
            result.column("first_token_ns") - sent,
            [int(t["first_write"] - t["rx_first"]) for t in rows],
        ),
    }
    return {
        f"{name}_{label}": float(np.percentile(measured, q) - np.percentile(true, q)) / NS_PER_MS
        for name, (measured, true) in pairs.items()
        for label, q in _QUANTILES.items()
    }


def _say_error(error: dict[str, float]) -> str:
    parts = (
        f"{name} " + " / ".join(f"{error[f'{name}_{q}']:+.2f}" for q in _QUANTILES if f"{name}_{q}" in error)
        for name in ("latency", "ttft")
    )
    return ", ".join(parts) + " ms"


def _error_row(
    key: str, work: str, limit: float, errors: list[dict[str, float]], beside: dict[str, str]
) -> Row:
    middle = {name: _median([e[name] for e in errors]) for name in errors[0]}
    worst = max(abs(v) for v in middle.values())
    return Row(
        key, work, f"p50, p99, p99.9 of latency and of time to first token within {limit} ms",
        _say_error(middle), worst <= limit, beside, {"errors_ms": errors},
    )  # fmt: skip


def _error_peers(work: Work, settings: Settings) -> dict[str, str]:
    """Each peer's own percentiles less those of the log of the run it made."""
    beside = {"aiohttp": _own_error("aiohttp", work)}
    for tool in SLOW_PEERS:
        beside[tool] = _said(settings, lambda tool=tool: _own_error(tool, work))
    with Reference(SERVER_CORE, truth=True) as server:
        said = PEERS["locust"](server.url("paced"), work)
    true = (server.truth["last_write"] - server.truth["rx_first"]) / NS_PER_MS
    parts = (f"{said.figures[q] - float(np.percentile(true, p)):+.1f}" for q, p in (("p50", 50), ("p99", 99)))
    beside["locust"] = f"p50 / p99 of what it calls response time (to the headers) {' / '.join(parts)} ms"
    return beside


def _own_error(tool: str, work: Work) -> str:
    with Reference(SERVER_CORE, truth=True) as server:
        said = PEERS[tool](server.url("paced"), work)
    true = (server.truth["last_write"] - server.truth["rx_first"]) / NS_PER_MS
    first = (server.truth["first_write"] - server.truth["rx_first"]) / NS_PER_MS
    own = {"latency": (said.figures["service_ms"], true), "ttft": (said.figures["ttft_ms"], first)}
    return _say_error(
        {
            f"{name}_{label}": measured[label] - float(np.percentile(log, q))
            for name, (measured, log) in own.items()
            for label, q in _QUANTILES.items()
            if label in measured
        }
    )


@contextmanager
def busy_core() -> Iterator[None]:
    """A neighbour that keeps the generator's core 80% busy."""
    process = subprocess.Popen(pinned([sys.executable, str(HERE / "peers/busy.py"), "0.8"], GENERATOR_CORE))
    try:
        yield
    finally:
        process.terminate()
        process.wait()


# --- the stall ---------------------------------------------------------------------------------------


def analytic_freeze(due_wall_ns: Any, service_ns: int = 20_000_000) -> Any:
    """True latency (ns) of an arrival when the server stops for the first second of every five."""
    period, stop = 5_000_000_000, 1_000_000_000
    phase = due_wall_ns % period
    end = phase + service_ns  # counted from the kernel's receive time, which goes on in a freeze
    end = np.where(end < stop, stop, end)
    return np.where(end >= period, np.maximum(end, period + stop), end) - phase


def freeze(settings: Settings) -> Iterator[Row]:
    """The server freezes 1 s in every 5 s at 100 requests/s."""
    work = Work("delay", seconds=30.0, rate=100.0, users=256, arrivals="constant")
    with Reference(SERVER_CORE, truth=True, freeze="5000:1000") as server:
        result, _ = fleet.drive(server.url("delay"), work)
    measured = result.column("end_ns") - result.column("due_ns")
    true = analytic_freeze(result.column("due_ns") + result.t0_wall_ns)
    points = {
        q: (np.percentile(measured, q) / NS_PER_MS, np.percentile(true, q) / NS_PER_MS) for q in (50, 90, 99)
    }
    off = max(abs(m / t - 1) for m, t in points.values())
    gap = float(np.max(np.diff(np.sort(result.column("sent_ns"))))) / NS_PER_MS
    missing = result.planned - result.ended.get("ok", 0)
    beside = {"truth": " / ".join(f"{t:.1f}" for _, t in points.values()) + " ms", **_freeze_peers(work)}
    order = np.argsort(result.column("due_ns"))
    yield Row(
        "freeze", "server freezes 1 s in every 5 s, 100/s",
        "e2e p50/p90/p99 within 2%; largest gap in sending < 20 ms",
        f"{' / '.join(f'{m:.1f}' for m, _ in points.values())} ms (off by {100 * off:.1f}%), "
        f"gap {gap:.1f} ms, {missing} missing", bool(off <= 0.02 and gap < 20 and missing == 0), beside,
        {
            "due_s": (result.column("due_ns")[order] / 1e9).round(3).tolist(),
            "e2e_ms": (measured[order] / NS_PER_MS).round(2).tolist(),
            "truth_ms": (true[order] / NS_PER_MS).round(2).tolist(),
        },
    )  # fmt: skip


def _freeze_peers(work: Work) -> dict[str, str]:
    beside = {}
    with Reference(SERVER_CORE, freeze="5000:1000") as server:
        said = PEERS["locust"](server.url("delay"), work)
    beside["locust"] = " / ".join(f"{said.figures[q]:.0f}" for q in ("p50", "p90", "p99")) + " ms"
    with Reference(SERVER_CORE, freeze="5000:1000") as server:
        said = PEERS["aiohttp"](server.url("delay"), work)
    beside["aiohttp, from due"] = (
        " / ".join(f"{said.figures['e2e_ms'][q]:.1f}" for q in ("p50", "p90", "p99")) + " ms"
    )
    return beside


# --- cost ----------------------------------------------------------------------------------------------


def memory(settings: Settings, requests: int = 1_000_000) -> Iterator[Row]:
    """Resident memory of the worker over a run of a million requests."""
    with Reference(SERVER_CORE) as server:
        fleet.drive(server.url("small"), Work("small", seconds=2.0))
    work = Work("small", seconds=requests / max(server.rate(), 1.0) * 1.1)
    with Reference(SERVER_CORE) as server:
        result, _ = fleet.drive(server.url("small"), work)
    rows = result.telemetry[1:]
    done = np.cumsum([t.sent for t in rows])
    resident = np.array([t.rss_bytes for t in rows]) / 1e6
    slope = float(np.polyfit(done, resident, 1)[0]) * 10_000 if len(rows) > 2 else float("nan")
    peak = float(resident.max(initial=0.0))
    yield Row(
        "memory", f"memory over {result.recorded:,} requests",
        "<= 100 MB per worker beside the shared bytes; growth <= 1 MB per 10,000 requests",
        f"peak {peak:.0f} MB, {slope:+.3f} MB per 10,000 requests",
        bool(peak <= 100 and slope <= 1 and result.recorded >= requests * 0.9), {},
        {"requests": done.tolist(), "rss_mb": resident.round(1).tolist()},
    )  # fmt: skip


def startup(settings: Settings) -> Iterator[Row]:
    """A one-request run with its suite cached, from the shell and back."""
    times: dict[str, list[float]] = {}
    beside: dict[str, str] = {}
    for _ in range(settings.repeat + 1):
        for tool, call in {"mmload": fleet.start_up, "locust": _locust_once}.items():
            try:
                with Reference(SERVER_CORE) as server:
                    times.setdefault(tool, []).append(call(server.url("small")))
            except RuntimeError as error:
                beside[tool] = _failed(error)
    ours = _median(times.get("mmload", [])[1:])
    beside |= {"locust": f"{_median(times['locust'][1:]):.2f} s"} if times.get("locust") else {}
    said = f"{ours:.2f} s" if times.get("mmload") else beside.pop("mmload", "failed")
    yield Row(
        "startup",
        "start-up of a one-request run, suite cached",
        "< 2.5 s",
        said,
        bool(ours < 2.5),
        beside,
        {"s": times},
    )


def _locust_once(url: str) -> float:
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(HERE / "peers/locust_fast.py"),
        "--headless",
        "-u",
        "1",
    ]
    command += ["--run-time", "30s", "--host", url, "--only-summary", "--loglevel", "ERROR"]
    return run(pinned(command), {"ONCE": "1", "REPORT": "/dev/null"})[2]


EXPERIMENTS: dict[str, Callable[..., Iterator[Row]]] = {
    "throughput": throughput,
    "schedule": schedule,
    "accuracy": accuracy,
    "freeze": freeze,
    "memory": memory,
    "startup": startup,
}
