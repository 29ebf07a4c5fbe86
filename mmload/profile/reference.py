"""The profile's format for editors (JSON Schema) and for readers (a Markdown page), from the schema itself.

Not aware of where they are kept; ``docs/generate.py`` writes them.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, Literal, get_args, get_origin

import tomli_w
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmload.profile.problems import model_in
from mmload.profile.schema import Profile
from mmload.profile.shape_keys import BUILT_IN

_PLAIN: Final = {str: "text", bool: "true or false", int: "whole number", float: "number"}
_BOUNDS: Final = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
_HEAD: Final = """\
# Profile reference

Every key of a traffic profile, from the code that reads it (`docs/generate.py` writes this page). For a
profile that explains itself, read [`traffic_profiles/burst.toml`](../traffic_profiles/burst.toml); how to
write your own: [howto-write-a-profile.md](howto-write-a-profile.md).

An unknown key is an error. Units are in the names: `_s` seconds, `_ms` milliseconds, `rpm` requests per
minute, `_usd` dollars, `_bytes` bytes; the value is the number alone. Any key can be set for one run:
`--set phase.NAME.rpm=600`. The first line of a profile, `#:schema ./profile.schema.json`, gives editors
completion and checks.
"""


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a profile. Names that plug-ins may add to are suggested, not prescribed."""
    schema = Profile.model_json_schema()
    _describe(Profile, schema, schema["$defs"])
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "mmload traffic profile"
    schema["description"] = "A traffic profile of mmload"
    shape = schema["$defs"]["Phase"]["properties"]["shape"]
    shape.pop("type", None)
    shape["anyOf"] = [{"enum": sorted(BUILT_IN)}, {"type": "string"}]
    return schema


def _describe(model: type[BaseModel], schema: dict[str, Any], below: dict[str, dict[str, Any]]) -> None:
    """Put the docstrings of the keys of ``model``, and of the tables in it, into its JSON Schema."""
    for name, text in _docstrings(model).items():
        schema["properties"][name] = dict(sorted({**schema["properties"][name], "description": text}.items()))
    for field in model.model_fields.values():
        if inner := model_in(field.annotation):
            _describe(inner, below[inner.__name__], below)


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each key in the source."""
    table = ast.parse(inspect.getsource(model)).body[0]
    assert isinstance(table, ast.ClassDef)
    said = {}
    for key, below in pairwise(table.body):
        match key, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                said[name] = inspect.cleandoc(text)
    return said


def markdown() -> str:
    """The reference page."""
    return _HEAD + "".join(_sections()) + _shapes()


def _sections() -> Iterator[str]:
    yield "\n## Top of the file\n\n" + _table(Profile)
    tables = [
        (name, field, model)
        for name, field in Profile.model_fields.items()
        if (model := model_in(field.annotation))
    ]
    for name, field, model in tables:
        yield from _section(_heading(name, field), model)


def _heading(name: str, field: FieldInfo) -> str:
    kind = get_origin(field.annotation)
    return f"[[{name}]]" if kind is list else f"[{name}.TASK]" if kind is dict else f"[{name}]"


def _section(heading: str, model: type[BaseModel]) -> Iterator[str]:
    own = (model.__doc__ or "").strip()
    yield f"\n## `{heading}`\n\n" + (f"{_text(own)}\n\n" if own else "") + _table(model)
    for name, field in model.model_fields.items():
        if inner := model_in(field.annotation):
            table = heading.strip("[]")
            key = "NAME" if get_origin(field.annotation) is dict else ""
            yield from _section(f"[{table}.{name}{'.' + key if key else ''}]", inner)


def _table(model: type[BaseModel]) -> str:
    said = _docstrings(model)
    rows = [_row(name, field, said.get(name, "")) for name, field in model.model_fields.items()]
    return "| key | value | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _row(name: str, field: FieldInfo, meaning: str) -> str:
    default = "needed" if field.is_required() else _default(field.get_default(call_default_factory=True))
    return f"| `{name}` | {_type(field)} | {default} | {_text(meaning)} |\n"


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`").replace("|", "\\|")).strip()


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return ""
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, dict) and any(isinstance(v, BaseModel) for v in value.values()):
        value = {
            k: v.model_dump(exclude_none=True) if isinstance(v, BaseModel) else v for k, v in value.items()
        }
        return "<br>".join(f"`{k} = {_inline(v)}`" for k, v in value.items())
    return f"`{_inline(value)}`"


def _inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + " }"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'


def _type(field: FieldInfo) -> str:
    return _annotation(field.annotation) + _limits(field.metadata)


def _annotation(annotation: Any) -> str:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{choice}"`' for choice in arguments)
    if hasattr(annotation, "__metadata__"):
        return _annotation(arguments[0]) + _limits(_flat(annotation.__metadata__))
    if origin is list:
        return "tables" if model_in(arguments[0]) else f"list of: {_annotation(arguments[0])}"
    if origin is dict:
        return "table of tables" if model_in(arguments[1]) else f"table: name = {_annotation(arguments[1])}"
    if arguments:
        return " or ".join(dict.fromkeys(_annotation(a) for a in arguments if a is not type(None)))
    return "table" if model_in(annotation) else "any"


def _flat(metadata: Any) -> list[Any]:
    flat: list[Any] = []
    for part in metadata:
        flat += part.metadata if isinstance(part, FieldInfo) else [part]
    return flat


def _limits(metadata: Any) -> str:
    """``, > 0``, ``, 0 to 1``"""
    limits = {name: getattr(part, name) for part in metadata for name, _ in _BOUNDS if hasattr(part, name)}
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']:,} to {limits['le']:,}"
    words = [f"{sign} {_number(limits[name])}" for name, sign in _BOUNDS if name in limits]
    return f" {' and '.join(words)}" if words else ""


def _number(limit: Any) -> str:
    return "2^63" if limit == 2**63 else f"{limit:,}"


def _shapes() -> str:
    rows = "".join(f"| `{name}` | {_ways(keys.ways())} |\n" for name, keys in BUILT_IN.items())
    return (
        "\n## Which keys a shape takes\n\n"
        "Beside `name`, `shape`, `duration_s`, `repeats` and `warmup`, which every phase takes. The first\n"
        "way is an open loop, the second a closed one.\n\n| shape | keys |\n|---|---|\n" + rows
    )


def _ways(text: str) -> str:
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b|\brpm\b|\busers\b|\btrace\b", lambda m: f"`{m[0]}`", text)
