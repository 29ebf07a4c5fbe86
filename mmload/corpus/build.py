"""Draws a suite once and caches it. Safe when two processes build the same one, or when one is killed.

Not aware of how a task draws: tasks come as arguments. A scene (an item and its twins) is drawn in one
piece by one process, so that twins always show the same picture.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from mmload.corpus import own
from mmload.corpus.nonce import nonce
from mmload.corpus.plan import GENERATION, Slot, plan
from mmload.corpus.suite import FORMAT, Manifest, Suite, load, pixel_hash, sha256
from mmload.model import ImageFile, InputError, Item
from mmload.profile import Mix

if TYPE_CHECKING:
    from PIL import Image

Progress = Callable[[int, int], None]
"""(items done, items in all)."""
_TRIES: Final = 12
"""Scenes that a layout may refuse before the size itself is called impossible."""
_PNG_LEVEL: Final = 4


class Drawer(Protocol):
    """The part of a task that is needed here."""

    @property
    def version(self) -> str: ...
    @property
    def pairs(self) -> bool: ...
    @property
    def want(self) -> Callable[..., Any]: ...
    def draw(self, rng: random.Random, want: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Made:
    """One item as it came from a process."""

    item: Item | None
    hashes: dict[str, tuple[str, str]]
    void: str


def default_cache() -> Path:
    """``$MMLOAD_CACHE``, else ``$XDG_CACHE_HOME/mmload``, else ``~/.cache/mmload``."""
    own = os.environ.get("MMLOAD_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mmload"


def versions() -> dict[str, str]:
    """Libraries whose versions decide rasters and encoded bytes."""
    import numpy
    import PIL
    from PIL import features

    parts = {"freetype2": "freetype", "jpg": "libjpeg", "webp": "libwebp", "zlib": "zlib"}
    found = {label: str(features.version(name)) for name, label in parts.items()}
    return {"pillow": PIL.__version__, "numpy": numpy.__version__, **found}


def spec_of(mix: Mix, tasks: Mapping[str, Drawer]) -> dict[str, Any]:
    """All that decides what the items are."""
    keys = ("items", "suite_seed", "tasks", "unanswerable", "images", "formats", "prompt_tokens",
            "images_per_request", "languages", "variants")  # fmt: skip
    if mix.items_file is not None:
        path = Path(mix.items_file)
        if own.TASK not in tasks:
            raise InputError(
                f'mix.items_file: such items are scored by the task "{own.TASK}": leave mix.tasks out'
            )
        return {
            "format": FORMAT,
            "own": own.digest(path, own.read(path)),
            "tasks": {own.TASK: tasks[own.TASK].version},
        }
    dumped = mix.model_dump(mode="json")
    used = {name: tasks[name].version for name in mix.tasks if name in tasks}
    return {"generation": GENERATION, "format": FORMAT, "mix": {k: dumped[k] for k in keys}, "tasks": used}


def spec_id(spec: Mapping[str, Any]) -> str:
    data = msgspec.json.encode(spec, order="sorted")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def location(spec: Mix, tasks: Mapping[str, Drawer], cache: Path) -> Path:
    """Folder that the suite of a mix has in the cache, built or not."""
    mark = hashlib.blake2b(repr(sorted(versions().items())).encode(), digest_size=3).hexdigest()
    return cache / "suites" / f"{spec_id(spec_of(spec, tasks))}-{mark}"


def build(
    spec: Mix,
    tasks: Mapping[str, Drawer],
    cache: Path,
    progress: Progress | None = None,
    processes: int = 0,
) -> Suite:
    """The suite of a mix, from the cache or drawn into it. ``processes`` 0 takes all usable cores.

    Raises ``InputError`` for a mix that cannot be drawn or a cache that cannot be written.
    """
    described = spec_of(spec, tasks)
    name = spec_id(described)
    libraries = versions()
    final = location(spec, tasks, cache)
    if (final / "manifest.json").exists():
        try:
            return load(final)
        except InputError:
            shutil.rmtree(final, ignore_errors=True)
    draft = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    try:
        (draft / "images").mkdir(parents=True, exist_ok=True)
        if spec.items_file is None:
            slots = plan(spec, {known: task.pairs for known, task in tasks.items()})
            made = _draw_all(slots, tasks, draft, spec.suite_seed, progress, processes)
        else:
            made = _copied(own.read(Path(spec.items_file)), draft, progress)
        _write(draft, made, described, name, libraries)
        _move(draft, final)
    except OSError as error:
        raise InputError(f"{final}: the suite cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load(final)


def _move(draft: Path, final: Path) -> None:
    try:
        draft.rename(final)
    except OSError:
        if not (final / "manifest.json").exists():
            raise
        # Another process built the same suite first; both hold the same items.


def _write(
    draft: Path, made: Sequence[_Made], spec: dict[str, Any], name: str, libraries: dict[str, str]
) -> None:
    items = [m.item for m in made if m.item is not None]
    lines = b"\n".join(msgspec.json.encode(item) for item in items) + b"\n"
    hashes = {file: pair for m in made for file, pair in m.hashes.items()}
    pixels = sha256("".join(p for _, p in hashes.values()).encode())
    manifest = Manifest(
        FORMAT,
        name,
        spec,
        libraries,
        len(items),
        sha256(lines),
        pixels,
        hashes,
        [m.void for m in made if m.void],
    )
    (draft / "items.jsonl").write_bytes(lines)
    (draft / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def scenes(slots: Sequence[Slot]) -> list[list[Slot]]:
    """The items, twins together."""
    ordered = sorted(slots, key=lambda s: (s.task, s.scene, s.index))
    return [list(group) for _, group in groupby(ordered, key=lambda s: (s.task, s.scene))]


def _draw_all(
    slots: Sequence[Slot],
    tasks: Mapping[str, Drawer],
    draft: Path,
    seed: int,
    progress: Progress | None,
    processes: int,
) -> list[_Made]:
    """Items in order of their slots, numbered anew where a void one was left out."""
    made: dict[int, _Made] = {}
    for batch in _batches(scenes(slots), tasks, draft, seed, processes):
        made.update(batch)
        if progress:
            progress(len(made), len(slots))
    kept: list[_Made] = []
    index = 0
    for _, one in sorted(made.items()):
        if one.item is not None:
            one = replace(one, item=replace(one.item, index=index))
            index += 1
        kept.append(one)
    return kept


def _copied(rows: Sequence[own.Row], draft: Path, progress: Progress | None) -> list[_Made]:
    """A user's own items, with their images beside them."""
    made = []
    for index, row in enumerate(rows):
        hashes = {}
        for data, image in row.images:
            (draft / image.file).write_bytes(data)
            hashes[image.file] = (image.sha256, pixel_hash(data))
        made.append(_Made(own.item(row, index), hashes, ""))
        if progress:
            progress(index + 1, len(rows))
    return made


def _batches(
    jobs: list[list[Slot]], tasks: Mapping[str, Drawer], draft: Path, seed: int, processes: int
) -> Iterator[dict[int, _Made]]:
    workers = min(processes or len(os.sched_getaffinity(0)), len(jobs) // 8)
    if not all(_importable(task) for task in tasks.values()):
        workers = 1
    if workers <= 1:
        for job in jobs:
            yield _draw_scene(tasks[job[0].task], job, draft, seed)
        return
    # spawn: the caller may have threads, and a fork would copy their locks
    portable = pickle.dumps(dict(tasks))
    with ProcessPoolExecutor(workers, get_context("spawn"), _adopt, (portable, draft, seed)) as pool:
        yield from pool.map(_draw_here, jobs, chunksize=2)


def _importable(task: Drawer) -> bool:
    """Whether a new process can import the task by name; not so one that came from a plain plug-in file."""
    package = type(task).__module__.partition(".")[0]
    return PathFinder.find_spec(package) is not None


_here: tuple[Mapping[str, Drawer], Path, int] | None = None


def _adopt(portable: bytes, draft: Path, seed: int) -> None:
    global _here
    _here = (pickle.loads(portable), draft, seed)


def _draw_here(job: list[Slot]) -> dict[int, _Made]:
    assert _here is not None
    tasks, draft, seed = _here
    return _draw_scene(tasks[job[0].task], job, draft, seed)


def _draw_scene(task: Drawer, job: list[Slot], draft: Path, seed: int) -> dict[int, _Made]:
    """All twins of one scene. A layout that refuses a scene gets another; the twins move with it."""
    refused = ""
    for attempt in range(_TRIES):
        try:
            drawn = [task.draw(random.Random(slot.scene + attempt), _want(task, slot, seed)) for slot in job]
        except ValueError as error:
            refused = str(error)
            continue
        return {slot.index: _made(slot, one, draft, seed) for slot, one in zip(job, drawn, strict=True)}
    slot = job[0]
    raise InputError(
        f'task "{slot.task}" cannot draw an item of {slot.width}x{slot.height} pixels '
        f"(mix.images.{slot.size}): {refused}"
    )


def _want(task: Drawer, slot: Slot, seed: int) -> Any:
    return task.want(
        width=slot.width,
        height=slot.height,
        prompt_tokens=slot.prompt_tokens,
        answerable=slot.answerable,
        images=slot.images,
        lang=slot.lang,
        style=slot.style,
        variant=slot.variant,
        severity=slot.severity,
        nonce=nonce(seed, slot.index),
        canary="ZK-" + nonce(seed + 1, slot.index),
    )


def _made(slot: Slot, drawn: Any, draft: Path, seed: int) -> _Made:
    if drawn.void:
        return _Made(None, {}, f"{slot.id} {slot.task} {slot.variant}@{slot.severity}: {drawn.void}")
    images, hashes = [], {}
    for k, image in enumerate(drawn.images):
        name = f"images/{slot.id}-{k}.{slot.format}"
        data = encode_image(image, slot.format, slot.quality)
        (draft / name).write_bytes(data)
        digest = sha256(data)
        images.append(
            ImageFile(name, image.width, image.height, slot.format, slot.quality, digest, len(data))
        )
        hashes[name] = (digest, sha256(image.tobytes()))
    return _Made(_item(slot, drawn, tuple(images), seed), hashes, "")


def _item(slot: Slot, drawn: Any, images: tuple[ImageFile, ...], seed: int) -> Item:
    fmt = slot.format if slot.quality is None else f"{slot.format}-{slot.quality}"
    slices = {"image_size": slot.size, "format": fmt, "prompt_size": str(slot.prompt_tokens), **drawn.slices}
    return Item(
        index=slot.index,
        id=slot.id,
        task=slot.task,
        variant=slot.variant,
        severity=slot.severity,
        answerable=drawn.answerable,
        twin=slot.twin,
        slices=slices,
        images=images,
        system=drawn.system,
        prompt=drawn.prompt,
        prompt_tokens=-(-(len(drawn.prompt) + len(drawn.system)) // 4),
        truth=drawn.truth,
        evidence=tuple(drawn.evidence),
        nonce=nonce(seed, slot.index),
        canaries=drawn.canaries,
        max_tokens=drawn.max_tokens,
    )


def encode_image(image: Image.Image, kind: str, quality: int | None) -> bytes:
    """The file as it is sent: RGB, without metadata."""
    out = io.BytesIO()
    if kind == "png":
        image.save(out, "PNG", compress_level=_PNG_LEVEL)
    elif kind == "jpeg":
        image.save(out, "JPEG", quality=quality)
    else:
        image.save(out, "WEBP", quality=quality, method=2)
    return out.getvalue()
