"""Classic Prometheus histograms: counts between fixed edges, exact at each edge.

Not aware of what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from prometheus_client.core import HistogramMetricFamily

SECONDS = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
    163.84,
    327.68,
)
"""OpenTelemetry's buckets for GenAI durations, carried on for bursts that outlast its 81.92 s."""
GAPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAGS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
SIZES = tuple(float(4**power) for power in range(5, 14))


class Buckets:
    """One histogram: counts between fixed edges, exact for each edge."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = np.array(sorted(set(edges)))
        self.counts = np.zeros(len(self.edges) + 1, np.int64)
        self.total = 0.0

    def add(self, values: Sequence[float]) -> None:
        if len(values):
            given = np.asarray(values, np.float64)
            np.add.at(self.counts, np.searchsorted(self.edges, given, side="left"), 1)
            self.total += float(given.sum())

    def cumulative(self) -> list[tuple[str, float]]:
        running = np.cumsum(self.counts)
        return [(f"{edge:.12g}", float(n)) for edge, n in zip(self.edges, running, strict=False)] + [
            ("+Inf", float(running[-1]))
        ]


Labels = tuple[str, ...]


class Family:
    """Histograms of one metric by their labels."""

    def __init__(self, edges: Sequence[float], labels: Labels) -> None:
        self._edges, self._labels = edges, labels
        self._found: dict[Labels, Buckets] = {}
        self._held: dict[Labels, list[float]] = {}

    def hold(self, key: Labels, *values: float) -> None:
        """Keep values until ``settle``: sorting them into buckets is cheap only for many at once."""
        self._held.setdefault(key, []).extend(values)

    def settle(self) -> None:
        for key, values in self._held.items():
            if key not in self._found:
                self._found[key] = Buckets(self._edges)
            self._found[key].add(values)
        self._held.clear()

    def metric(self, name: str, help_: str) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, help_, labels=self._labels)
        for key, buckets in sorted(self._found.items()):
            family.add_metric(key, buckets.cumulative(), buckets.total)
        return family
