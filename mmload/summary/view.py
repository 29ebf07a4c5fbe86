"""A part of a run (all measured phases, one phase, one load level) as the figures see it.

Not aware of gates. Answers sums by column and by task, and histograms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmload.histogram import Histogram, Ints
from mmload.intervals import Clustered, certifying_n, clustered_share
from mmload.model import NS_PER_S, PhasePlan
from mmload.summary.measures import W_ONE, M, unpack
from mmload.summary.run_info import RunInfo, Window, milliseconds
from mmload.summary.sums import METRICS, Summary, interval_key
from mmload.summary.tail import Clustering, Tail

Floats = npt.NDArray[np.float64]
PERCENTILES: Final = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_BLOCKS: Final = (15, 6)
"""Blocks of time per view: many short and few long ones, of which the less certain counts. Short ones miss
what goes on for longer than they last, long ones are few. With episodes of 12 s in a run of 2 to 10 minutes
the 95% interval held the truth in 93-96% of simulations, 15 blocks alone in 87-93%, Wilson's in 38-43%."""
_LAST_BIN: Final = (1 << 28) - 1
_REPLICATES: Final = 4
"""From so many replicates on their spread alone makes the interval; with fewer, Student's factor is huge."""


_DIGITS: Final = 6


def rounded(x: float | None) -> float | None:
    return None if x is None else round(x, _DIGITS)


def ratio(k: float, n: float) -> float | None:
    """A share, or None of nothing."""
    return rounded(k / n) if n > 0 else None


class Cells:
    """The cells of a summary as arrays, unpacked once for all views."""

    def __init__(self, summary: Summary) -> None:
        keys, self.data = summary.cells.arrays()
        self.phase, self.bin, self.task = unpack(keys)


class View:
    """Sums over some windows of the run. Duration counts what was run of them."""

    def __init__(
        self,
        summary: Summary,
        info: RunInfo,
        cells: Cells,
        windows: Sequence[Window],
        end_ns: int,
        whole: bool,
    ) -> None:
        self.summary, self.info, self.windows, self.whole = summary, info, tuple(windows), whole
        mask = np.zeros(len(cells.phase), bool)
        self._window = np.full(len(cells.phase), -1, np.int64)
        for k, w in enumerate(self.windows):
            inside = cells.phase == w.phase
            if not whole:
                inside &= (cells.bin >= w.first) & (cells.bin < w.last)
            self._window[inside] = k
            mask |= inside
        self._window = self._window[mask]
        self.phases = cells.phase[mask]
        self.bin, self.task, self.data = cells.bin[mask], cells.task[mask], cells.data[mask]
        self._end_ns = end_ns
        self.duration_ns = sum(self._length(w, end_ns) for w in self.windows)

    @classmethod
    def of_phases(
        cls, summary: Summary, info: RunInfo, cells: Cells, phases: Sequence[PhasePlan], end_ns: int
    ) -> View:
        return cls(summary, info, cells, [info.whole(p) for p in phases], end_ns, whole=True)

    def _length(self, w: Window, end_ns: int) -> int:
        plan = self.info.phases[w.phase]
        start, stop = plan.start_ns, plan.end_ns
        if not self.whole:
            start, stop = max(start, w.first * self.info.bin_ns), min(stop, w.last * self.info.bin_ns)
        return max(0, min(stop, end_ns) - start)

    @property
    def duration_s(self) -> float:
        return self.duration_ns / NS_PER_S

    @cached_property
    def totals(self) -> Ints:
        totals: Ints = self.data.sum(axis=0)
        return totals

    def sum(self, column: M) -> int:
        return int(self.totals[column])

    @cached_property
    def by_task(self) -> Ints:
        """Sums by task number, shape (tasks, len(M))."""
        out = np.zeros((len(self.info.tasks), len(M)), np.int64)
        np.add.at(out, self.task, self.data)
        return out

    @property
    def sent(self) -> int:
        return self.sum(M.PLANNED) - self.sum(M.NOT_SENT)

    def offered(self, gone: int = 0) -> int:
        """Arrivals that came due while the run went on (to the resolution of a cell); ``gone`` of a whole run
        left no record."""
        if self._end_ns >= max((self.info.phases[w.phase].end_ns for w in self.windows), default=0):
            return self.sum(M.PLANNED) + gone
        before = (self.bin + 1) * self.info.bin_ns <= self._end_ns
        return int(np.where(before, self.data[:, M.PLANNED], self.sent_by_cell).sum())

    def rpm(self, count: float) -> float | None:
        return None if self.duration_ns <= 0 else 60.0 * count / self.duration_s

    def histogram(self, metric: str) -> Histogram:
        """Exact for whole phases; for parts of phases to the resolution of a cell, and e2e and ttft only."""
        made = Histogram()
        for w in self.windows:
            if self.whole:
                found = self.summary.latency.get((metric, w.phase))
            else:
                number = {"e2e": 0, "ttft": 1}[metric]
                low, high = interval_key(number, w.phase, w.first), interval_key(number, w.phase, w.last - 1)
                found = self.summary.intervals.histogram(low, high)
            if found is not None:
                made.merge(found)
        return made

    def quality(self, hits: M = M.W_PASS, unit: int = 1) -> Clustered | None:
        """Task-weighted share of sampled answers, with its spread over replicates or time blocks.

        ``unit`` is what ``hits`` counts a full answer as.
        """
        found = [self._share(self.data[:, hits] / unit, *c) for c in self.clusterings]
        known = [f for f in found if f is not None]
        return max(known, key=lambda f: f.half_width(0.95)) if known else None

    @property
    def sent_by_cell(self) -> Ints:
        sent: Ints = self.data[:, M.PLANNED] - self.data[:, M.NOT_SENT]
        return sent

    def share_of_sent(self, hits: Ints) -> Clustered | None:
        """Share of the requests sent, with its spread over replicates or time blocks; ``hits`` by cell."""
        return self._plain_share(hits, self.sent_by_cell, float(self.sent))

    def share_of_answers(self, hits: M, weights: M = M.W) -> Clustered | None:
        """Weighted share of the sampled answers that ``weights`` sums, not weighted by task; likewise."""
        mean_weight = self.sum(M.W2) / max(1, self.sum(M.W)) * W_ONE
        return self._plain_share(self.data[:, hits], self.data[:, weights], self.sum(weights) * mean_weight)

    def _plain_share(self, hits: Ints, weights: Ints, squared_weights: float) -> Clustered | None:
        found = []
        for cluster, groups in self.clusterings:
            n = len(groups)
            h, w = np.bincount(cluster, hits, n), np.bincount(cluster, weights, n)
            found.append(clustered_share(h[:, None], w[:, None], [squared_weights], [1.0], groups))
        known = [f for f in found if f is not None]
        return max(known, key=lambda f: f.half_width(0.95)) if known else None

    def _share(self, hits: Floats, cluster: Ints, groups: list[int]) -> Clustered | None:
        n, tasks = len(groups), len(self.info.tasks)
        h, w = np.zeros((n, tasks)), np.zeros((n, tasks))
        np.add.at(h, (cluster, self.task), hits)
        np.add.at(w, (cluster, self.task), self.data[:, M.W])
        ratio = self.by_task[:, M.W2] / np.maximum(self.by_task[:, M.W], 1)
        squared = w.sum(axis=0) * ratio * W_ONE
        return clustered_share(h, w, squared.tolist(), self.info.task_weights, groups)

    @property
    def replicated(self) -> bool:
        """Whether intervals come from replicates of one load (else from blocks of time)."""
        groups = {self.info.phases[w.phase].group for w in self.windows}
        return len(groups) == 1 and len(self.windows) >= _REPLICATES

    @cached_property
    def clusterings(self) -> list[Clustering]:
        """Replicates, or blocks of time."""
        return self._clusterings(self._window, self.phases, self.bin)

    def _clusterings(self, window: Ints, phases: Ints, bins: Ints) -> list[Clustering]:
        if self.replicated:
            return [(window, [0] * len(self.windows))]
        return [self._blocks(n, phases, bins) for n in _BLOCKS]

    def tail(self, metric: str) -> Tail:
        """Of e2e or ttft, to the resolution of a cell, with their replicates or blocks of time."""
        number = {"e2e": 0, "ttft": 1}[metric]
        parts = []
        for k, w in enumerate(self.windows):
            first = interval_key(number, w.phase, 0)
            low, high = (0, _LAST_BIN) if self.whole else (w.first, w.last - 1)
            keys, cells, counts = self.summary.intervals.between(first + low, first + high)
            # Later turns of a session may come due when its phase is over.
            bins = np.clip(keys - first, w.first, w.last - 1)
            parts.append((np.full(len(keys), k), np.full(len(keys), w.phase), bins, cells, counts))
        window, phases, bins, cells, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Tail(cells, counts, self._clusterings(window, phases, bins))

    def _blocks(self, wanted: int, phases: Ints, bins: Ints) -> Clustering:
        """About so many blocks in all, two or more in each stretch of equal load; stretches are groups."""
        stretches = self._stretches()
        total = max(1, sum(w.last - w.first for _, w in stretches))
        number = {name: k for k, name in enumerate(dict.fromkeys(name for name, _ in stretches))}
        cluster = np.zeros(len(bins), np.int64)
        groups: list[int] = []
        for name, w in stretches:
            length = max(1, w.last - w.first)
            blocks = min(length, max(2, round(wanted * length / total)))
            mine = (phases == w.phase) & (bins >= w.first) & (bins < w.last)
            cluster[mine] = len(groups) + (bins[mine] - w.first) * blocks // length
            groups += [number[name]] * blocks
        return cluster, groups

    def _stretches(self) -> list[tuple[tuple[str, int], Window]]:
        """Windows cut where the planned load changes; replicates of one stretch share a name."""
        if not self.whole:
            return [((self.info.phases[w.phase].group, 0), w) for w in self.windows]
        out = []
        for w in self.windows:
            plan = self.info.phases[w.phase]
            out += [((plan.group, k), part) for k, part in enumerate(self.info.stretches(plan))]
        return out


def latency_figures(view: View) -> dict[str, Any]:
    """``latency_ms`` of a view: null and listed in ``uncertified`` what the sample cannot certify."""
    out: dict[str, Any] = {}
    for metric in METRICS:
        histogram = view.histogram(metric)
        out[metric] = percentiles(histogram)
    out["e2e"]["censored"] = view.sum(M.CENSORED)
    out["service"]["censored"] = view.sum(M.CENSORED_SENT)
    out["ttft"]["censored"] = view.sum(M.CENSORED_TTFT)
    return out


def percentiles(histogram: Histogram) -> dict[str, Any]:
    """``{n, mean, p50.., max, uncertified}`` in milliseconds."""
    values = histogram.percentiles(100 * q for q in PERCENTILES.values())
    uncertified = [name for name, q in PERCENTILES.items() if histogram.n < certifying_n(q)]
    out: dict[str, Any] = {"n": histogram.n, "mean": milliseconds(histogram.mean_us)}
    for name, value in zip(PERCENTILES, values, strict=True):
        out[name] = None if name in uncertified else milliseconds(value)
    out["max"] = milliseconds(histogram.max_us)
    out["uncertified"] = uncertified
    return out
