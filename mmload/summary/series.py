"""What the plots and tables of a report are drawn from: curves over time, spectra, slices, examples.

Not aware of how they are drawn. ``None`` is 'not observed', never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from mmload.histogram import (
    CELL_HIGH,
    CELL_LOW,
    Histogram,
    Interval,
    from_cells,
    rank_of,
    spectrum,
)
from mmload.model import NS_PER_S, Item, Score
from mmload.summary.cases import POOR, Case
from mmload.summary.measures import F, M
from mmload.summary.run_info import RunInfo, milliseconds
from mmload.summary.slices import slice_rows
from mmload.summary.sums import METRICS, Summary, interval_key
from mmload.summary.view import Cells, View, ratio

_HEAT_COLUMNS: Final = 120
_HEAT_ROWS_PER_DECADE: Final = 10
_ENOUGH: Final = {50: 5, 95: 20, 99: 100}
"""A percentile of one bin is drawn from so many requests on: a guide to the eye, not a certified figure."""
_TEXT: Final = 400


def series(
    summary: Summary,
    info: RunInfo,
    answers: Mapping[int, str] | None = None,
    scores: Mapping[int, Score] | None = None,
) -> dict[str, Any]:
    """All series. ``answers`` and ``scores`` are those of the requests that ``worst_seqs`` names."""
    cells = Cells(summary)
    return {
        "bin_s": info.bin_s,
        "seconds": _seconds(summary, info, cells),
        "spectrum": {metric: _curve(_merged(summary, info, metric)) for metric in METRICS},
        "spectrum_by_phase": {
            plan.name: {m: _curve(summary.latency.get((m, plan.number))) for m in METRICS}
            for plan in info.measured
        },
        "heat": _heat(summary, info),
        "slices": slice_rows(summary, info, _design_effect(summary, info, cells)),
        "worst": _worst(summary, info, answers or {}, scores or {}),
        "error_examples": _error_examples(summary, info),
    }


def _design_effect(summary: Summary, info: RunInfo, cells: Cells) -> float:
    estimate = View.of_phases(summary, info, cells, info.measured, info.phases[-1].end_ns).quality()
    return 1.0 if estimate is None else estimate.design_effect


def worst_seqs(summary: Summary) -> set[int]:
    """Requests whose answers the report shows."""
    return summary.cases.seqs


def intervals_for_log(summary: Summary, info: RunInfo) -> Iterable[Interval]:
    """Lines of ``latency.hlog``: e2e and ttft by bin, service and inter_token by phase; tag is
    ``<phase>.<metric>``.
    """
    for plan in info.phases:
        for number, metric in ((0, "e2e"), (1, "ttft")):
            low = interval_key(number, plan.number, 0)
            keys, cells, counts = summary.intervals.between(low, low + (1 << 28) - 1)
            for key in np.unique(keys):
                mine = keys == key
                start = int(key - low) * info.bin_s
                histogram = from_cells(cells[mine], counts[mine])
                yield Interval(f"{plan.name}.{metric}", start, info.bin_s, histogram)
        for metric in ("service", "inter_token"):
            found = summary.latency.get((metric, plan.number))
            if found is not None and found.n:
                start, length = plan.start_ns / NS_PER_S, (plan.end_ns - plan.start_ns) / NS_PER_S
                yield Interval(f"{plan.name}.{metric}", start, length, found)


def merged_latency(summary: Summary, info: RunInfo, metric: str) -> Histogram:
    """One metric over all measured phases, exactly: what the ``.hgrm`` files hold."""
    return _merged(summary, info, metric)


def _merged(summary: Summary, info: RunInfo, metric: str) -> Histogram:
    made = Histogram()
    for plan in info.measured:
        found = summary.latency.get((metric, plan.number))
        if found is not None:
            made.merge(found)
    return made


def _curve(histogram: Histogram | None) -> list[list[float]]:
    if histogram is None:
        return []
    return [[round(p.percentile, 6), p.value_us / 1000, p.count] for p in spectrum(histogram)]


def _seconds(summary: Summary, info: RunInfo, cells: Cells) -> dict[str, list[Any]]:
    keys, rows = summary.flow.arrays()
    planned = -(-info.phases[-1].end_ns // info.bin_ns)
    n = int(max(planned, keys.max(initial=-1) + 1))
    flow = np.zeros((n, len(F)), np.int64)
    flow[keys] = rows
    per_minute = 60.0 / info.bin_s
    rates = {
        name: [round(float(x) * per_minute, 3) for x in flow[:, column]]
        for name, column in (
            ("planned_rpm", F.DUE),
            ("sent_rpm", F.SENT),
            ("ok_rpm", F.OK),
            ("failed_rpm", F.FAILED),
            ("shed_rpm", F.SHED),
        )
    }
    quality, scored = _quality_by_bin(cells, n)
    return {
        "t_s": [round(k * info.bin_s, 3) for k in range(n)],
        "phase": _phase_names(info, n),
        **rates,
        "in_flight": np.maximum(np.cumsum(flow[:, F.SENT] - flow[:, F.ENDED]), 0).tolist(),
        "backlog": [summary.backlog.get(k, 0) for k in range(n)],
        **_percentiles_by_bin(summary, n),
        "quality": quality,
        "quality_n": scored,
        "send_lag_max_ms": [milliseconds(summary.lag_peak.get(k)) for k in range(n)],
        "generator_cpu_ratio": [_percent(summary.cpu_peak.get(k)) for k in range(n)],
    }


def _percent(x: int | None) -> float | None:
    return None if x is None else x / 100


def _phase_names(info: RunInfo, n: int) -> list[str | None]:
    middles = [(k + 0.5) * info.bin_ns for k in range(n)]
    ends = np.array([p.end_ns for p in info.phases])
    at = np.searchsorted(ends, middles, side="right")
    return [info.phases[k].name if k < len(ends) else None for k in at]


def _quality_by_bin(cells: Cells, n: int) -> tuple[list[float | None], list[int]]:
    sums = np.zeros((n, 3), np.int64)
    inside = cells.bin < n
    np.add.at(sums, cells.bin[inside], cells.data[inside][:, [M.W_PASS, M.W, M.N_SCORED]])
    return [ratio(int(p), int(w)) for p, w, _ in sums], sums[:, 2].tolist()


def _percentiles_by_bin(summary: Summary, n: int) -> dict[str, list[float | None]]:
    out: dict[str, list[float | None]] = {f"e2e_p{q}_ms": [None] * n for q in _ENOUGH}
    out["e2e_max_ms"] = [None] * n
    keys, cells, counts = summary.intervals.between(0, interval_key(1, 0, 0) - 1)
    bins = keys & 0xFFFFFFF
    # One bin may hold two phases: bring their cells together in order.
    order = np.lexsort((cells, bins))
    bins, cells, counts = bins[order], cells[order], counts[order]
    edges = [0, *(np.flatnonzero(bins[1:] != bins[:-1]) + 1).tolist(), len(bins)] if len(bins) else []
    for start, stop in pairwise(edges):
        k = int(bins[start])
        if k >= n:
            continue
        cumulative = np.cumsum(counts[start:stop])
        total = int(cumulative[-1])
        for q, enough in _ENOUGH.items():
            if total >= enough:
                where = int(np.searchsorted(cumulative, rank_of(q, total)))
                out[f"e2e_p{q}_ms"][k] = milliseconds(int(CELL_HIGH[cells[start + where]]))
        out["e2e_max_ms"][k] = milliseconds(int(CELL_HIGH[cells[stop - 1]]))
    return out


def _heat(summary: Summary, info: RunInfo) -> dict[str, Any]:
    """Counts of e2e by time (at most 120 columns) and latency (10 rows to the decade)."""
    keys, cells, counts = summary.intervals.between(0, interval_key(1, 0, 0) - 1)
    if not len(keys):
        return {"t_s": [], "edges_ms": [], "counts": []}
    bins = keys & 0xFFFFFFF
    width = max(1, -(-int(bins.max() + 1) // _HEAT_COLUMNS))
    middle = (CELL_LOW[cells] + CELL_HIGH[cells]) / 2
    rows = np.floor(np.log10(np.maximum(middle, 1)) * _HEAT_ROWS_PER_DECADE).astype(np.int64)
    low, high = int(rows.min()), int(rows.max())
    grid = np.zeros((int(bins.max()) // width + 1, high - low + 1), np.int64)
    np.add.at(grid, (bins // width, rows - low), counts)
    edges = [round(10 ** (r / _HEAT_ROWS_PER_DECADE) / 1000, 6) for r in range(low, high + 2)]
    t_s = [round(k * width * info.bin_s, 3) for k in range(len(grid))]
    return {"t_s": t_s, "edges_ms": edges, "counts": grid.tolist()}


def _worst(
    summary: Summary, info: RunInfo, answers: Mapping[int, str], scores: Mapping[int, Score]
) -> list[dict[str, Any]]:
    """Each case once, with the names of the ``lists`` that it is on."""
    found: dict[int, dict[str, Any]] = {}
    for name, cases in sorted(summary.cases.lists.items(), key=lambda pair: (pair[0] != POOR, pair[0])):
        for case in cases:
            entry = found.get(case.seq)
            if entry is None:
                entry = found[case.seq] = _entry(case, info, answers, scores)
            entry["lists"].append(name)
    return list(found.values())


def _entry(
    case: Case, info: RunInfo, answers: Mapping[int, str], scores: Mapping[int, Score]
) -> dict[str, Any]:
    item, score = info.items[case.item], scores.get(case.seq)
    # The rest of a truth (baits, plausible errors, the whole screen) is for scorers, not for readers.
    right = {key: item.truth[key] for key in ("status", "answer") if key in item.truth} or item.truth
    return {
        "seq": case.seq,
        "trace_id": info.trace_id(case.seq),
        "lists": [],
        "phase": info.phases[case.phase].name,
        "task": item.task,
        "image": item.images[0].file if item.images else None,
        "prompt": _text(item.prompt, item),
        "answer": _text(answers[case.seq], item) if case.seq in answers else None,
        "expected": _text(json.dumps(right, ensure_ascii=False, default=str), item),
        "score": None if score is None else score.value,
        "passed": None if score is None else score.passed,
        "reason": case.why,
        "e2e_ms": milliseconds(case.e2e_us) if case.e2e_us >= 0 else None,
        "error": case.error,
    }


def _text(text: str, item: Item) -> str:
    """Short, and without the canaries that the item plants as secrets."""
    for canary in item.canaries:
        text = text.replace(canary, "[canary]")
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _error_examples(summary: Summary, info: RunInfo) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for (phase, kind), n in summary.errors.items():
        if not info.phases[phase].warmup:
            counts[kind] = counts.get(kind, 0) + n
    rows = [
        {"kind": kind, "count": n, "example": summary.examples.get(kind, (0, ""))[1]}
        for kind, n in counts.items()
    ]
    return sorted(rows, key=lambda row: (-int(str(row["count"])), str(row["kind"])))
