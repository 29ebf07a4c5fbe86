"""``requests.parquet``: one row per planned request, streamed in row groups.

Not aware of where rows come from, nor of how they were scored or priced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmload.model import NS_PER_MS, Item, Money, Record, Score
from mmload.report.files import replacing

ROW_GROUP = 5_000


class RequestRow(NamedTuple):
    """One planned request with everything that is known of it."""

    record: Record
    phase_name: str
    item: Item | None
    cost: Money
    score: Score | None
    blame: str = ""
    """Whose failure it is, empty of none."""
    prompt_version: str = ""
    parts: Sequence[Money] = ()
    """``cost`` by component, in the order of ``COST_PARTS``; may be left out."""
    trace_id: str = ""
    """What the request carried in ``x-request-id`` and ``traceparent``, to find it in the target's traces."""
    session: int | None = None
    """Number of the session's first request; None of a request that stands alone."""
    turn: int | None = None
    """From 1."""


COST_PARTS = ("model", "retries", "validators", "tools", "fallback", "review")


_STRINGS = {
    "outcome",
    "error",
    "attempt_errors",
    "usage_source",
    "server_timing",
    "model",
    "finish_reason",
    "error_detail",
}
_BOOLS = {"kernel_clock", "reused_connection", "sampled"}


def _type_of(name: str) -> pa.DataType:
    if name == "gaps_us":
        return pa.list_(pa.uint32())
    if name == "pi":
        return pa.float32()
    if name in _STRINGS:
        return pa.string()
    return pa.bool_() if name in _BOOLS else pa.int64()


_OF_ITEM: dict[str, pa.DataType] = {
    "phase_name": pa.string(),
    "item_id": pa.string(),
    "task": pa.string(),
    "variant": pa.string(),
    "severity": pa.int64(),
    "answerable": pa.bool_(),
    "images": pa.int64(),
    "image_width": pa.int64(),
    "image_height": pa.int64(),
    "image_bytes": pa.int64(),
    "image_format": pa.string(),
    "prompt_tokens": pa.int64(),
    "streaming": pa.bool_(),
    "image_size": pa.string(),
    "prompt_size": pa.string(),
    "lang": pa.string(),
    "prompt_version": pa.string(),
}
_OF_RESULT: dict[str, pa.DataType] = {
    "e2e_ms": pa.float64(),
    "service_ms": pa.float64(),
    "ttft_ms": pa.float64(),
    "cost_usd": pa.float64(),
    "score": pa.float64(),
    "passed": pa.bool_(),
    "schema_status": pa.string(),
    "answer_status": pa.string(),
    "critical_hallucinations": pa.int64(),
    "blame": pa.string(),
    "trace_id": pa.string(),
    "session": pa.int64(),
    "turn": pa.int64(),
}
_OF_RESULT |= {f"{part}_micro_usd": pa.int64() for part in COST_PARTS}
SCHEMA = pa.schema(
    [(name, _type_of(name)) for name in Record._fields] + list(_OF_ITEM.items()) + list(_OF_RESULT.items())
)


def write_requests(
    path: Path,
    rows: Iterable[RequestRow],
    row_group: int = ROW_GROUP,
    about: Mapping[str, str | None] | None = None,
) -> int:
    """Write all rows; return how many. Holds one row group in memory. Raises ``OSError``.

    ``about``: of the run and the matrix that scored it, for the file's key-value metadata (``mmload.<key>``).
    """
    written = 0
    told = {f"mmload.{key}": value for key, value in (about or {}).items() if value}
    schema = SCHEMA.with_metadata(told) if told else SCHEMA
    source = iter(rows)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while batch := list(islice(source, row_group)):
            columns = list(zip(*(_flat(row) for row in batch), strict=True))
            arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            written += len(batch)
    return written


def _flat(row: RequestRow) -> tuple[Any, ...]:
    return (*_record(row.record), *_item(row), *_result(row))


def _record(record: Record) -> Iterator[Any]:
    for name, value in zip(Record._fields, record, strict=True):
        if isinstance(value, bytes):
            yield np.frombuffer(value, "<u4", len(value) // 4)
        else:
            yield str(value) if name in _STRINGS else value


def _item(row: RequestRow) -> tuple[Any, ...]:
    item = row.item
    if item is None:
        return (row.phase_name, *[None] * (len(_OF_ITEM) - 1))
    largest = max(item.images, key=lambda image: image.width * image.height, default=None)
    return (
        row.phase_name,
        item.id,
        item.task,
        item.variant,
        item.severity,
        item.answerable,
        len(item.images),
        largest.width if largest else None,
        largest.height if largest else None,
        sum(image.n_bytes for image in item.images),
        largest.format if largest else None,
        item.prompt_tokens,
        item.streaming,
        item.slices.get("image_size"),
        item.slices.get("prompt_size"),
        item.slices.get("lang"),
        row.prompt_version or None,
    )


def _result(row: RequestRow) -> tuple[Any, ...]:
    record, score = row.record, row.score
    return (
        _ms(record.due_ns, record.end_ns),
        _ms(record.sent_ns, record.end_ns),
        _ms(record.due_ns, record.first_token_ns),
        None if row.cost is None else row.cost / 1_000_000,
        score.value if score else None,
        score.passed if score else None,
        score.schema if score else None,
        score.status if score else None,
        score.critical if score else None,
        row.blame or None,
        row.trace_id or None,
        row.session,
        row.turn,
        *(row.parts or (None,) * len(COST_PARTS)),
    )


def _ms(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / NS_PER_MS
