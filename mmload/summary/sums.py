"""``Summary``: everything about a run that can be added up.

A commutative monoid: ``Summary()`` is its identity, ``merge`` is associative and commutative, and bytes
bring it back whole. Everything in it is integers, maxima, minima and a bounded top list, so the order in
which workers report changes nothing. Not aware of files or of gates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from mmload.histogram import Histogram, IntervalCounts, Ints
from mmload.model import NS_PER_US, Record, Score, Telemetry
from mmload.summary.benchmarks import counted
from mmload.summary.cases import Cases
from mmload.summary.measures import (
    COST_COLUMNS,
    Columns,
    F,
    M,
    S,
    bills,
    key,
    passes,
    record_rows,
    score_rows,
    weight,
)
from mmload.summary.run_info import RunInfo
from mmload.summary.server_timing import timings
from mmload.summary.table import Table
from mmload.summary.turns import TurnSums

METRICS: Final = ("e2e", "service", "ttft", "inter_token")
_STAGE_NAME: Final = 40


class Joined(NamedTuple):
    """What scores need to know of the records that they judge: arrays of one length."""

    phase: Ints
    bin: Ints
    within_slo: Any
    """bool"""
    e2e_us: Ints
    pi: Any
    """float"""


class Summary:
    """The sums of a run, or of a part of it."""

    def __init__(self) -> None:
        self.cells = Table(len(M))
        """``M`` by phase, bin and task."""
        self.flow = Table(len(F))
        """``F`` by bin."""
        self.slices = Table(len(S))
        """``S`` by slice number; measured phases only."""
        self.item_scores = Table(2)
        """(scored, passed) by ``item_key``; blocks of time are kept apart only if a baseline is set."""
        self.latency: dict[tuple[str, int], Histogram] = {}
        """By metric and phase."""
        self.intervals = IntervalCounts()
        """By ``interval_key``: e2e and ttft over time."""
        self.slice_latency = IntervalCounts()
        """e2e by slice number; measured phases only."""
        self.send_lag = Histogram()
        """Due to sent in open-loop phases: first attempts on a connection that stood ready."""
        self.stages = IntervalCounts()
        """By checksum of the stage's name: sparse, as a target could send any number of names."""
        self.stage_names: dict[int, str] = {}
        self.errors: Counter[tuple[int, str]] = Counter()
        """By phase and kind."""
        self.tallies: Counter[str] = Counter()
        self.cpu: Counter[tuple[int, int]] = Counter()
        """Seconds by worker and percent of a core."""
        self.peaks: dict[str, int] = {}
        self.cpu_peak: dict[int, int] = {}
        """Percent of a core, worst worker, by bin."""
        self.lag_peak: dict[int, int] = {}
        """Worst send lag in microseconds by bin."""
        self.backlog: dict[int, int] = {}
        """Arrivals that waited for a lane: worst worker by bin."""
        self.turns = TurnSums()
        """Only where requests come in sessions of several turns."""
        self.safety: Counter[str] = Counter()
        self.examples: dict[str, tuple[int, str]] = {}
        """First record (by seq) of each error kind: its seq and what was found."""
        self.cases = Cases()
        """Requests to be shown as evidence; measured phases only."""

    # --- adding -----------------------------------------------------------------------------------

    def add_records(self, records: Sequence[Record], info: RunInfo) -> Columns | None:
        """Add a batch, each record once in its life. Gives its columns, for whoever joins scores to them."""
        if not records:
            return None
        c = Columns(records, info)
        rows = record_rows(c, bills(c, records, info))
        self.cells.add(key(c.phase, c.bin, c.task), rows)
        self._add_flow(c, info)
        self._add_latency(c, info)
        self._add_slices(c, rows, info)
        self._add_words(c, records, info)
        if info.scripts is not None:
            measured = info.counts[c.phase]
            self.turns.add_records(c, rows, info, measured)
        return c

    def add_scores(self, scores: Sequence[Score], joined: Joined, info: RunInfo) -> None:
        """Add scores of answers that arrived (outcome ok), each once, with what they judge."""
        if not scores:
            return
        w = weight(joined.pi)
        passed = passes(scores, info.profile.quality.require_strict_schema)
        rows = score_rows(scores, w, joined.within_slo, passed)
        item = np.array([s.item for s in scores], np.int64)
        self.cells.add(key(joined.phase, joined.bin, info.task_of[item]), rows)
        keys = item_key(joined.phase, _item_block(joined, info), item)
        self.item_scores.add(keys, rows[:, [M.N_SCORED, M.N_PASSED]])
        measured = info.counts[joined.phase]
        self._add_slice_scores(info.slice_of[item[measured]], rows[measured])
        if info.scripts is not None:
            self.turns.add_scores(info.turn_of[item[measured]], rows[measured])
        for i in np.flatnonzero(measured).tolist():
            if scores[i].safety:
                self.safety.update(scores[i].safety)
        self.tallies.update(counted(scores[i] for i in np.flatnonzero(measured).tolist()))
        self.cases.add_scores(scores, joined.phase, joined.e2e_us, passed, measured)

    def add_telemetry(self, rows: Iterable[Telemetry], info: RunInfo) -> None:
        end_ns = info.phases[-1].end_ns + info.bin_ns
        for t in rows:
            if not 0 <= t.t_ns <= end_ns:
                continue
            # A row describes the second that ends at its time.
            bin_ = max(0, t.t_ns - 1) // info.bin_ns
            percent = round(t.cpu_ratio * 100)
            self.cpu[t.worker, percent] += 1
            for name, value in (
                ("loop_lag_us", t.loop_lag_us),
                ("open_fds", t.open_fds),
                ("rss_bytes", t.rss_bytes),
                ("backlog", t.backlog),
            ):
                self.peaks[name] = max(self.peaks.get(name, 0), value)
            self.cpu_peak[bin_] = max(self.cpu_peak.get(bin_, 0), percent)
            if t.backlog:
                self.backlog[bin_] = max(self.backlog.get(bin_, 0), t.backlog)

    def _add_flow(self, c: Columns, info: RunInfo) -> None:
        out = ~c.not_sent
        for column, mask, at in (
            (F.DUE, np.ones(c.n, bool), c.due_ns),
            (F.SENT, out, np.where(c.sent_ns >= 0, c.sent_ns, c.due_ns)),
            (F.OK, c.ok, c.end_ns),
            (F.FAILED, c.failed, c.end_ns),
            (F.SHED, c.shed, c.end_ns),
            (F.ENDED, out, np.where(c.end_ns >= 0, c.end_ns, c.due_ns)),
            (F.DROPPED, c.not_sent, np.where(c.end_ns >= 0, c.end_ns, c.due_ns)),
        ):
            where = np.maximum(np.where(at[mask] >= 0, at[mask], c.due_ns[mask]), 0) // info.bin_ns
            rows = np.zeros((len(where), len(F)), np.int64)
            rows[:, column] = 1
            self.flow.add(where, rows)

    def _add_latency(self, c: Columns, info: RunInfo) -> None:
        e2e, ttft = c.timed, c.has_ttft
        for metric, mask, values in (
            ("e2e", e2e, c.e2e_us),
            ("service", c.has_service, c.service_us),
            ("ttft", ttft, c.ttft_us),
        ):
            for phase in np.unique(c.phase[mask]):
                self._histogram(metric, int(phase)).record_many(values[mask & (c.phase == phase)])
        for number, mask, values in ((0, e2e, c.e2e_us), (1, ttft, c.ttft_us)):
            self.intervals.record_many(interval_key(number, c.phase[mask], c.due_bin[mask]), values[mask])
        for phase in np.unique(c.phase):
            here = np.flatnonzero((c.phase == phase) & c.ok)
            gaps = b"".join(c.raw["gaps_us"][i] for i in here)
            if gaps:
                self._histogram("inter_token", int(phase)).record_many(
                    np.frombuffer(gaps, "<u4").astype(np.int64)
                )
        self._add_lag(c, info)

    def _add_lag(self, c: Columns, info: RunInfo) -> None:
        open_loop = np.array([p.open_loop and not p.warmup for p in info.phases], bool)
        # A new connection and a second attempt take the target's time: they say nothing of the sender.
        ready = np.array(c.raw["reused_connection"], bool) & (c.attempts == 1)
        ready &= (np.array(c.raw["stale_retries"], np.int64) == 0) & (c.sent_ns >= 0) & open_loop[c.phase]
        lag = (c.sent_ns - c.due_ns)[ready] // NS_PER_US
        self.send_lag.record_many(np.maximum(lag, 0))
        for bin_, value in zip(c.due_bin[ready].tolist(), lag.tolist(), strict=True):
            if value > self.lag_peak.get(bin_, -1):
                self.lag_peak[bin_] = value

    def _histogram(self, metric: str, phase: int) -> Histogram:
        found = self.latency.get((metric, phase))
        if found is None:
            found = self.latency[metric, phase] = Histogram()
        return found

    def _add_slices(self, c: Columns, of: Ints, info: RunInfo) -> None:
        warm = ~info.counts[c.phase]
        mine = info.slice_of[c.item[~warm]]
        ok, sent, timed = c.ok[~warm], ~c.not_sent[~warm], c.timed[~warm]
        rows = np.zeros((len(mine), len(S)), np.int64)
        rows[:, S.SENT], rows[:, S.OK], rows[:, S.WITHIN_SLO] = sent, ok, of[~warm, M.WITHIN_SLO]
        rows[:, S.COST] = of[~warm][:, list(COST_COLUMNS)].sum(axis=1)
        rows[:, S.UNPRICED] = of[~warm, M.UNPRICED_MODEL] + of[~warm, M.UNPRICED_RETRIES]
        for dimension in range(mine.shape[1]):
            self.slices.add(mine[:, dimension], rows)
            self.slice_latency.record_many(mine[timed, dimension], c.e2e_us[~warm][timed])

    def _add_slice_scores(self, numbers: Ints, scores: Ints) -> None:
        rows = np.zeros((len(numbers), len(S)), np.int64)
        for column, of in (
            (S.N_SCORED, M.N_SCORED),
            (S.W, M.W),
            (S.W2, M.W2),
            (S.W_PASS, M.W_PASS),
            (S.W_CRITICAL, M.W_CRITICAL),
        ):
            rows[:, column] = scores[:, of]
        for dimension in range(numbers.shape[1]):
            self.slices.add(numbers[:, dimension], rows)

    def _add_words(self, c: Columns, records: Sequence[Record], info: RunInfo) -> None:
        measured = info.counts[c.phase]
        self.cases.add_records(c, measured)
        for i in np.flatnonzero(~c.ok).tolist():
            r = records[i]
            self.errors[r.phase, r.error] += 1
            if measured[i]:
                first = self.examples.get(r.error)
                if first is None or r.seq < first[0]:
                    self.examples[r.error] = (r.seq, r.error_detail)
        kernel = np.array(c.raw["kernel_clock"], bool)
        answered = measured & np.array([t is not None for t in c.raw["first_byte_ns"]], bool)
        ok = np.flatnonzero(measured & c.ok).tolist()
        counted = {
            "kernel_clock": int((answered & kernel).sum()),
            "user_clock": int((answered & ~kernel).sum()),
            "sampled_ok": sum(c.raw["sampled"][i] for i in ok),
        }
        self.tallies.update({name: n for name, n in counted.items() if n})
        for source, n in Counter(c.raw["usage_source"][i] for i in ok).items():
            self.tallies["usage:" + source] += n
        self._add_usage(ok, c, info)
        for model, n in Counter(c.raw["model"][i] for i in ok).items():
            if info.book.rate(model) is None:
                self.tallies["unpriced:" + (model or info.book.default_model)] += n
        self._add_stages(ok, c)

    def _add_usage(self, ok: Sequence[int], c: Columns, info: RunInfo) -> None:
        """Input tokens as billed and by formula, of answers that tell both."""
        formula = info.formula_tokens[c.item]
        told = [i for i in ok if c.raw["usage_source"][i] == "usage" and formula[i] >= 0]
        if told:
            self.tallies["billed_input"] += sum(c.raw["tokens_in"][i] or 0 for i in told)
            self.tallies["formula_input"] += int(formula[told].sum())

    def _add_stages(self, ok: Sequence[int], c: Columns) -> None:
        headers = c.raw["server_timing"]
        told = [i for i in ok if headers[i]]
        names, durations = timings(",".join(headers[i] for i in told))
        if not names:
            return
        self.tallies["staged_service_us"] += int(np.maximum(c.service_us[told], 0).sum())
        us = np.rint(np.clip(durations, 0, 1e6) * 1000).astype(np.int64)
        numbers = {name: crc32(name[:_STAGE_NAME].encode()) for name in set(names)}
        for name, number in numbers.items():
            short = name[:_STAGE_NAME]
            self.stage_names[number] = min(short, self.stage_names.get(number, short))
        keys = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
        self.stages.record_many(keys, us)
        for name in sorted({n[:_STAGE_NAME] for n in numbers}):
            self.tallies["stage_us:" + name] += int(us[keys == crc32(name.encode())].sum())

    # --- the monoid -------------------------------------------------------------------------------

    def merge(self, other: Summary) -> None:
        """Add another summary of the same run to this one."""
        for name in _BINARY:
            getattr(self, name).merge(getattr(other, name))
        for k, histogram in other.latency.items():
            self._histogram(*k).merge(histogram)
        for name in ("errors", "tallies", "cpu", "safety"):
            getattr(self, name).update(getattr(other, name))
        for name in ("peaks", "cpu_peak", "lag_peak", "backlog"):
            _combine(getattr(self, name), getattr(other, name), max)
        for name in ("examples", "stage_names"):
            _combine(getattr(self, name), getattr(other, name), min)
        self.turns.merge(other.turns)
        self.cases.merge(other.cases)

    def to_bytes(self) -> bytes:
        tables = [getattr(self, name).to_bytes() for name in _BINARY]
        histograms = [(k, h.to_bytes()) for k, h in sorted(self.latency.items())]
        plain = [sorted(getattr(self, name).items()) for name in _PLAIN]
        return msgspec.msgpack.encode((tables, histograms, plain, self.turns.parts(), self.cases.plain()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Summary:
        """Raises ``ValueError`` (of which msgspec's errors are) for anything but what ``to_bytes`` made."""
        tables, histograms, plain, turns, cases = msgspec.msgpack.decode(data)
        made = cls()
        for name, part in zip(_BINARY, tables, strict=True):
            setattr(made, name, type(getattr(made, name)).from_bytes(part))
        made.latency = {_hashable(k): Histogram.from_bytes(h) for k, h in histograms}
        for name, pairs in zip(_PLAIN, plain, strict=True):
            getattr(made, name).update({_hashable(k): _hashable(v) for k, v in pairs})
        made.turns = TurnSums.of_parts(turns)
        made.cases = Cases(dict(cases))
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        names = (*_BINARY, *_PLAIN, "latency", "turns", "cases")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]  # mutable


_BINARY: Final = (
    "cells",
    "flow",
    "slices",
    "item_scores",
    "intervals",
    "slice_latency",
    "stages",
    "send_lag",
)
_PLAIN: Final = (
    *("errors", "tallies", "cpu", "safety"),
    *("peaks", "cpu_peak", "lag_peak", "backlog"),
    *("examples", "stage_names"),
)


def interval_key(metric: int, phase: Any, bin_: Any) -> Any:
    """Key of ``Summary.intervals``: metric 0 is e2e, 1 is ttft; phase below 4,096, bin below 2**28."""
    return (metric << 40) | (phase << 28) | bin_


ITEM_BLOCKS: Final = 16
"""Blocks of time per phase in ``Summary.item_scores``."""


def item_key(phase: Any, block: Any, item: Any) -> Any:
    """Key of ``Summary.item_scores``: phase below 4,096, block below 256, item below 2**32."""
    return (phase << 40) | (block << 32) | item


def _item_block(joined: Joined, info: RunInfo) -> Any:
    if info.profile.quality.baseline is None:
        return np.zeros(len(joined.phase), np.int64)
    windows = [info.whole(p) for p in info.phases]
    first = np.array([w.first for w in windows], np.int64)[joined.phase]
    length = np.array([w.last - w.first for w in windows], np.int64)[joined.phase]
    return np.clip((joined.bin - first) * ITEM_BLOCKS // length, 0, ITEM_BLOCKS - 1)


def _hashable(x: Any) -> Any:
    return tuple(x) if isinstance(x, list) else x


def _combine(mine: dict[Any, Any], other: dict[Any, Any], choose: Callable[[Any, Any], Any]) -> None:
    for k, value in other.items():
        mine[k] = choose(mine[k], value) if k in mine else value
