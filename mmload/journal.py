"""The crash-safe record of a run: append-only frames, each with its length and checksum.

Not aware of what a frame means to whoever reads it, of scoring, or of who is still writing.

File: the 8 bytes ``MMLOAD1\\n``, then frames ``<u32 length><u32 crc32><payload>`` in little-endian
order; the payload is msgpack of ``[kind, body]``. A file cut anywhere (a kill, a full disk) yields
every whole frame before the cut, and says that it was cut.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from mmload.model import Answer, InputError, Judgement, Record, Score, Telemetry

MAGIC: Final = b"MMLOAD1\n"
_HEAD: Final = struct.Struct("<II")
_MAX_FRAME: Final = 256 * 1024 * 1024

RUN_JOURNAL: Final = "journal/run.mmj"
SCORES_JOURNAL: Final = "journal/scores.mmj"
JUDGE_JOURNAL: Final = "journal/judge.mmj"
"""Where each process of a run writes, in its folder."""
IDLE_S: Final = 60.0
"""Workers write telemetry every second: a journal of a run this silent has lost its writer."""

RUN: Final = "run"
"""A mapping: run id, plan, suite folder, what a report needs to know before any record."""
RECORDS: Final = "records"
ANSWERS: Final = "answers"
TELEMETRY: Final = "telemetry"
EVENT: Final = "event"
"""A mapping with ``t_ns``, ``name`` and what belongs to it (phase started, worker lost...)."""
SCORES: Final = "scores"
JUDGEMENTS: Final = "judgements"
END: Final = "end"
"""The last frame of a run that ended by itself, with the totals that every worker reported."""

_BODY_TYPES: Final[dict[str, Any]] = {
    RECORDS: list[Record],
    ANSWERS: list[Answer],
    TELEMETRY: list[Telemetry],
    SCORES: list[Score],
    JUDGEMENTS: list[Judgement],
}
_encode = msgspec.msgpack.Encoder().encode
_split = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode
_decoders: Final = {kind: msgspec.msgpack.Decoder(t).decode for kind, t in _BODY_TYPES.items()}
_decode_any = msgspec.msgpack.Decoder().decode


def decode_body(kind: str, raw: bytes | msgspec.Raw) -> Any:
    """Body of a frame as the type that its kind promises."""
    return _decoders.get(kind, _decode_any)(raw)


def make_folder(name: str, out: Path | None) -> Path:
    """A new run folder for the journals of profile ``name``: ``out``, or ``reports/<name>-<UTC time>``.

    Raises ``InputError`` if it cannot be written or holds a run already.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    run_dir = out or Path("reports") / f"{name}-{stamp}"
    if (run_dir / "journal").exists():
        raise InputError(f"--out {run_dir}: there is a run in this folder already; give another")
    try:
        (run_dir / "journal").mkdir(parents=True)
    except OSError as e:
        raise InputError(f"--out {run_dir}: cannot be written ({e.strerror})") from None
    return run_dir


class Writer:
    """Appends frames. One process writes one journal."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(self._file, fcntl.LOCK_SH)
        if self._file.tell() == 0:
            self._file.write(MAGIC)

    def append(self, kind: str, body: Any) -> None:
        """Write one frame in one system call. Raises ``OSError`` (disk full, read-only)."""
        self.append_encoded(kind, msgspec.Raw(_encode(body)))

    def append_encoded(self, kind: str, body: msgspec.Raw) -> None:
        """As ``append`` for a body that is msgpack already, as it came from a worker."""
        self._write(_encode((kind, body)))

    def _write(self, payload: bytes) -> None:
        frame = memoryview(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        begin = self._file.seek(0, os.SEEK_END)
        try:
            while frame:
                frame = frame[self._file.write(frame) :]
        except OSError:
            with suppress(OSError):  # half a frame would hide all that is written behind it
                self._file.truncate(begin)
            raise

    @property
    def closed(self) -> bool:
        return self._file.closed

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self.sync()
        self._file.close()


class Follower:
    """Reads a journal that may still be growing. ``poll`` gives the frames that are whole by now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.damaged = ""
        """Why reading stopped for good (a checksum that does not fit); empty while all is well."""

    def poll(self) -> Iterator[tuple[str, Any]]:
        """Yield the whole frames beyond the last one that was read; nothing if there are none."""
        for kind, body, _ in self._poll(None):
            yield kind, body

    def _poll(self, wanted: Collection[str] | None) -> Iterator[tuple[str, Any, bytes]]:
        """As ``poll``, with the payload; a body of no ``wanted`` kind is not decoded, and ``None``."""
        if self.damaged:
            return
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            if self.offset == 0:
                head = file.read(len(MAGIC))
                if len(head) < len(MAGIC):
                    return
                if head != MAGIC:
                    raise InputError(f"{self.path}: not a journal of mmload (it begins with {head!r})")
                self.offset = len(MAGIC)
            file.seek(self.offset)
            while True:
                head = file.read(_HEAD.size)
                if len(head) < _HEAD.size:
                    return
                length, crc = _HEAD.unpack(head)
                if length > _MAX_FRAME:
                    self.damaged = f"frame of {length} bytes at byte {self.offset}"
                    return
                payload = file.read(length)
                if len(payload) < length:
                    return
                if zlib.crc32(payload) != crc:
                    self.damaged = f"checksum does not fit at byte {self.offset}"
                    return
                try:
                    kind, raw = _split(payload)
                    body = decode_body(kind, raw) if wanted is None or kind in wanted else None
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    self.damaged = f"no frame of ours at byte {self.offset}"
                    return
                self.offset += _HEAD.size + length
                yield kind, body, payload

    @property
    def unread_bytes(self) -> int:
        """Bytes behind the last whole frame: above 0 once the writer is gone, the journal was cut."""
        try:
            return self.path.stat().st_size - self.offset
        except FileNotFoundError:
            return 0


def frame_at(path: Path, offset: int) -> tuple[str, Any]:
    """The frame that begins at a byte, of a journal that was read to there. Raises ``OSError`` or
    ``ValueError`` if it is no longer what it was."""
    with path.open("rb") as file:
        file.seek(offset)
        length, crc = _HEAD.unpack(file.read(_HEAD.size))
        payload = file.read(length)
    if zlib.crc32(payload) != crc:
        raise ValueError(f"{path}: changed while it was read")
    kind, raw = _split(payload)
    return kind, decode_body(kind, raw)


def seqs(follower: Follower, kind: str) -> Iterator[int]:
    """``seq`` of all that the frames of this kind hold, of those that were not read yet."""
    for found, body in follower.poll():
        if found == kind:
            yield from (row.seq for row in body)


def resume(path: Path, kind: str) -> set[int]:
    """``seq`` of all that the frames of this kind hold; cuts off the torn end that a killed writer may have
    left, so that another one can go on. Nothing if there is no such file."""
    follower = Follower(path)
    done = set(seqs(follower, kind))
    if follower.damaged or follower.unread_bytes:
        os.truncate(path, follower.offset)
    return done


def rewrite(path: Path, change: Mapping[str, Callable[[Any], Any]], patience_s: float = 0.0) -> None:
    """Put ``change[kind](body)`` in the place of each frame's body of those kinds, in all of them at once.

    What else the journal holds stays byte by byte; one that was cut or damaged stays so, at the same frame.
    Raises ``OSError`` and leaves it as it was, also if somebody still writes it after ``patience_s``.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    follower = Follower(path)
    try:
        _alone(path, patience_s)
        writer = Writer(draft)
        for kind, body, payload in follower._poll(change):
            writer._write(payload if body is None else _encode((kind, change[kind](body))))
        with path.open("rb") as file:
            file.seek(follower.offset)
            # Of what cannot be read its head is enough to show that it is there.
            writer._file.write(file.read() if follower.damaged else file.read(_HEAD.size))
        writer.close()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _alone(path: Path, patience_s: float) -> None:
    give_up = time.monotonic() + patience_s
    with path.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise BlockingIOError(errno.EBUSY, "it is still being written") from None
                time.sleep(0.02)
            else:
                return


def read(path: Path) -> tuple[list[tuple[str, Any]], bool]:
    """All whole frames of a journal, and whether it was cut or damaged behind them.

    Holds the whole run in memory: for small journals and tests. Use ``Follower.poll`` to stream.
    """
    follower = Follower(path)
    frames = list(follower.poll())
    return frames, bool(follower.damaged) or follower.unread_bytes > 0
