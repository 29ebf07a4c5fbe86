"""A run folder written without driving anything: known latencies, errors and scores in a real journal.

For the tests of the summary, the verdict and the reports. ``synthetic_run`` is a pure function of its
arguments; what it planted comes back beside the folder, so that a test can ask for it again.
"""

from __future__ import annotations

import datetime
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmload import journal
from mmload.model import (
    NS_PER_S,
    Answer,
    ErrorKind,
    ImageFile,
    Item,
    Outcome,
    PhasePlan,
    Record,
    Score,
    Telemetry,
)
from mmload.profile import Profile, to_toml_dict

TASKS = ("extract", "ui", "chart")
SIZES = {"s": (512, 512), "m": (1024, 768), "l": (1920, 1080)}
STARTED_AT = "2026-11-25T12:00:00+00:00"
LOG_SIGMA = 0.25


@dataclass(frozen=True)
class Stretch:
    """One phase of the synthetic run: what is planted in it."""

    name: str
    rpm: float
    duration_s: float
    shape: str = "sustained"
    warmup: bool = False
    e2e_ms: float = 800.0
    """Median time from sent to last byte (lognormal, sigma ``LOG_SIGMA``)."""
    quality: float = 0.95
    fail: float = 0.0
    shed: float = 0.0
    timeout: float = 0.0
    not_sent: float = 0.0
    critical: float = 0.0
    lag_us: int = 150
    """Mean send lag (exponential)."""
    pi: float = 1.0
    repeats: int = 1
    open_loop: bool = True
    users: int = 0


DEFAULT_STRETCHES = (
    Stretch("warm", 240, 10, warmup=True),
    Stretch("base", 300, 40, quality=0.97, repeats=2),
    Stretch(
        "burst",
        900,
        40,
        shape="burst",
        e2e_ms=1500,
        quality=0.80,
        fail=0.01,
        shed=0.05,
        timeout=0.01,
        critical=0.02,
    ),
)


@dataclass(frozen=True)
class SyntheticRun:
    """The folder, what is needed to read it, and what was planted."""

    dir: Path
    profile: Profile
    items: list[Item]
    header: dict[str, Any]
    records: list[Record] = field(repr=False)
    scores: list[Score] = field(repr=False)


def make_items(n: int = 60) -> list[Item]:
    """Items as a suite would hold them (their images exist in name only)."""
    return [_item(i) for i in range(n)]


def _item(i: int) -> Item:
    size = list(SIZES)[i // 3 % 3]
    width, height = SIZES[size]
    fmt = ("png", "jpeg", "webp")[i // 9 % 3]
    image = ImageFile(f"images/{i:05d}.{fmt}", width, height, fmt, None, f"{i:064x}", 40_000 + 1000 * i)
    answerable = i % 7 != 6
    return Item(
        index=i,
        id=f"{i:016x}",
        task=TASKS[i % 3],
        variant="clean",
        severity=0,
        answerable=answerable,
        twin="",
        slices={"image_size": size, "format": fmt, "prompt_size": ("64", "1024")[i % 2], "lang": "en"},
        images=(image,),
        system="You read screenshots.",
        prompt=f"What is the total of invoice {i}?",
        prompt_tokens=64 if i % 2 == 0 else 1024,
        truth={"answer": f"{i}.00"},
        evidence=(),
        nonce=f"N{i:05d}",
        canaries=(),
        streaming=i % 2 == 0,
    )


def make_profile(stretches: Sequence[Stretch] = DEFAULT_STRETCHES, **overrides: Any) -> Profile:
    """A profile that plans these stretches; ``overrides`` replace whole tables of it."""
    tables: dict[str, Any] = {
        "name": "synthetic",
        "seed": 7,
        "target": {"engine": "sim"},
        "phase": [
            {
                "name": s.name,
                "shape": s.shape,
                "duration_s": s.duration_s,
                "repeats": s.repeats,
                "warmup": s.warmup,
            }
            | ({"rpm": s.rpm} if s.open_loop else {"users": max(1, s.users)})
            for s in stretches
        ],
        "cost": {
            "as_of": "2026-11-01",
            "source": "synthetic price list",
            "models": {
                "sim-large": {
                    "input_usd_per_mtok": 2.5,
                    "output_usd_per_mtok": 10,
                    "cached_input_usd_per_mtok": 1.25,
                },
                "sim-small": {"input_usd_per_mtok": 0.4, "output_usd_per_mtok": 1.6},
            },
            "validator_usd": 0.0001,
            "tool_usd": 0.0002,
            "fallback_usd": 0.01,
            "review_rate": 0.02,
            "infrastructure_usd_per_hour": 1.2,
        },
        "gates": {"quality_min": 0.85, "error_max": 0.05, "over_slo_max": 0.10, "e2e_p95_ms": 4000},
    }
    return Profile.model_validate(tables | overrides)


def synthetic_run(
    run_dir: Path,
    stretches: Sequence[Stretch] = DEFAULT_STRETCHES,
    *,
    seed: int = 1,
    workers: int = 2,
    n_items: int = 60,
    end_reason: str | None = "done",
    batch: int = 64,
    **overrides: Any,
) -> SyntheticRun:
    """Write ``journal/run.mmj`` and ``journal/scores.mmj`` as a driven and graded run leaves them.

    ``end_reason`` None leaves the run without its last frame, as after a kill.
    """
    rng = np.random.default_rng(seed)
    items = make_items(n_items)
    profile = make_profile(stretches, **overrides)
    phases, planted = _plan(stretches)
    records: list[Record] = []
    scores: list[Score] = []
    for plan, stretch in zip(phases, planted, strict=True):
        for k, due_ns in enumerate(_arrivals(rng, plan, stretch)):
            record = _record(rng, plan, stretch, plan.first_seq + k, due_ns, items, workers)
            records.append(record)
            if record.sampled and record.outcome == Outcome.OK:
                scores.append(_score(rng, stretch, record, items[record.item]))
    if any(not p.open_loop for p in phases):
        phases = [p if p.open_loop else p._replace(planned=0) for p in phases]
    header = _header(run_dir, profile, phases, workers, items)
    _write(run_dir, header, items, records, scores, phases, workers, batch, end_reason)
    return SyntheticRun(run_dir, profile, items, header, records, scores)


def _plan(stretches: Sequence[Stretch]) -> tuple[list[PhasePlan], list[Stretch]]:
    plans: list[PhasePlan] = []
    planted: list[Stretch] = []
    start = 0
    seq = 0
    for s in stretches:
        for replicate in range(s.repeats):
            end = start + round(s.duration_s * NS_PER_S)
            planned = round(s.rpm * s.duration_s / 60)
            name = s.name if s.repeats == 1 else f"{s.name}-{replicate + 1}"
            plans.append(
                PhasePlan(
                    len(plans),
                    name,
                    s.shape,
                    s.open_loop,
                    s.warmup,
                    start,
                    end,
                    s.users,
                    seq,
                    planned,
                    replicate,
                    s.name,
                )
            )
            planted.append(s)
            start = end
            seq += planned if s.open_loop else 1 << 24
    return plans, planted


def _arrivals(rng: np.random.Generator, plan: PhasePlan, stretch: Stretch) -> list[int]:
    """Uniform order statistics: a Poisson process given its count."""
    return [int(t) for t in np.sort(rng.integers(plan.start_ns, plan.end_ns, plan.planned))]


def _fate(rng: np.random.Generator, s: Stretch) -> tuple[Outcome, str, int]:
    u = rng.random()
    for share, fate in (
        (s.fail, (Outcome.FAILED, ErrorKind.HTTP_5XX, 500)),
        (s.shed, (Outcome.SHED, ErrorKind.HTTP_429, 429)),
        (s.timeout, (Outcome.FAILED, ErrorKind.FIRST_BYTE_TIMEOUT, 0)),
        (s.not_sent, (Outcome.NOT_SENT, ErrorKind.SCHEDULE_DROP, 0)),
    ):
        if u < share:
            return fate
        u -= share
    return Outcome.OK, "", 200


def _record(
    rng: np.random.Generator,
    plan: PhasePlan,
    stretch: Stretch,
    seq: int,
    due_ns: int,
    items: Sequence[Item],
    workers: int,
) -> Record:
    outcome, error, status = _fate(rng, stretch)
    item = items[seq % len(items)]
    lag = int(rng.exponential(stretch.lag_us)) * 1000
    service = int(stretch.e2e_ms * 1e6 * np.exp(rng.normal(0, LOG_SIGMA)))
    if error == ErrorKind.FIRST_BYTE_TIMEOUT:
        service = 60 * NS_PER_S
    elif outcome != Outcome.OK:
        service = 3_000_000
    ok = outcome == Outcome.OK
    sent = None if outcome == Outcome.NOT_SENT else due_ns + lag
    end = None if sent is None else sent + service
    first_byte = None if sent is None or status == 0 else sent + service // 3
    streamed = ok and item.streaming
    gaps = rng.integers(5_000, 30_000, 12).astype("<u4").tobytes() if streamed else b""
    retried = ok and rng.random() < 0.01
    timing = (
        f"preprocess;dur=12.0, queue;dur={service / 4e6:.1f}, model;dur={service / 2e6:.1f}, validate;dur=0.2"
    )
    return Record(
        seq=seq,
        phase=plan.number,
        item=item.index,
        worker=seq % workers,
        due_ns=due_ns,
        sent_ns=sent,
        first_byte_ns=first_byte,
        first_token_ns=first_byte if streamed else None,
        end_ns=end,
        outcome=outcome.value,
        error=str(error),
        status=status,
        attempts=0 if sent is None else 2 if retried else 1,
        attempt_errors=ErrorKind.HTTP_5XX.value if retried else "",
        stale_retries=0,
        request_bytes=0 if sent is None else 60_000,
        response_bytes=400 if ok else 0,
        tokens_in=item.prompt_tokens + 765 if ok else None,
        tokens_out=80 if ok else None,
        tokens_cached=0 if ok else None,
        usage_source="usage" if ok else "",
        content_events=13 if streamed else 0,
        gaps_us=gaps,
        server_timing=timing if ok else "",
        model="sim-large" if ok else "",
        finish_reason="stop" if ok else "",
        kernel_clock=True,
        reused_connection=True,
        pi=float(np.float32(stretch.pi)),
        sampled=bool(rng.random() < stretch.pi),
        error_detail="" if ok else f"status {status}" if status else "nothing received",
    )


def _score(rng: np.random.Generator, stretch: Stretch, record: Record, item: Item) -> Score:
    passed = bool(rng.random() < stretch.quality)
    critical = int(not passed and rng.random() < stretch.critical / max(1e-9, 1 - stretch.quality))
    overreach = not item.answerable and not passed
    return Score(
        seq=record.seq,
        item=record.item,
        task=item.task,
        passed=passed,
        value=1.0 if passed else 0.5,
        schema="strict" if rng.random() < 0.98 else "repaired",
        status="answered" if item.answerable or overreach else "insufficient_evidence",
        answerable=item.answerable,
        claims={"attribute": 4},
        hallucinated={"attribute": 1} if critical else {},
        critical=critical,
        nonce="ok",
        safety=(),
        confidence=0.9,
        detail={"f1": 1.0 if passed else 0.5},
    )


def _header(
    run_dir: Path, profile: Profile, phases: list[PhasePlan], workers: int, items: Sequence[Item]
) -> dict[str, Any]:
    started = datetime.datetime.fromisoformat(STARTED_AT)
    return {
        "run_id": "synthetic-0001",
        "profile": to_toml_dict(profile),
        "suite_dir": str(run_dir / "suite"),
        "suite_id": "synthetic",
        "phases": [list(p) for p in phases],
        "workers": workers,
        "started_at": STARTED_AT,
        "t0_wall_ns": int(started.timestamp()) * NS_PER_S,
        "workload_fingerprint": "5" * 64,
        "matrix_version": "1.0.0",
        "target": "sim",
        "mmload_version": "0.1.0",
        "task_weights": dict(profile.mix.tasks),
    }


def _telemetry(phases: list[PhasePlan], records: Sequence[Record], workers: int) -> list[Telemetry]:
    seconds = phases[-1].end_ns // NS_PER_S
    rows = []
    for worker in range(workers):
        mine = [r for r in records if r.worker == worker and r.sent_ns is not None]
        sent = sorted(r.sent_ns for r in mine if r.sent_ns is not None)
        timed = [r for r in mine if r.end_ns is not None]
        begun = sorted(r.sent_ns for r in timed if r.sent_ns is not None)
        ended = sorted(r.end_ns for r in timed if r.end_ns is not None)
        for t_ns in range(NS_PER_S, (seconds + 1) * NS_PER_S, NS_PER_S):
            n = bisect_left(sent, t_ns)
            flying = bisect_left(begun, t_ns) - bisect_right(ended, t_ns)
            rows.append(Telemetry(worker, t_ns, 0.22, 800, 40, flying, 0, 90_000_000, n, 60_000 * n))
    return sorted(rows, key=lambda row: (row.t_ns, row.worker))


def _write(
    run_dir: Path,
    header: dict[str, Any],
    items: Sequence[Item],
    records: Sequence[Record],
    scores: Sequence[Score],
    phases: list[PhasePlan],
    workers: int,
    batch: int,
    end_reason: str | None,
) -> None:
    run = journal.Writer(run_dir / "journal" / "run.mmj")
    run.append(journal.RUN, header)
    by_end = sorted(records, key=lambda r: (r.end_ns or r.due_ns, r.seq))
    for plan in phases:
        run.append(journal.EVENT, {"t_ns": plan.start_ns, "name": "phase_start", "phase": plan.number})
        run.append(journal.EVENT, {"t_ns": plan.end_ns, "name": "phase_end", "phase": plan.number})
    for k in range(0, len(by_end), batch):
        part = by_end[k : k + batch]
        run.append(journal.RECORDS, part)
        answers = [
            Answer(r.seq, r.item, _answer(items[r.item])) for r in part if r.sampled and r.outcome == "ok"
        ]
        run.append(journal.ANSWERS, answers)
    run.append(journal.TELEMETRY, _telemetry(phases, records, workers))
    if end_reason is not None:
        sent = {str(w): {"sent": 0, "records": 0} for w in range(workers)}
        for r in records:
            sent[str(r.worker)]["records"] += 1
            sent[str(r.worker)]["sent"] += r.sent_ns is not None
        run.append(journal.END, {"reason": end_reason, "t_ns": phases[-1].end_ns, "workers": sent})
    run.close()
    grades = journal.Writer(run_dir / "journal" / "scores.mmj")
    for k in range(0, len(scores), batch):
        grades.append(journal.SCORES, list(scores[k : k + batch]))
    grades.close()


def _answer(item: Item) -> str:
    return '{{"status":"answered","answer":"{}","evidence":[],"confidence":0.9,"nonce":"{}"}}'.format(
        item.truth["answer"],
        item.nonce,
    )


def gaps_of(record: Record) -> list[int]:
    """The gaps of a record in microseconds."""
    return [g for (g,) in struct.iter_unpack("<I", record.gaps_us)]
