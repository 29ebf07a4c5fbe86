"""Which line of a TOML text holds a key.

Works on text that ``tomllib`` has accepted, so it may assume that quotes and brackets are balanced.
Not aware of values: inside arrays and inline tables it knows the line of the outermost key only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

KeyPath = tuple[str | int, ...]
"""Steps from the root: table and key names, and 0-based places in arrays."""

_PART: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+))\s*(\.?)')
_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    + r"'''(?s:.)*?'{3,5}|"
    + r'"(?:\\.|[^"\\\n])*"|'
    + r"'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (1-based) of every table header and every key outside of inline values."""
    lines: dict[KeyPath, int] = {}
    tables_seen: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, statement in _statements(text):
        if statement.startswith("[["):
            table = _enter(_key(statement[2:]), tables_seen, is_array=True)
            lines.setdefault(table[:-1], number)
        elif statement.startswith("["):
            table = _enter(_key(statement[1:]), tables_seen, is_array=False)
        if statement.startswith("["):
            lines[table] = number
            continue
        path = table + _key(statement)
        for end in range(len(table) + 1, len(path) + 1):
            lines.setdefault(path[:end], number)
    return lines


def nearest_line(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Line of the key, or of the closest table around it that is written down."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _enter(key: KeyPath, tables_seen: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """The header's path with the place of every array of tables that it passes through."""
    path: KeyPath = ()
    for depth, part in enumerate(key):
        path += (part,)
        if is_array and depth == len(key) - 1:
            tables_seen[path] = tables_seen.get(path, -1) + 1
        if path in tables_seen:
            path += (tables_seen[path],)
    return path


def _key(text: str) -> KeyPath:
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        double, single, bare, dot = match.groups()
        parts.append(next(p for p in (double, single, bare) if p is not None))
        position = match.end()
        if not dot:
            break
    return tuple(parts)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Line number and first line of every header and ``key = value`` of the text."""
    start, number, depth, first_line = 0, 1, 0, 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n" and depth == 0:
            if statement := text[start : match.start()].strip():
                yield first_line, statement
            start, first_line = match.end(), number + 1
        elif token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        elif token.startswith("#") and not text[start : match.start()].strip():
            start = match.end()
        number += token.count("\n")
    if statement := text[start:].strip():
        yield first_line, statement
