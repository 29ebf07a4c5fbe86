"""``summary.json`` and the error kinds for readers and validators, from one description (``described.py``).

``docs/generate.py`` writes the pages and the JSON Schema; a test holds real runs against the schema. What the
contract names is required; what stands beside it is allowed if its type is what its name's unit says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mmload.model import LOCAL_KINDS, ErrorKind
from mmload.report.described import COUNTS, ERRORS, LATENCIES, LATENCY, SUMMARY, Spec
from mmload.summary import SCHEMA_VERSION

_TYPES: Final = {"int": "integer", "num": "number", "text": "string", "bool": "boolean"}
_SIDES: Final = {
    ErrorKind.SESSION_ENDED: "as of the turn before",
    ErrorKind.SESSION_CUT: "the profile's `drain_s`",
}
_BY_UNIT: Final = {
    "_(ms|s|rpm|usd|ratio|bytes)$": {"type": ["number", "null", "object"]},
    "^n(_[a-z]+)?$": {"type": ["integer", "null"], "minimum": 0},
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``summary.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"summary.json of mmload, version {SCHEMA_VERSION}",
        **_object(SUMMARY),
    }


def _object(spec: Spec) -> dict[str, Any]:
    if "[]" in spec:
        return {"type": "array", "items": _value(*spec["[]"])}
    named = {key.rstrip("?"): _value(*about) for key, about in spec.items() if key != "*"}
    for key in (key.rstrip("?") for key in spec if key.endswith("?")):
        named[key] |= {"type": ["object", "null"]}
    found: dict[str, Any] = {
        "type": "object",
        "required": [key for key in spec if key != "*" and not key.endswith("?")],
        "properties": named,
        "patternProperties": _BY_UNIT,
    }
    if "*" in spec:
        del found["patternProperties"]
        found["additionalProperties"] = _value(*spec["*"])
    return found


def _value(kind: Any, said: str) -> dict[str, Any]:
    told = {"description": said} if said else {}
    match kind:
        case Mapping():
            return {**told, **_object(kind)}
        case tuple():
            return {**told, "enum": list(kind)}
        case "any":
            return told
        case "texts":
            return {**told, "type": "array", "items": {"type": "string"}}
    name = _TYPES[kind.rstrip("?")]
    bound = {"minimum": 0} if kind == "int" else {}
    return {**told, "type": [name, "null"] if kind.endswith("?") else name, **bound}


def summary_page() -> str:
    """The reference of ``summary.json`` as Markdown."""
    lines = [
        "# `summary.json`",
        "",
        "Every figure of a run, from the code that describes it (`docs/generate.py` writes this page and",
        "[`summary.schema.json`](summary.schema.json), which a test holds real runs against). How each is",
        "computed: [numbers.md](numbers.md). Absent is `null`, never 0. A key that is not listed here may",
        f"stand beside those that are; its unit is in its name. Version {SCHEMA_VERSION}.",
        "",
        "| key | type | what |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *_rows(SUMMARY, "")]) + "\n"


def _rows(spec: Spec, path: str) -> Iterator[str]:
    for name, (kind, said) in spec.items():
        key, empty = name.rstrip("?"), " or null" if name.endswith("?") else ""
        here = f"{path}[]" if key == "[]" else f"{path}.{key}" if path else key
        here = here.replace(".*", ".NAME")
        if isinstance(kind, Mapping):
            yield f"| `{here}` | {'list' if '[]' in kind else 'object'}{empty} | {said} |"
            seen = {id(LATENCY): "latency_ms.e2e", id(LATENCIES): "latency_ms", id(COUNTS): "counts"}
            like = seen.get(id(kind))
            if like is None or like == here:
                yield from _rows(kind, here)
            continue
        words = " or ".join(f"`{w}`" for w in kind) if isinstance(kind, tuple) else _said(kind)
        yield f"| `{here}` | {words.replace('`None`', 'null')} | {said} |"


def _said(kind: str) -> str:
    if kind in ("any", "texts"):
        return {"any": "object", "texts": "list of texts"}[kind]
    words = {"int": "whole number", "num": "number", "text": "text", "bool": "true or false"}[
        kind.rstrip("?")
    ]
    return f"{words} or null" if kind.endswith("?") else words


def errors_page() -> str:
    """The error kinds as Markdown."""
    lines = [
        "# Error kinds",
        "",
        "Why a request did not end as `ok`: a closed set, in `summary.json` (`counts.errors`), in",
        "`requests.parquet` (`error`) and on the metrics (`error_type`). Written by `docs/generate.py`.",
        "",
        "Kinds on our side are never charged to the target, and any of them makes a run invalid.",
        "",
        "| kind | whose side | what happened |",
        "|---|---|---|",
    ]
    rows = [f"| `{kind.value}` | {_side(kind)} | {said} |" for kind, said in ERRORS.items()]
    return "\n".join([*lines, *rows]) + "\n"


def _side(kind: ErrorKind) -> str:
    return _SIDES.get(kind) or ("ours" if kind in LOCAL_KINDS else "target or network")
