"""A suite on disk: its items, its images, and the manifest that proves what they are.

    SUITE/manifest.json   identity, versions, hash of the items, hashes of every image's bytes and pixels
    SUITE/items.jsonl     one ``Item`` per line
    SUITE/images/         files as they are sent

Not aware of how items are drawn or sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from mmload.model import InputError, Item

FORMAT: Final = 1


class Manifest(msgspec.Struct, frozen=True):
    format: int
    suite_id: str
    spec: dict[str, Any]
    """The mix and the versions of the tasks: all that decides what the suite is."""
    versions: dict[str, str]
    """Libraries that decide rasters and bytes."""
    items: int
    items_sha256: str
    pixels_sha256: str
    """Of the pixel hashes of all images in order: the identity of what is seen."""
    images: dict[str, tuple[str, str]]
    """File -> SHA-256 of its bytes, SHA-256 of its RGB pixels."""
    void: list[str] = []
    """Items that lost their truth in a degradation, and why; they are not in the suite."""


@dataclass(frozen=True)
class Suite:
    dir: Path
    id: str
    items: list[Item]
    manifest: Manifest = field(repr=False)


_items = msgspec.json.Decoder(Item).decode_lines
_manifest = msgspec.json.Decoder(Manifest).decode


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def load(folder: Path) -> Suite:
    """Reads a built suite. Raises ``InputError`` if it is not one, or was made by another format."""
    try:
        manifest = _manifest((folder / "manifest.json").read_bytes())
        items = _items((folder / "items.jsonl").read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: not a suite: {error.strerror} ({error.filename})") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{folder}: not a suite: {error}") from None
    if manifest.format != FORMAT:
        raise InputError(
            f"{folder}: suite format {manifest.format}, this version reads {FORMAT}; build it again"
        )
    if len(items) != manifest.items:
        raise InputError(
            f"{folder}: {len(items)} items, but the manifest has {manifest.items}; build it again"
        )
    return Suite(folder, manifest.suite_id, items, manifest)


def load_items(folder: Path) -> list[Item]:
    """The items alone; raises as ``load``."""
    return load(folder).items


def verify(suite: Suite) -> list[str]:
    """What is not as the manifest says; empty if every hash of items, image bytes and pixels holds."""
    problems = []
    if sha256((suite.dir / "items.jsonl").read_bytes()) != suite.manifest.items_sha256:
        problems.append("items.jsonl: its hash is not the manifest's")
    listed = {image.file for item in suite.items for image in item.images}
    problems += [
        f"{name}: in the items but not in the manifest"
        for name in sorted(listed - set(suite.manifest.images))
    ]
    for name, (expected, pixels) in suite.manifest.images.items():
        try:
            data = (suite.dir / name).read_bytes()
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
            continue
        if sha256(data) != expected:
            problems.append(f"{name}: its hash is not the manifest's")
        elif name.endswith(".png") and pixel_hash(data) != pixels:
            problems.append(f"{name}: decodes to other pixels than the manifest's")
    return problems


def pixel_hash(data: bytes) -> str:
    """SHA-256 of the decoded RGB pixels of an encoded image."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return sha256(image.convert("RGB").tobytes())


def strata(suite: Suite) -> NDArray[np.int64]:
    """Stratum (task x image size x answerable) of each item, numbered from 0 in order of first appearance."""
    seen: dict[tuple[str, str, bool], int] = {}
    keys = [(i.task, i.slices.get("image_size", ""), i.answerable) for i in suite.items]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


class NoncesBut(Mapping[str, int]):
    """Nonces of all items but some: in a conversation the code of an earlier question is a wrong answer, but
    no leak from somebody else."""

    def __init__(self, every: Mapping[str, int], but: Collection[int]) -> None:
        self._every, self._but = every, frozenset(but)

    def __getitem__(self, nonce: str) -> int:
        item = self._every[nonce]
        if item in self._but:
            raise KeyError(nonce)
        return item

    def __iter__(self) -> Iterator[str]:
        return (nonce for nonce, item in self._every.items() if item not in self._but)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        """Without looking at all of them: this is asked for every answer."""
        return len(self._every) > len(self._but)


def nonces(suite: Suite) -> Mapping[str, int]:
    """Nonce -> index of its item: with it a scorer recognises another request's answer."""
    return {item.nonce: item.index for item in suite.items if item.nonce}
