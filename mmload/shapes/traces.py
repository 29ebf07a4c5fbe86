"""Timestamps of a recorded trace: plain CSV or JSONL, Mooncake, BurstGPT, Azure LLM inference.

The format is told by the file's own first line. Only the times are read, and which row each is of: what the
rows hold besides is read by ``mmload.corpus``, if the profile asks for it. Not aware of phases or rates.

| format | recognised by | time |
|---|---|---|
| plain CSV | its first column, or ``timestamp``, ``timestamp_ms``, ``time``... | s (ms) or a date |
| plain JSONL | on each line a number, or an object with such a key | s (ms) or a date |
| Mooncake (JSONL) | ``timestamp`` with ``input_length`` or ``hash_ids`` | milliseconds |
| BurstGPT (CSV) | ``Timestamp`` with ``Request tokens`` | seconds |
| Azure LLM inference (CSV) | ``TIMESTAMP`` with ``ContextTokens`` | date and time, 100 ns |
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mmload.corpus.own import TIMES
from mmload.model import InputError

_FRACTION: Final = re.compile(r"\.(\d+)")
MAX_LINES: Final = 20_000_000


def read_seconds(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Arrival times in seconds, sorted, the first at 0; and the row of each, counted from 0 in the file.

    Raises ``InputError`` with the line: unreadable file, unknown format, a time that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            numbered = (
                (n, line) for n, line in enumerate(file, 1) if line.strip() and not line.startswith("#")
            )
            times = np.fromiter(_times(path, numbered), np.float64)
    except OSError as error:
        raise InputError(f"{path}: the trace cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: the trace is not UTF-8 text") from None
    if not len(times):
        raise InputError(f"{path}: the trace holds no timestamp")
    rows = np.argsort(times, kind="stable")
    return times[rows] - times[rows[0]], rows


def _times(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[float]:
    first = next(lines, None)
    if first is None:
        return
    text = first[1].strip()
    is_json = text.startswith("{") or (
        path.suffix in (".jsonl", ".ndjson", ".json") and not text.startswith("[")
    )
    rows = _json_rows(path, first, lines) if is_json else _csv_rows(path, first, lines)
    for number, value, unit in rows:
        if number > MAX_LINES:
            raise InputError(f"{path}: more than {MAX_LINES:,} lines; cut the trace")
        yield _seconds(path, number, value) * unit


def _json_rows(
    path: Path, first: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, Any, float]]:
    for number, line in _again(first, lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{path}:{number}: not JSON: {line.strip()[:60]}") from None
        if not isinstance(row, dict):
            yield number, row, 1.0
            continue
        key = next((k for k in TIMES if k in row), None)
        if key is None:
            keys = ", ".join(list(row)[:8])
            raise InputError(f"{path}:{number}: no time; found {keys}; one of {', '.join(TIMES)} is needed")
        is_mooncake = key == "timestamp" and ("input_length" in row or "hash_ids" in row)
        yield number, row[key], 1e-3 if is_mooncake or key.endswith("_ms") else 1.0


def _csv_rows(
    path: Path, first: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, str, float]]:
    header = next(csv.reader([first[1]]))
    column, unit = 0, 1.0
    if _is_time(header[0]):
        lines = _again(first, lines)
    else:
        names = [name.strip().lower() for name in header]
        key = next((k for k in TIMES if k in names), None)
        if key is None:
            found, needed = ", ".join(header[:8]), ", ".join(TIMES)
            raise InputError(
                f"{path}:{first[0]}: no column of times; found {found}; needed is one of {needed}"
            )
        column, unit = names.index(key), 1e-3 if key.endswith("_ms") else 1.0
    for number, line in lines:
        row = next(csv.reader([line]))
        if len(row) <= column:
            raise InputError(f"{path}:{number}: {len(row)} columns; the time is in column {column + 1}")
        yield number, row[column], unit


def _again(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from lines


def _is_time(text: str) -> bool:
    try:
        _seconds(Path(), 0, text)
    except InputError:
        return False
    return True


def _seconds(path: Path, number: int, value: Any) -> float:
    """A number of seconds, or the time since 1970 of an ISO 8601 date (UTC if it names no zone)."""
    if isinstance(value, str):
        value = value.strip()
        try:
            value = float(value)
        except ValueError:
            value = _since_1970(value)
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    if not valid or not np.isfinite(value):
        raise InputError(f"{path}:{number}: {value!r} is no time; seconds or a date as 2026-01-31T12:00:00")
    return float(value)


def _since_1970(text: str) -> float | str:
    """Seconds, with all digits of the fraction that a float holds (``datetime`` stops at microseconds)."""
    fraction = _FRACTION.search(text)
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text))
    except ValueError:
        return text
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() + (float(f"0.{fraction[1]}") if fraction else 0.0)
