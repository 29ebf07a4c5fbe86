"""What is wrong with a profile, in words: where, what was found, what is allowed, the nearest spelling.

Not aware of files: a problem names a path of keys, the reader of the file adds the line.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from mmload.profile.lines import KeyPath
from mmload.profile.schema import Profile

_UNITS: Final = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_rpm": "requests per minute",
    "rpm": "requests per minute",
    "_usd": "dollars",
    "_bytes": "bytes",
}
_NUMERIC: Final = ("float_type", "int_type", "int_from_float", "list_type")


class Problem(NamedTuple):
    path: KeyPath
    text: str


def dotted(path: KeyPath) -> str:
    """``phase[0].rpm``"""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def nearest(word: str, allowed: Iterable[str]) -> str:
    """``; did you mean "x"?``, or nothing."""
    near = get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def found(value: Any) -> str:
    """A value as the user wrote it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value):
        return "a list of tables" if isinstance(value[0], Mapping) else "a list of lists"
    return reprlib.repr(value).replace("'", '"')


def of_pydantic(error: ValidationError, data: Mapping[str, Any]) -> list[Problem]:
    """One problem a key path; of the branches of a union, what fits the value that was found."""
    by_path: dict[KeyPath, list[Any]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        by_path.setdefault(_real_path(detail["loc"], data), []).append(detail)
    outer = {path[:end] for path in by_path for end in range(1, len(path))}
    # A list with one bad entry also fails as "not a number", the other branch of its union.
    return [Problem(path, _text(path, details)) for path, details in by_path.items() if path not in outer]


def fields_at(path: KeyPath) -> dict[str, Any]:
    """Fields of the model that the schema has at a path; empty where keys are free."""
    annotation: Any = Profile
    for part in path:
        model = model_in(annotation)
        if isinstance(part, int) or model is None:
            continue
        if part in model.model_fields:
            annotation = model.model_fields[part].annotation
    model = model_in(annotation)
    return dict(model.model_fields) if model else {}


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a type holds, itself or as the value of a list or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in get_args(annotation) if (m := model_in(arg))), None)


def _real_path(loc: tuple[int | str, ...], data: Any) -> KeyPath:
    """``loc`` without the names of union branches that pydantic puts between the keys."""
    path: KeyPath = ()
    for place, part in enumerate(loc):
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, Mapping) and part in data):
            path, data = (*path, part), data[part]
        elif isinstance(data, Mapping) and place == len(loc) - 1 and str(part).isidentifier():
            return (*path, part)
    return path


def _text(path: KeyPath, details: list[Any]) -> str:
    telling = [d for d in details if d["type"] not in _NUMERIC] or details
    detail = telling[0]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return _missing(path)
    wanted = _wanted(path, kind, context, details)
    hint = nearest(value, _choices(context)) if kind == "literal_error" and isinstance(value, str) else ""
    return f"found {found(value)}; {wanted}{hint}{_unit_hint(path, value)}"


def _unknown_key(path: KeyPath) -> str:
    name = str(path[-1])
    allowed = sorted(fields_at(path[:-1]))
    elsewhere = [where for where, fields in _homes() if name in fields and where != dotted(path[:-1])]
    if hint := nearest(name, allowed):
        return f"unknown key{hint}"
    if elsewhere:
        return f'unknown key here; "{name}" belongs in {" or ".join(elsewhere)}'
    return f"unknown key; allowed are {', '.join(allowed)}"


def _homes() -> list[tuple[str, Iterable[str]]]:
    tables = ("target", "arrivals", "sessions", "mix", "quality", "cost", "gates")
    homes: list[tuple[str, Iterable[str]]] = [(f"[{t}]", fields_at((t,))) for t in tables]
    homes += [("[[phase]]", fields_at(("phase", 0))), ("[target.sim]", fields_at(("target", "sim")))]
    return [*homes, ("the top of the file", Profile.model_fields)]


def _missing(path: KeyPath) -> str:
    if path == ("phase",):
        return "missing; a profile needs at least one [[phase]] with name, shape and duration_s"
    if path == ("target",):
        return 'missing; a profile needs a [target] with engine = "sim" or url = "http://..."'
    return f"missing; it is needed here{_unit_text(path)}"


def _choices(context: Mapping[str, Any]) -> list[str]:
    text = str(context.get("expected", ""))
    return [part.strip(" '") for part in text.replace(" or ", ",").split(",") if part.strip(" '")]


def _wanted(path: KeyPath, kind: str, context: Mapping[str, Any], details: list[Any]) -> str:
    kinds = {d["type"] for d in details}
    bounds = {
        "greater_than": "it must be above {gt:g}",
        "greater_than_equal": "it must be at least {ge:g}",
        "less_than": "it must be below {lt:g}",
        "less_than_equal": "it must be at most {le:g}",
        "too_short": "it must have at least {min_length} entry",
        "finite_number": "it must be a finite number",
        "string_pattern_mismatch": "letters, digits, '.', '_' and '-' only, at most 64",
    }
    if kind in bounds:
        return bounds[kind].format(**context) + _unit_text(path)
    if kind == "literal_error":
        return "allowed are " + ", ".join(f'"{choice}"' for choice in _choices(context))
    if kinds <= set(_NUMERIC) and "list_type" in kinds and len(kinds) > 1:
        return f"it must be a number or a list of numbers{_unit_text(path)}"
    if "dict_type" in kinds and len(kinds) > 1:
        return "it must be a whole number, or a table of such with their weights"
    types = {
        "float_type": "it must be a number",
        "int_type": "it must be a whole number",
        "int_from_float": "it must be a whole number",
        "string_type": 'it must be text in quotes, as "abc"',
        "bool_type": "it must be true or false",
        "list_type": "it must be a list",
        "dict_type": "it must be a table",
        "model_type": "it must be a table of keys",
    }
    return types.get(kind, str(details[0]["msg"]).lower()) + _unit_text(path)


def _unit(path: KeyPath) -> str:
    name = next((p for p in reversed(path) if isinstance(p, str)), "")
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def _unit_text(path: KeyPath) -> str:
    return f" ({unit})" if (unit := _unit(path)) else ""


def _unit_hint(path: KeyPath, value: Any) -> str:
    if isinstance(value, str) and _unit(path) and value[:1].isdigit():
        return ". Write the number alone: the unit is in the key's name"
    return ""
