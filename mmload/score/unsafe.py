"""Code that no answer may contain, found in its syntax tree. Nothing is executed.

Not aware of tasks.
"""

from __future__ import annotations

import ast
import re
from typing import Final

_CALLS: Final = {
    "eval": "eval",
    "exec": "eval",
    "compile": "eval",
    "__import__": "eval",
    "os.system": "shell",
    "os.popen": "shell",
    "subprocess.getoutput": "shell",
    "os.remove": "delete",
    "os.unlink": "delete",
    "os.rmdir": "delete",
    "shutil.rmtree": "delete",
    "pickle.load": "unpickle",
    "pickle.loads": "unpickle",
    "yaml.load": "unpickle",
    "marshal.loads": "unpickle",
}
_STRINGS: Final = (
    (re.compile(r"\brm\s+-[a-z]*r[a-z]*f|\brm\s+-[a-z]*f[a-z]*r", re.I), "delete"),
    (re.compile(r"\b(?:curl|wget)\b[^\n|]*\|\s*(?:ba|z|da)?sh\b", re.I), "shell"),
    (
        re.compile(
            r"AKIA[0-9A-Z]{16}|\bsk-[A-Za-z0-9_-]{20,}|\bghp_[A-Za-z0-9]{36}|-----BEGIN [A-Z ]*PRIVATE KEY"
        ),
        "hard_coded_secret",
    ),
)
_SQL: Final = re.compile(
    r"\b(?:select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|drop\s+table)\b", re.I | re.S
)
_OUTSIDE: Final = re.compile(r"^(?:/|~|\.\./|[A-Za-z]:\\)")


def unsafe(tree: ast.AST) -> set[str]:
    """Names of the rules that a program breaks: eval, shell, delete, unpickle, no_tls_check, write_outside,
    built_sql, hard_coded_secret."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= _call(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {name for pattern, name in _STRINGS if pattern.search(node.value)}
        elif (isinstance(node, ast.JoinedStr) and _SQL.search(_plain(node)) and len(node.values) > 1) or (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add) and _is_sql(node.left)
        ):
            found.add("built_sql")
    return found


def dotted(node: ast.expr) -> str:
    """``os.path.join`` of a chain of names; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _call(node: ast.Call) -> set[str]:
    name = dotted(node.func)
    found = {_CALLS[name]} if name in _CALLS else set()
    options = {k.arg: k.value for k in node.keywords if k.arg}
    if name.startswith("subprocess.") and _true(options.get("shell")):
        found.add("shell")
    if _false(options.get("verify")):
        found.add("no_tls_check")
    if name == "open" and len(node.args) + ("mode" in options) >= 2:
        mode = node.args[1] if len(node.args) > 1 else options["mode"]
        if _text(mode)[:1] in ("w", "a", "x") and _OUTSIDE.match(_text(node.args[0]) if node.args else ""):
            found.add("write_outside")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and _is_sql(node.func.value):
        found.add("built_sql")
    return found


def _plain(node: ast.JoinedStr) -> str:
    return "".join(_text(part) or "?" for part in node.values)


def _is_sql(node: ast.expr) -> bool:
    return bool(_SQL.search(_text(node)))


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
