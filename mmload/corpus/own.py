"""A user's own items: a JSONL file beside a folder of images.

Each line is an object:

    {"images": ["shots/a.png"], "prompt": "...", "expected": "...", "scorer": "exact",
     "system": "", "schema": {...}, "threshold": 0.95, "answerable": true, "slices": {"lang": "de"},
     "id": "a-1", "max_tokens": 512}

``images`` (paths relative to the file), ``prompt`` and ``expected`` are required. Rows of a replay trace
carry these keys beside their time; keys of time are passed over, as are empty lines and those that begin
with ``#``. Not aware of how scorers work.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mmload.model import ImageFile, InputError, Item

TASK: Final = "own"
"""Name of the task that scores such items."""
SCORERS: Final[dict[str, type | tuple[type, ...]]] = {
    "exact": (str, int, float),
    "anls": (str, list),
    "contains": (str, list),
    "amount": (str, int, float),
    "date": str,
    "relaxed": (str, int, float),
    "fields": dict,
    "json": (dict, list, str, int, float, bool),
}
"""Scorers, and what ``expected`` must be for each."""
TIMES: Final = ("timestamp_s", "timestamp_ms", "timestamp", "time", "time_s", "time_ms", "t")
"""Keys of the time in a row of a trace; the first that is there counts."""
_KEYS: Final[dict[str, type | tuple[type, ...]]] = {
    "images": list,
    "prompt": str,
    "expected": object,
    "scorer": str,
    "system": str,
    "schema": dict,
    "threshold": (int, float),
    "answerable": bool,
    "slices": dict,
    "id": str,
    "max_tokens": int,
}
_FORMATS: Final = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
_SUFFIX: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line, checked."""

    line: int
    id: str
    images: tuple[tuple[bytes, ImageFile], ...]
    prompt: str
    expected: Any
    scorer: str
    system: str
    schema: Mapping[str, Any] | None
    threshold: float
    answerable: bool
    max_tokens: int
    slices: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> list[Row]:
    """All rows. Raises ``InputError`` that names the file, the line and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from None
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            row = _row(path, number, line)
            if row.id in seen:
                raise InputError(f'{path}:{number}: id "{row.id}" is that of line {seen[row.id]}')
            seen[row.id] = number
            rows.append(row)
    if not rows:
        raise InputError(f"{path}: no items in it")
    return rows


def digest(path: Path, rows: list[Row]) -> str:
    """Identity of the items: their lines and the bytes of their images."""
    total = hashlib.blake2b(path.read_bytes(), digest_size=16)
    for row in rows:
        for _, image in row.images:
            total.update(image.sha256.encode())
    return total.hexdigest()


def item(row: Row, index: int) -> Item:
    """The row as an item of the task ``own``. The ideal text of its answer is ``truth["text"]``."""
    expected = row.expected if row.answerable else None
    truth = {
        "status": "answered" if row.answerable else "insufficient_evidence",
        "answer": expected,
        "text": _ideal(row.scorer, expected),
        "plausible": {},
        "bait": "",
        "scorer": row.scorer,
        "schema": row.schema,
        "threshold": row.threshold,
    }
    sizes = max((i.width * i.height for _, i in row.images), default=0)
    slices = {"image_size": _size(sizes), "prompt_size": "own", **row.slices}
    return Item(
        index=index,
        id=row.id,
        task=TASK,
        variant="clean",
        severity=0,
        answerable=row.answerable,
        twin="",
        slices=slices,
        images=tuple(i for _, i in row.images),
        system=row.system,
        prompt=row.prompt,
        prompt_tokens=-(-(len(row.prompt) + len(row.system)) // 4),
        truth=truth,
        evidence=(),
        nonce="",
        canaries=(),
        max_tokens=row.max_tokens,
    )


def _ideal(scorer: str, expected: Any) -> str:
    """A text that is right."""
    if isinstance(expected, list) and scorer in ("anls", "contains"):
        return str(expected[0]) if scorer == "anls" else " ".join(str(e) for e in expected)
    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)


def _size(pixels: int) -> str:
    """Bucket by area: up to 256², 512², 1024x768, 1920x1080, and more."""
    limits = {"none": 0, "xs": 256**2, "s": 512**2, "m": 1024 * 768, "l": 1920 * 1080}
    return next((name for name, limit in limits.items() if pixels <= limit), "xl")


def _row(path: Path, number: int, line: str) -> Row:
    where = f"{path}:{number}"
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{where}: a line must hold an object, found {type(raw).__name__}")
    _check_keys(where, raw)
    scorer = raw.get("scorer", "json" if "schema" in raw else "exact")
    answerable = raw.get("answerable", True)
    _check_scorer(where, scorer, raw.get("expected"), answerable)
    threshold = float(raw.get("threshold", 1.0 if scorer != "fields" else 0.95))
    if not 0 < threshold <= 1:
        raise InputError(f"{where}: threshold is {threshold:g}; allowed is more than 0, up to 1")
    images = tuple(_image(where, path.parent, k, name) for k, name in enumerate(raw["images"]))
    name = raw.get("id") or hashlib.blake2b(f"{number}|{line}".encode(), digest_size=8).hexdigest()
    return Row(
        number, name, images, raw["prompt"], raw.get("expected"), scorer, raw.get("system", ""),
        _schema(where, raw.get("schema")), threshold, answerable, raw.get("max_tokens", 1024),
        {str(k): str(v) for k, v in raw.get("slices", {}).items()},
    )  # fmt: skip


def _check_keys(where: str, raw: Mapping[str, Any]) -> None:
    for key, value in raw.items():
        if key in TIMES:
            continue
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            raise InputError(
                f'{where}: unknown key "{key}"' + (f'; did you mean "{near[0]}"?' if near else "")
            )
        kind = _KEYS[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
            names = kind if isinstance(kind, tuple) else (kind,)
            raise InputError(
                f"{where}: {key} is {type(value).__name__}, must be {' or '.join(k.__name__ for k in names)}"
            )
    for key in ("images", "prompt"):
        if key not in raw:
            raise InputError(f'{where}: key "{key}" is missing')
    if "expected" not in raw and raw.get("answerable", True):
        raise InputError(f'{where}: key "expected" is missing')


def _check_scorer(where: str, scorer: str, expected: Any, answerable: bool) -> None:
    if scorer not in SCORERS:
        near = difflib.get_close_matches(scorer, SCORERS, 1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; there are: {', '.join(SCORERS)}"
        raise InputError(f'{where}: no scorer "{scorer}"{hint}')
    kind = SCORERS[scorer]
    if answerable and (not isinstance(expected, kind) or (isinstance(expected, bool) and scorer != "json")):
        names = kind if isinstance(kind, tuple) else (kind,)
        raise InputError(
            f'{where}: scorer "{scorer}" needs expected to be {" or ".join(k.__name__ for k in names)}, '
            f"found {type(expected).__name__}"
        )


def _schema(where: str, schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if schema is not None:
        import jsonschema_rs

        try:
            jsonschema_rs.Draft202012Validator(dict(schema))
        except (ValueError, jsonschema_rs.ValidationError) as error:
            raise InputError(f"{where}: schema is no JSON Schema: {error}") from None
    return schema


def _image(where: str, folder: Path, number: int, name: Any) -> tuple[bytes, ImageFile]:
    import io

    from PIL import Image

    if not isinstance(name, str):
        raise InputError(f"{where}: images[{number}] is {type(name).__name__}, must be a path")
    path = folder / name
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
            kind, (width, height) = str(picture.format), picture.size
    except OSError as error:
        raise InputError(f"{where}: images[{number}]: {path}: {error.strerror or 'not an image'}") from None
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{where}: images[{number}]: {path}: {error}") from None
    if kind not in _FORMATS:
        raise InputError(f"{where}: images[{number}]: {path}: {kind}; allowed are PNG, JPEG and WebP")
    digest_ = hashlib.sha256(data).hexdigest()
    fmt = _FORMATS[kind]
    return data, ImageFile(
        f"images/{digest_[:24]}.{_SUFFIX[fmt]}", width, height, fmt, None, digest_, len(data)
    )
