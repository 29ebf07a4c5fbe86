"""Integer sums by key: the part of a summary that is a table. Not aware of what its columns mean."""

from __future__ import annotations

import msgspec
import numpy as np

from mmload.histogram import Ints


class Table:
    """``width`` int64 sums for every integer key; adding tables is exact, associative, commutative."""

    __slots__ = ("_data", "_row", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self._row: dict[int, int] = {}
        self._data: Ints = np.zeros((64, width), np.int64)

    def add(self, keys: Ints, rows: Ints) -> None:
        """Add ``rows[i]`` (shape (n, width)) to the sums of ``keys[i]`` (shape (n,))."""
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        sums = np.add.reduceat(rows[order], starts, axis=0)
        where = np.array([self._place(int(k)) for k in ordered[starts]], np.int64)
        self._data[where] += sums

    def _place(self, key: int) -> int:
        row = self._row.get(key)
        if row is None:
            row = self._row[key] = len(self._row)
            if row >= len(self._data):
                self._data = np.concatenate([self._data, np.zeros_like(self._data)])
        return row

    def merge(self, other: Table) -> None:
        self.add(*other.arrays())

    def arrays(self) -> tuple[Ints, Ints]:
        """Keys ascending (shape (n,)) and their sums (shape (n, width))."""
        keys = np.fromiter(self._row.keys(), np.int64, len(self._row))
        order = np.argsort(keys)
        return keys[order], self._data[: len(keys)][order]

    def get(self, key: int) -> Ints | None:
        row = self._row.get(key)
        return None if row is None else self._data[row]

    def to_bytes(self) -> bytes:
        keys, rows = self.arrays()
        return msgspec.msgpack.encode((self.width, keys.tobytes(), rows.tobytes()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Table:
        width, keys, rows = msgspec.msgpack.decode(data, type=tuple[int, bytes, bytes])
        made = cls(width)
        made.add(np.frombuffer(keys, np.int64), np.frombuffer(rows, np.int64).reshape(-1, width))
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        mine, theirs = self.arrays(), other.arrays()
        return np.array_equal(mine[0], theirs[0]) and np.array_equal(mine[1], theirs[1])

    __hash__ = None  # type: ignore[assignment]  # mutable
