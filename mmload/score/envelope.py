"""From the text of an answer to its parts: JSON, schema, status.

Not aware of any task: the schema of the answer object comes as an argument.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import jsonschema_rs

STATUSES: Final = ("answered", "insufficient_evidence", "conflict", "refused")
SILENT: Final = frozenset({"insufficient_evidence", "refused"})
"""Statuses whose ``answer`` must be null."""
_FENCE: Final = re.compile(r"\s*```(?:json)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*```\s*", re.DOTALL | re.IGNORECASE)


def schema_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema 2020-12 of the envelope around an ``answer`` of the given schema."""
    evidence = {
        "type": "object",
        "properties": {"source": {"enum": ["image", "text", "code"]}, "ref": {"type": "string"}},
        "required": ["source", "ref"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "status": {"enum": list(STATUSES)},
            "answer": {"anyOf": [dict(answer), {"type": "null"}]},
            "evidence": {"type": "array", "items": evidence},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "nonce": {"type": "string"},
        },
        "required": ["status", "answer", "evidence", "confidence", "nonce"],
        "additionalProperties": False,
        "if": {"properties": {"status": {"enum": sorted(SILENT)}}},
        "then": {"properties": {"answer": {"type": "null"}}},
        "else": {"properties": {"answer": {"type": "object"}}},
    }


class Parsed(NamedTuple):
    schema: str
    """``strict``, ``repaired`` or ``invalid``."""
    body: Mapping[str, Any]
    """Empty if invalid."""


class Envelope:
    """Reads answers against one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(dict(schema))

    def parse(self, text: str) -> Parsed:
        """Strict JSON, else one code fence around it removed, else invalid. Nothing else is salvaged."""
        kind, body = self.parse_any(text)
        return Parsed(kind, body) if isinstance(body, dict) else Parsed("invalid", {})

    def parse_any(self, text: str) -> tuple[str, Any]:
        """The same for a schema whose value need not be an object."""
        body = self._read(text)
        if body is not None:
            return "strict", body
        inner = unfenced(text)
        body = self._read(inner) if inner is not None else None
        return ("invalid", None) if body is None else ("repaired", body)

    def _read(self, text: str) -> Any:
        body = loads(text)
        try:
            return body if body is not None and self._validator.is_valid(body) else None
        except (ValueError, OverflowError, RecursionError):  # lone surrogates, numbers beyond any JSON reader
            return None


def unfenced(text: str) -> str | None:
    """What stands in the one code fence that is all of ``text``; None if it is not fenced."""
    fenced = _FENCE.fullmatch(text)
    return fenced.group(1) if fenced else None


def loads(text: str) -> Any:
    """JSON as the standard has it (no NaN, no Infinity); None if it is not JSON, or nested beyond reason."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return None


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
