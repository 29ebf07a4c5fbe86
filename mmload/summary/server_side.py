"""The server's own figures beside ours: ``server`` of ``summary.json``, and its curves over time.

Read from ``server_metrics.jsonl`` of the run folder: a line a scrape. What a server says of itself is shown
and held against what was measured; it enters no other figure. Not aware of HTTP.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mmload.model import NS_PER_S
from mmload.summary.run_info import RunInfo
from mmload.summary.server_metrics import between, quantile_bounds
from mmload.summary.view import rounded

SERVER_METRICS: Final = "server_metrics.jsonl"
GAUGES: Final = ("running", "waiting", "cache_use_ratio", "cache_hit_ratio", "gpu_use_ratio")
_HELD: Final = ("e2e", "ttft", "queued")
_NEAR: Final = 0.05
"""Client and server agree within 5%, and within ``_NEAR_MS``: stamps are taken at other ends of a socket."""
_NEAR_MS: Final = 5.0


@dataclass
class ServerSide:
    """All scrapes of one run, by the page that they are of."""

    scrapes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By URL, in order of time: ``at_s`` from the schedule's zero, ``values``, ``histograms``."""
    failed: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


def server_side(run_dir: Path, info: RunInfo) -> ServerSide | None:
    """What was scraped, in time with the run; ``None`` if nothing was. A torn line is passed over."""
    try:
        lines = (run_dir / SERVER_METRICS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    zero = float(info.header["t0_wall_ns"]) / NS_PER_S
    found = ServerSide()
    for line in lines:
        try:
            scrape = json.loads(line)
            url, at_s = str(scrape["url"]), float(scrape["unix_s"]) - zero
        except (ValueError, KeyError, TypeError):
            continue
        if "error" in scrape:
            found.failed[url] = found.failed.get(url, 0) + 1
            continue
        found.kinds[url] = str(scrape.get("kind") or "")
        entry = {
            "at_s": at_s,
            "values": scrape.get("values") or {},
            "histograms": scrape.get("histograms") or {},
        }
        found.scrapes.setdefault(url, []).append(entry)
    return found if found.scrapes or found.failed else None


def server_series(side: ServerSide | None, info: RunInfo) -> dict[str, Any] | None:
    """Curves by time: ``t_s`` and a column for each of ``GAUGES``, ``None`` where nothing was told.

    Several pages are laid over each other by the run's bins: counts add up, shares are averaged.
    ``cache_hit_ratio`` of a bin is of the look-ups since the bin before.
    """
    if side is None or not side.scrapes:
        return None
    n = -(-info.phases[-1].end_ns // info.bin_ns)
    columns: dict[str, list[list[float]]] = {name: [[] for _ in range(n)] for name in GAUGES}
    for scrapes in side.scrapes.values():
        for name, column in columns.items():
            for k, value in _by_bin(scrapes, name, info.bin_s, n).items():
                column[k].append(value)
    out: dict[str, Any] = {"t_s": [round((k + 0.5) * info.bin_s, 3) for k in range(n)]}
    for name, column in columns.items():
        adds = name in ("running", "waiting")
        out[name] = [_joined(found, adds) for found in column]
    return out


def _joined(found: Sequence[float], adds: bool) -> float | None:
    if not found:
        return None
    return round(sum(found) if adds else sum(found) / len(found), 6)


def _by_bin(scrapes: Sequence[Mapping[str, Any]], name: str, bin_s: float, n: int) -> dict[int, float]:
    """The last reading in each bin: a gauge is a state, not a sum."""
    out: dict[int, float] = {}
    before: Mapping[str, float] | None = None
    for scrape in scrapes:
        values = scrape["values"]
        value = values.get(name)
        if name == "cache_hit_ratio" and "cache_lookups" in values:
            value = _hit_ratio(before, values)
            before = values
        k = math.floor(scrape["at_s"] / bin_s)
        if value is not None and 0 <= k < n:
            out[k] = float(value)
    return out


def _hit_ratio(before: Mapping[str, float] | None, after: Mapping[str, float]) -> float | None:
    if before is None:
        return None
    lookups = after["cache_lookups"] - before.get("cache_lookups", 0.0)
    hits = after.get("cache_hits", 0.0) - before.get("cache_hits", 0.0)
    return max(0.0, hits) / lookups if lookups > 0 else None


def server_figures(
    side: ServerSide | None, info: RunInfo, latency: Mapping[str, Any], counts: Mapping[str, Any]
) -> dict[str, Any] | None:
    """``server`` of ``summary.json``: over the time of the measured phases, from the scrape at their
    beginning to the last one. ``latency`` and ``counts`` are ours of those phases."""
    if side is None:
        return None
    series = server_series(side, info)
    window = _window(info)
    told = {name: _told(side, name, window) for name in _HELD}
    found: dict[str, Any] = {
        "sources": [
            {
                "url": url,
                "kind": side.kinds.get(url) or None,
                "scrapes": len(side.scrapes.get(url, ())),
                "failed": side.failed.get(url, 0),
            }
            for url in sorted(side.scrapes.keys() | side.failed.keys())
        ],
        **{name: _spread(series, name, window) for name in GAUGES},
        "preempted": _counted(side, "preempted", window),
        **{f"{name}_ms": _latency(told[name]) for name in _HELD},
    }
    if (hits := _counted(side, "cache_hits", window)) is not None:
        lookups = _counted(side, "cache_lookups", window)
        found["cache_hit_ratio"]["mean"] = rounded(hits / lookups) if lookups else None
    found["compared"] = _compared(found, latency, counts) if _unbroken(info) else []
    return found


def _unbroken(info: RunInfo) -> bool:
    """No warm-up between or behind the measured phases: the server would count it, and we do not."""
    began = info.measured[0].start_ns
    return not any(plan.warmup and plan.start_ns > began for plan in info.phases)


def _window(info: RunInfo) -> tuple[float, float]:
    """Seconds in which the measured phases ran."""
    return info.measured[0].start_ns / NS_PER_S, info.measured[-1].end_ns / NS_PER_S


def _ends(
    scrapes: Sequence[Mapping[str, Any]], window: tuple[float, float]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """The last scrape before the measured phases began (else the first), and the last of all: what was
    due in them is followed to its end, and so is what the server counts."""
    times = [scrape["at_s"] for scrape in scrapes]
    first = max(0, bisect_right(times, window[0]) - 1)
    return (scrapes[first] if first < len(scrapes) - 1 else None), scrapes[-1]


def _told(
    side: ServerSide, name: str, window: tuple[float, float]
) -> tuple[float, float, list[tuple[float, float]]] | None:
    """Count, sum and buckets of a histogram over the window; of the first page that has it."""
    for scrapes in side.scrapes.values():
        before, after = _ends(scrapes, window)
        if before is not None and name in after["histograms"]:
            return between(before["histograms"].get(name), after["histograms"][name])
    return None


def _counted(side: ServerSide, name: str, window: tuple[float, float]) -> float | None:
    found = None
    for scrapes in side.scrapes.values():
        before, after = _ends(scrapes, window)
        if before is not None and name in after["values"]:
            delta = after["values"][name] - before["values"].get(name, 0.0)
            found = (found or 0.0) + max(0.0, delta)
    return found


def _spread(
    series: Mapping[str, Any] | None, name: str, window: tuple[float, float]
) -> dict[str, float | None]:
    """Mean and maximum of a gauge over the bins of the window."""
    seen = []
    if series is not None:
        inside = zip(series["t_s"], series[name], strict=True)
        seen = [value for t, value in inside if value is not None and window[0] <= t < window[1]]
    return {
        "mean": rounded(sum(seen) / len(seen)) if seen else None,
        "max": rounded(max(seen)) if seen else None,
    }


def _latency(told: tuple[float, float, list[tuple[float, float]]] | None) -> dict[str, Any] | None:
    """``n`` and ``mean`` are exact; a percentile is known to its bucket: ``{low, high}``."""
    if told is None or told[0] <= 0:
        return None
    count, total, buckets = told
    found: dict[str, Any] = {"n": round(count), "mean": rounded(1000 * total / count)}
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        bounds = quantile_bounds(buckets, q)
        found[name] = None
        if bounds is not None:
            low, high = bounds
            found[name] = {"low": rounded(1000 * low), "high": None if high is None else rounded(1000 * high)}
    return found


# --- where the two disagree ----------------------------------------------------------------------


def _compared(
    server: Mapping[str, Any], latency: Mapping[str, Any], counts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One row for each figure that both have: ``{figure, client, server, agrees, reading}``."""
    rows = []
    e2e, ttft = server["e2e_ms"], server["ttft_ms"]
    ours = latency.get("service") or {}
    if e2e is not None:
        rows.append(_answers(counts.get("ok"), e2e["n"]))
        if not ours.get("censored"):
            rows.append(_mean(ours.get("mean"), e2e["mean"]))
        rows += [_percentile("e2e", name, ours.get(name), e2e[name]) for name in ("p50", "p95")]
    if ttft is not None:
        first = latency.get("ttft") or {}
        rows += [_percentile("ttft", name, first.get(name), ttft[name]) for name in ("p50", "p95")]
    return [row for row in rows if row is not None]


def _row(figure: str, client: Any, server: Any, agrees: bool, reading: str) -> dict[str, Any]:
    return {"figure": figure, "client": client, "server": server, "agrees": agrees, "reading": reading}


def _answers(client: int | None, server: int) -> dict[str, Any] | None:
    if client is None:
        return None
    if abs(server - client) <= max(3.0, _NEAR * client):
        reading = "as many as arrived here"
    elif server > client:
        reading = (
            "the server counts more than arrived here: others use it too, or answers were lost on the way"
        )
    else:
        reading = "the server counts fewer than arrived here: its page shows one of several replicas"
    return _row("answers", client, server, reading.startswith("as many"), reading)


_LONGER: Final = (
    "longer here: time passes before the server begins to count, or on the way (connection, upload, proxy)"
)
_SHORTER: Final = "shorter here: the server counts other requests too, or from an earlier moment"


def _mean(client: float | None, server: float | None) -> dict[str, Any] | None:
    if client is None or server is None:
        return None
    agrees = abs(client - server) <= max(_NEAR_MS, _NEAR * client)
    reading = "the same" if agrees else _LONGER if client > server else _SHORTER
    return _row("e2e mean", client, server, agrees, reading)


def _percentile(
    metric: str, name: str, client: float | None, server: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    if client is None or server is None:
        return None
    low, high = server["low"], server["high"]
    slack = max(_NEAR_MS, _NEAR * client)
    above, below = high is not None and client > high + slack, client < low - slack
    reading = _LONGER if above else _SHORTER if below else "within the server's bucket"
    return _row(f"{metric} {name}", client, dict(server), not (above or below), reading)
