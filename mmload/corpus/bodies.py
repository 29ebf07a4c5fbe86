"""Request bodies, made before the run: one file that every worker maps, and the place of each body in it.

Not aware of the wire protocol: the adapter's ``encode`` comes as an argument.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmload.corpus.scripts import Scripts, reference
from mmload.corpus.suite import Suite
from mmload.model import ImageFile, InputError, Item, Turn

EncodeItem = Callable[[Item, list[bytes], list[Turn]], bytes]
"""(item with ``streaming`` decided, its image files, the turns before it in its session) -> body."""
_VERSION: Final = 2
_PAGE: Final = 4096


@dataclass(frozen=True)
class Bodies:
    file: Path
    """All bodies one after the other, each from the start of a page."""
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    stream: NDArray[np.bool_]
    """Whether the item asks for a streamed answer."""
    sha256: str
    """Of all bodies in order: part of the workload fingerprint."""


def streams(item_id: str, share: float) -> bool:
    """Whether an item is streamed: a fixed draw from its id, so a larger share keeps all of a smaller one."""
    draw = hashlib.blake2b(item_id.encode(), digest_size=8, person=b"stream").digest()
    return int.from_bytes(draw, "big") < share * 2**64


def encode(
    suite: Suite,
    encode_item: EncodeItem,
    key: str,
    streaming: float = 0.0,
    scripts: Scripts | None = None,
) -> Bodies:
    """Bodies of all items, each with the turns before it if there are ``scripts``.

    Cached in the suite's folder under ``key`` (what else decides them: adapter and its version, model,
    options), the streamed share and the scripts. Raises ``InputError`` if they cannot be written.
    """
    talk = f"|{scripts.turns}" if scripts else ""
    name = hashlib.blake2b(f"{_VERSION}|{key}|{streaming!r}{talk}".encode(), digest_size=8).hexdigest()
    index, blob = suite.dir / f"bodies-{name}.npz", suite.dir / f"bodies-{name}.bin"
    cached = _cached(index, blob, len(suite.items))
    if cached is not None:
        return cached
    draft_index, draft_blob = (p.with_name(f".{os.getpid()}-{p.name}") for p in (index, blob))
    try:
        made = _write(suite, encode_item, streaming, draft_blob, scripts)
        with draft_index.open("wb") as file:
            np.savez(
                file, offset=made.offset, length=made.length, stream=made.stream, sha256=np.array(made.sha256)
            )
        draft_blob.replace(blob)
        draft_index.replace(index)
    except OSError as error:
        raise InputError(f"{blob}: request bodies cannot be written: {error.strerror}") from None
    finally:
        draft_index.unlink(missing_ok=True)
        draft_blob.unlink(missing_ok=True)
    return replace(made, file=blob)


def _cached(index: Path, blob: Path, items: int) -> Bodies | None:
    try:
        with np.load(index) as saved:
            found = Bodies(blob, saved["offset"], saved["length"], saved["stream"], str(saved["sha256"]))
        end = int(found.offset[-1] + found.length[-1])
        whole = blob.stat().st_size == end and len(found.offset) == items
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return found if whole else None


def _write(
    suite: Suite,
    encode_item: EncodeItem,
    streaming: float,
    path: Path,
    scripts: Scripts | None,
) -> Bodies:
    fresh = scripts.fresh(suite.items) if scripts else [item.images for item in suite.items]
    digest = hashlib.sha256()
    offsets, lengths, stream = [], [], []
    with path.open("wb") as file:
        for item, new in zip(suite.items, fresh, strict=True):
            history = _history(suite, scripts, fresh, item) if scripts else []
            item = replace(item, streaming=streams(item.id, streaming), images=new)
            body = encode_item(item, _read(suite, item), history)
            # From the start of a page: the kernel sends what straddles pages at half the speed.
            file.seek(-(-file.tell() // _PAGE) * _PAGE)
            offsets.append(file.tell())
            file.write(body)
            digest.update(body)
            lengths.append(len(body))
            stream.append(item.streaming)
    offset, length = np.array(offsets, dtype=np.int64), np.array(lengths, dtype=np.int64)
    return Bodies(path, offset, length, np.array(stream, dtype=np.bool_), digest.hexdigest())


def _read(suite: Suite, item: Item) -> list[bytes]:
    return [(suite.dir / image.file).read_bytes() for image in item.images]


def _history(
    suite: Suite, scripts: Scripts, fresh: Sequence[tuple[ImageFile, ...]], item: Item
) -> list[Turn]:
    earlier = [replace(suite.items[k], images=fresh[k]) for k in scripts.before(item.index)]
    return [Turn(one, _read(suite, one), reference(one)) for one in earlier]
