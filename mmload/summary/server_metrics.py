"""What a server's Prometheus page says, in one set of names: vLLM, SGLang, TGI, GPU exporters, our own.

Pure: text in, numbers out. Sources: the pages "production metrics" of vLLM and SGLang, "metrics" of TGI, the
lists of counters of the DCGM exporter and of Triton. Not aware of HTTP or of time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Buckets = list[tuple[float, float]]
"""(upper bound in seconds, cumulative count), rising; the last bound is infinite."""


class _Name(NamedTuple):
    """One metric of one server under our name; of several the first that a page has counts."""

    ours: str
    theirs: Sequence[str]
    scale: float = 1.0


_ADDED: Final = (
    _Name("running", ("vllm:num_requests_running", "sglang:num_running_reqs", "tgi_batch_current_size")),
    _Name("waiting", ("vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size")),
    _Name("preempted", ("vllm:num_preemptions_total", "sglang:num_retracted_reqs_total")),
    _Name("cache_hits", ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total")),
    _Name("cache_lookups", ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total")),
)
"""Counts: over models, engines and replicas they add up."""
_AVERAGED: Final = (
    _Name("cache_use_ratio", ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage")),
    _Name("cache_hit_ratio", ("sglang:cache_hit_rate", "vllm:gpu_prefix_cache_hit_rate")),
    _Name("gpu_use_ratio", ("nv_gpu_utilization", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")),
    _Name("gpu_use_ratio", ("DCGM_FI_DEV_GPU_UTIL",), 0.01),
)
"""Shares in [0, 1]: over models and cards their mean."""
_HISTOGRAMS: Final = (
    _Name(
        "e2e",
        ("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds", "tgi_request_duration"),
    ),
    _Name("ttft", ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds")),
    _Name(
        "queued",
        ("vllm:request_queue_time_seconds", "sglang:queue_time_seconds", "tgi_request_queue_duration"),
    ),
)
_KINDS: Final = {
    "mmload_sim_": "mmload",
    "vllm:": "vllm",
    "sglang:": "sglang",
    "tgi_": "tgi",
    "DCGM_": "gpu",
    "nv_gpu_": "gpu",
}
_PREFIXES: Final = tuple(_KINDS)
_SAMPLE: Final = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_BOUND: Final = re.compile(r'(?:^|,)\s*le="([^"]+)"')


class Page(NamedTuple):
    """One reading of one page, in our names. What a server does not tell is not in it."""

    kind: str
    """``mmload``, ``vllm``, ``sglang``, ``tgi``, ``gpu``; empty if no metric of any of them is there."""
    values: dict[str, float]
    histograms: dict[str, dict[str, Any]]
    """Each ``sum`` (s), ``count`` and ``buckets``, since the server's start."""


def read(text: str) -> Page:
    """Read a page of the text format (0.0.4 or OpenMetrics). Lines that cannot be read are passed over."""
    samples: dict[str, list[tuple[str, float]]] = {}
    kinds: set[str] = set()
    for name, labels, value in _samples(text):
        samples.setdefault(name, []).append((labels, value))
        kinds.add(next(kind for prefix, kind in _KINDS.items() if name.startswith(prefix)))
    values: dict[str, float] = {}
    for metric in _ADDED:
        if found := _first(samples, metric):
            values[metric.ours] = sum(found) * metric.scale
    for metric in _AVERAGED:
        if found := _first(samples, metric):
            values.setdefault(metric.ours, sum(found) / len(found) * metric.scale)
    histograms = {metric.ours: h for metric in _HISTOGRAMS if (h := _histogram(samples, metric)) is not None}
    return Page(next((kind for kind in _KINDS.values() if kind in kinds), ""), values, histograms)


def _samples(text: str) -> Iterator[tuple[str, str, float]]:
    for line in text.splitlines():
        if not line.startswith(_PREFIXES):
            continue
        match = _SAMPLE.fullmatch(line.partition(" # ")[0])
        if match is None:
            continue
        value = _number(match[3])
        if value is not None and math.isfinite(value):
            yield match[1], match[2] or "", value


def _first(samples: Mapping[str, list[tuple[str, float]]], name: _Name) -> list[float]:
    for theirs in name.theirs:
        if theirs in samples:
            return [value for _, value in samples[theirs]]
    return []


def _histogram(samples: Mapping[str, list[tuple[str, float]]], name: _Name) -> dict[str, Any] | None:
    for theirs in name.theirs:
        rows = samples.get(f"{theirs}_bucket")
        if not rows:
            continue
        bounds: dict[float, float] = {}
        for labels, value in rows:
            match = _BOUND.search(labels)
            bound = _number(match[1]) if match else None
            if bound is not None:
                bounds[bound] = bounds.get(bound, 0.0) + value
        count = sum(value for _, value in samples.get(f"{theirs}_count", []))
        total = sum(value for _, value in samples.get(f"{theirs}_sum", []))
        # Infinity is no JSON: the last bucket is the count.
        finite = [[bound, bounds[bound]] for bound in sorted(bounds) if not math.isinf(bound)]
        return {"count": count, "sum": total, "buckets": finite}
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[float, float, Buckets]:
    """(count, sum in s, buckets) of what was observed between two readings of one histogram.

    A server that began anew in between has counted from 0: what it counted since is taken.
    """
    if before is None or before["count"] > after["count"]:
        before = {"count": 0.0, "sum": 0.0, "buckets": []}
    earlier = {float(bound): float(n) for bound, n in before["buckets"]}
    count = float(after["count"]) - float(before["count"])
    buckets = [(float(b), float(n) - earlier.get(float(b), 0.0)) for b, n in after["buckets"]]
    return count, float(after["sum"]) - float(before["sum"]), [*buckets, (math.inf, count)]


def quantile_bounds(buckets: Buckets, q: float) -> tuple[float, float | None] | None:
    """The bucket in which the ``q``-quantile lies: (low, high) in seconds, high ``None`` in the last one.

    Nothing finer is known: interpolating within a bucket would invent a figure.
    """
    count = buckets[-1][1] if buckets else 0.0
    if count <= 0:
        return None
    low = 0.0
    for bound, n in buckets:
        if n >= q * count:
            return low, None if math.isinf(bound) else bound
        low = bound
    return low, None
