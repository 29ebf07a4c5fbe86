"""Latencies at full resolution: HdrHistograms of microseconds, 1 us to 1 h, 3 significant digits.

Cells and encoding are those of HdrHistogram (http://hdrhistogram.org), so any of its tools can read
them. Not aware of what was measured, of phases or of requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 3_600_000_000
DIGITS: Final = 3
_HALF_BITS: Final = 10
"""Half a bucket has 2**10 cells: 2 * 10**3 rounded up to a power of two, halved."""
_HALF: Final = 1 << _HALF_BITS
_TICKS_PER_HALF: Final = 5
"""Points of a spectrum for each halving of the distance to 100%, as the ``.hgrm`` format has them."""
_US_PER_MS: Final = 1000.0
_BLANK: Final = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
CELLS: Final[int] = int(_BLANK.counts_len)

Ints = npt.NDArray[np.int64]


def cells_of(values_us: Ints) -> Ints:
    """Index of the HdrHistogram cell of each value in ``[0, HIGHEST_US]``."""
    # frexp is exact below 2**53, and its exponent is the bit length of a positive integer.
    bits = np.frexp((values_us | (2 * _HALF - 1)).astype(np.float64))[1].astype(np.int64)
    bucket = bits - (_HALF_BITS + 1)
    return (bucket << _HALF_BITS) + (values_us >> bucket)


def _cell_bounds() -> tuple[Ints, Ints]:
    index = np.arange(CELLS, dtype=np.int64)
    bucket = np.maximum((index >> _HALF_BITS) - 1, 0)
    low = (index - (bucket << _HALF_BITS)) << bucket
    return low, low + (np.int64(1) << bucket) - 1


CELL_LOW, CELL_HIGH = _cell_bounds()
"""Lowest and highest value in microseconds that falls into each cell."""


class Histogram:
    """Counts by cell, with exact count, sum, minimum and maximum beside them.

    A value outside the range is put into the nearest cell and counted in ``clamped``: HdrHistogram
    itself would drop it silently.
    """

    __slots__ = ("clamped", "counts", "max_us", "min_us", "n", "sum_us")

    def __init__(self) -> None:
        self.counts: Ints = np.zeros(CELLS, np.int64)
        self.n = 0
        self.sum_us = 0
        self.min_us: int | None = None
        self.max_us: int | None = None
        self.clamped = 0

    def record(self, value_us: int) -> None:
        self.record_many(np.array([value_us], np.int64))

    def record_many(self, values_us: Ints) -> None:
        """Add every value of a one-dimensional int64 array of microseconds."""
        if not len(values_us):
            return
        inside = np.clip(values_us, 0, HIGHEST_US)
        np.add.at(self.counts, cells_of(inside), 1)
        self.n += len(values_us)
        self.sum_us += int(values_us.sum())
        self.clamped += int(np.count_nonzero(inside != values_us))
        self._widen(int(values_us.min()), int(values_us.max()))

    def merge(self, other: Histogram) -> None:
        """Add another histogram to this one; loses nothing."""
        self.counts += other.counts
        self.n += other.n
        self.sum_us += other.sum_us
        self.clamped += other.clamped
        if other.min_us is not None and other.max_us is not None:
            self._widen(other.min_us, other.max_us)

    def _widen(self, low: int, high: int) -> None:
        self.min_us = low if self.min_us is None else min(self.min_us, low)
        self.max_us = high if self.max_us is None else max(self.max_us, high)

    @property
    def mean_us(self) -> float | None:
        return self.sum_us / self.n if self.n else None

    def value_at_rank(self, rank: int) -> int | None:
        """The ``rank``-th smallest value (from 1), as the upper edge of its cell, at most the maximum."""
        return None if not 1 <= rank <= self.n else self.values_at_ranks([rank])[0]

    def values_at_ranks(self, ranks: Iterable[int]) -> list[int]:
        """As ``value_at_rank`` for many ranks, each within ``[1, n]``."""
        cells = np.searchsorted(np.cumsum(self.counts), np.fromiter(ranks, np.int64), side="left")
        top = self.max_us or 0
        return [min(int(v), top) for v in CELL_HIGH[cells]]

    def percentile(self, q: float) -> int | None:
        """Nearest-rank percentile ``q`` in [0, 100] in microseconds; None when empty, never 0."""
        return self.value_at_rank(rank_of(q, self.n)) if self.n else None

    def percentiles(self, qs: Iterable[float]) -> list[int | None]:
        qs = list(qs)
        if not self.n:
            return [None] * len(qs)
        return list(self.values_at_ranks(rank_of(q, self.n) for q in qs))

    def stddev_us(self) -> float | None:
        if not self.n:
            return None
        used = np.flatnonzero(self.counts)
        middle = (CELL_LOW[used] + CELL_HIGH[used]) / 2
        mean = float(np.average(middle, weights=self.counts[used]))
        return math.sqrt(float(np.average((middle - mean) ** 2, weights=self.counts[used])))

    def to_bytes(self) -> bytes:
        exact = (self.n, self.sum_us, self.min_us, self.max_us, self.clamped)
        return msgspec.msgpack.encode((exact, self._hdr(b64=False).encode()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Histogram:
        """Raises ``ValueError`` if the data is not what ``to_bytes`` made."""
        try:
            exact, payload = msgspec.msgpack.decode(
                data, type=tuple[tuple[int, int, int | None, int | None, int], bytes]
            )
            hdr = HdrHistogram.decode(payload, b64_wrap=False)
        except Exception as error:  # zlib, struct and four classes of hdrh
            raise ValueError(f"not a histogram: {error}") from error
        made = cls()
        counts = np.ctypeslib.as_array(hdr.counts).astype(np.int64)
        made.counts[: len(counts)] = counts[:CELLS]
        made.n, made.sum_us, made.min_us, made.max_us, made.clamped = exact
        return made

    def encode_hdr(self) -> str:
        """Base64 of the compressed V2 encoding, as every HdrHistogram library reads it."""
        text: bytes = self._hdr(b64=True).encode()
        return text.decode("ascii")

    def _hdr(self, b64: bool) -> Any:
        hdr = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS, b64_wrap=b64)
        if self.n:
            np.ctypeslib.as_array(hdr.counts)[:] = self.counts
            used = np.flatnonzero(self.counts)
            hdr.set_internal_tacking_values(int(used[0]), int(used[-1]), self.n)
        return hdr

    def copy(self) -> Histogram:
        made = Histogram()
        made.merge(self)
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        mine = (self.n, self.sum_us, self.min_us, self.max_us, self.clamped)
        theirs = (other.n, other.sum_us, other.min_us, other.max_us, other.clamped)
        return mine == theirs and bool(np.array_equal(self.counts, other.counts))

    __hash__ = None  # type: ignore[assignment]  # mutable


def rank_of(q: float, n: int) -> int:
    """Nearest rank of percentile ``q`` among ``n`` values: the smallest with at least q% at or below it."""
    # Without the guard 99.9 of 1000 would give rank 1000, as 99.9 * 1000 / 100 is 999.0000000000001.
    return min(n, max(1, math.ceil(q * n / 100 - 1e-9)))


@dataclass(frozen=True, slots=True)
class PercentilePoint:
    """One point of the percentile distribution; ``percentile`` in [0, 100]."""

    value_us: int
    percentile: float
    count: int


def spectrum(histogram: Histogram) -> list[PercentilePoint]:
    """The curve of an HdrHistogram percentile plot: ever finer steps toward 100%."""
    if not histogram.n:
        return []
    cumulative = np.cumsum(histogram.counts)
    points: list[PercentilePoint] = []
    for q in _steps(histogram.n):
        cell = int(np.searchsorted(cumulative, rank_of(q, histogram.n), side="left"))
        value = min(int(CELL_HIGH[cell]), histogram.max_us or 0)
        points.append(PercentilePoint(value, q, int(cumulative[cell])))
        if points[-1].count == histogram.n and q < 100.0:
            points.append(PercentilePoint(histogram.max_us or 0, 100.0, histogram.n))
            break
    return points


def _steps(n: int) -> Iterator[float]:
    base, width = 0.0, 50.0
    while width * n / 100 > 0.5:
        for tick in range(_TICKS_PER_HALF):
            yield base + width * tick / _TICKS_PER_HALF
        base, width = base + width, width / 2
    yield 100.0


def hgrm(histogram: Histogram) -> str:
    """The ``.hgrm`` percentile file that HdrHistogram's plotter opens; values in milliseconds.

    Written here because the library's own writer leaves the standard deviation unscaled.
    """
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for p in spectrum(histogram):
        share = p.percentile / 100
        line = f"{p.value_us / _US_PER_MS:12.3f} {share:14.12f} {p.count:10d}"
        lines.append(line if share >= 1 else f"{line} {1 / (1 - share):14.2f}")
    mean, deviation = ((us or 0.0) / _US_PER_MS for us in (histogram.mean_us, histogram.stddev_us()))
    top = (histogram.max_us or 0) / _US_PER_MS
    lines.append(f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]")
    lines.append(f"#[Max     = {top:12.3f}, Total count    = {histogram.n:12d}]")
    lines.append(f"#[Buckets = {_BLANK.bucket_count:12d}, SubBuckets     = {_BLANK.sub_bucket_count:12d}]")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Interval:
    """One line of an interval log: ``start_s`` counts from the base time of the log."""

    tag: str
    start_s: float
    length_s: float
    histogram: Histogram


def hlog(intervals: Iterable[Interval], *, title: str, base_time_s: float) -> Iterator[str]:
    """Lines (with line ends) of an interval log, format version 1.3, in order of start.

    ``base_time_s`` is seconds since the epoch of the run's time zero; ``title`` names the run. Written
    here because the library's writer fails on start times, has no tags, and floors the maximum.
    """
    iso = datetime.fromtimestamp(base_time_s, UTC).isoformat(timespec="milliseconds")
    yield f"#[{title}]\n"
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[BaseTime: {base_time_s:.3f} (seconds since epoch)]\n"
    yield f"#[StartTime: {base_time_s:.3f} (seconds since epoch), {iso}]\n"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    # Sorted as text, which is a hundredth of the histograms' size.
    yield from (line for *_, line in sorted((i.start_s, i.tag, _hlog_line(i)) for i in intervals))


def _hlog_line(i: Interval) -> str:
    top = (i.histogram.max_us or 0) / 1000
    tag = "".join("_" if c in ", \t\r\n" else c for c in i.tag)
    return f"Tag={tag},{i.start_s:.3f},{i.length_s:.3f},{top:.3f},{i.histogram.encode_hdr()}\n"


class IntervalCounts:
    """Many sparse histograms by an integer key (metric, phase, second): what a time series needs.

    Dense cells for every second would take 188 kB each. Kept as sorted pairs of (key and cell, count).
    """

    __slots__ = ("_counts", "_keys", "_pending", "_pending_n")
    _LIMIT: Final = 1 << 17

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, np.int64)
        self._counts: Ints = np.zeros(0, np.int64)
        self._pending: list[tuple[Ints, Ints]] = []
        self._pending_n = 0

    def record_many(self, keys: Ints, values_us: Ints) -> None:
        """Add ``values_us[i]`` to the histogram ``keys[i]``; keys are non-negative, below 2**47."""
        if len(keys):
            packed = (keys << 16) | cells_of(np.clip(values_us, 0, HIGHEST_US))
            self._push(packed, np.ones(len(packed), np.int64))

    def merge(self, other: IntervalCounts) -> None:
        other._settle()
        self._push(other._keys, other._counts)

    def _push(self, packed: Ints, counts: Ints) -> None:
        self._pending.append((packed, counts))
        self._pending_n += len(packed)
        if self._pending_n > max(self._LIMIT, len(self._keys) // 2):
            self._settle()

    def _settle(self) -> None:
        if not self._pending:
            return
        packed = np.concatenate([self._keys, *(p for p, _ in self._pending)])
        counts = np.concatenate([self._counts, *(c for _, c in self._pending)])
        self._keys, where = np.unique(packed, return_inverse=True)
        self._counts = np.zeros(len(self._keys), np.int64)
        np.add.at(self._counts, where, counts)
        self._pending, self._pending_n = [], 0

    def between(self, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """(keys, cells, counts) of all keys in ``[first, last]``, sorted by key, then cell."""
        self._settle()
        low, high = np.searchsorted(self._keys, [first << 16, (last + 1) << 16])
        part = self._keys[low:high]
        return part >> 16, part & 0xFFFF, self._counts[low:high]

    def histogram(self, first: int, last: int) -> Histogram:
        """All keys in ``[first, last]`` as one histogram; sum and extremes to the resolution of a cell."""
        _, cells, counts = self.between(first, last)
        return from_cells(cells, counts)

    def to_bytes(self) -> bytes:
        self._settle()
        return msgspec.msgpack.encode((self._keys.tobytes(), self._counts.tobytes()))

    @classmethod
    def from_bytes(cls, data: bytes) -> IntervalCounts:
        keys, counts = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        made = cls()
        made._keys = np.frombuffer(keys, np.int64).copy()
        made._counts = np.frombuffer(counts, np.int64).copy()
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntervalCounts):
            return NotImplemented
        self._settle()
        other._settle()
        return np.array_equal(self._keys, other._keys) and np.array_equal(self._counts, other._counts)

    __hash__ = None  # type: ignore[assignment]  # mutable


def from_cells(cells: Ints, counts: Ints) -> Histogram:
    """A histogram from cell indexes and counts; sum, minimum and maximum to the resolution of a cell."""
    made = Histogram()
    if len(cells):
        np.add.at(made.counts, cells, counts)
        made.n = int(counts.sum())
        made.sum_us = int(((CELL_LOW[cells] + CELL_HIGH[cells]) // 2 * counts).sum())
        made.min_us, made.max_us = int(CELL_LOW[cells.min()]), int(CELL_HIGH[cells.max()])
    return made
