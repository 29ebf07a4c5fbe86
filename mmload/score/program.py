"""A program of browser steps: parsed, checked against the API, and walked on a model of the screen.

The syntax tree is interpreted for the few forms that such steps take; nothing of the model's output is ever
executed. Not aware of tasks.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mmload.score.selectors import Node, by_label, by_role, by_text, select
from mmload.score.unsafe import unsafe

_NAME: Final = "answer"
# What a compiler warns of in an answer is no news of ours, and would fill the scorer's log.
warnings.filterwarnings("ignore", module=f"{_NAME}$")
_MAX_CODE: Final = 20_000
_MAX_STEPS: Final = 500
_ALLOWED_IMPORTS: Final = frozenset({"playwright", "re", "time", "pytest", "typing", "__future__"})
_FIND: Final = {
    "locator": {"has_text"},
    "get_by_role": {"name", "exact"},
    "get_by_text": {"exact"},
    "get_by_label": {"exact"},
    "get_by_placeholder": {"exact"},
    "get_by_test_id": set[str](),
}
_ACT: Final = {
    "click": {"timeout", "force"},
    "fill": {"timeout"},
    "type": {"delay", "timeout"},
    "press": {"timeout"},
    "check": {"timeout"},
    "uncheck": {"timeout"},
    "set_checked": {"timeout"},
    "select_option": {"label", "value", "index", "timeout"},
    "hover": {"timeout"},
    "focus": {"timeout"},
    "wait_for": {"state", "timeout"},
}
_READ: Final = frozenset(
    {"text_content", "inner_text", "input_value", "is_visible", "is_checked", "is_enabled", "count"}
)
_PAGE_ONLY: Final = {
    "goto": {"timeout", "wait_until"},
    "wait_for_selector": {"state", "timeout"},
    "wait_for_load_state": {"timeout"},
    "wait_for_timeout": set[str](),
    "close": set[str](),
}
_EXPECT: Final = frozenset(
    {
        "to_have_text",
        "to_be_visible",
        "to_have_value",
        "to_be_checked",
        "to_be_enabled",
        "not_to_be_checked",
        "to_contain_text",
        "to_be_disabled",
        "to_be_hidden",
        "not_to_be_visible",
    }
)


@dataclass(slots=True)
class Report:
    """What was found in a program."""

    parsed: bool = False
    claims: list[tuple[str, bool, bool]] = field(default_factory=list)
    """(what is claimed to exist: import, api, selector, name; whether it does; critical if not)."""
    forbidden: set[str] = field(default_factory=set)
    state: dict[str, str] = field(default_factory=dict)
    """Value of each control (by id) when the program last saved."""
    saved: bool = False
    wandered: bool = False
    """It clicked or changed something and then did not save it, or could not be followed to its end."""

    @property
    def apis_known(self) -> bool:
        return all(true for kind, true, _ in self.claims if kind != "selector")

    @property
    def selectors_resolve(self) -> bool:
        found = [true for kind, true, _ in self.claims if kind == "selector"]
        return bool(found) and all(found)


@dataclass(slots=True)
class _Locator:
    nodes: list[Node]


class _Lost(Exception):
    """A form or value that the walk does not follow."""


_PAGE: Final = object()
_OPAQUE: Final = object()
"""A value that exists but is not modelled (a text read, a timeout, a context)."""


def inspect(code: str, nodes: Sequence[Node], options: Mapping[str, Sequence[str]], save: str) -> Report:
    """Check and walk ``code`` on the screen ``nodes``; ``options``: values that a combobox (by id) offers;
    ``save``: text of the button that keeps the changes. Never raises."""
    report = Report()
    if len(code) > _MAX_CODE:
        return report
    try:
        tree = ast.parse(code, _NAME)
        compile(tree, _NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return report
    report.parsed = True
    report.forbidden = unsafe(tree)
    _names(tree, report)
    _Walk(report, nodes, options, save).run(tree)
    return report


def _names(tree: ast.Module, report: Report) -> None:
    """Claims of imports and of names that are used but never bound."""
    bound = {"page", "expect", *dir(builtins)}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            report.claims.append(("import", module.split(".")[0] in _ALLOWED_IMPORTS, True))
            bound |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
    report.claims += [("name", False, True) for name in sorted(used - bound)]


class _Walk:
    def __init__(
        self, report: Report, nodes: Sequence[Node], options: Mapping[str, Sequence[str]], save: str
    ) -> None:
        self.report, self.nodes, self.options, self.save = report, nodes, options, save
        self.values = {n["id"]: n["value"] for n in nodes if n["role"] in ("textbox", "combobox", "switch")}
        self.scope: dict[str, Any] = {"page": _PAGE, "expect": _OPAQUE}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.steps = 0
        self.dirty = False

    def run(self, tree: ast.Module) -> None:
        try:
            self._block(tree.body)
            if not self.steps and len(self.functions) == 1:
                self._body(next(iter(self.functions.values())))
        except (_Lost, RecursionError):
            self.report.wandered = True
        self.report.wandered |= self.dirty

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Expr):
            self._value(node.value)
        elif (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            self.scope[node.targets[0].id] = self._value(node.value)
        elif isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    self.scope[item.optional_vars.id] = _OPAQUE
            self._block(node.body)
        elif isinstance(node, ast.FunctionDef):
            self.functions[node.name] = node
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
            self._block(node.body)
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass | ast.Return):
            raise _Lost

    def _body(self, function: ast.FunctionDef) -> None:
        for argument in function.args.args:
            self.scope.setdefault(argument.arg, _PAGE)
        self._block(function.body)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.scope.get(node.id, _OPAQUE)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            if isinstance(owner, _Locator) and node.attr in ("first", "last"):
                return _Locator(owner.nodes[:1] if node.attr == "first" else owner.nodes[-1:])
            return _PAGE if node.attr == "page" else _OPAQUE
        return _OPAQUE

    def _call(self, node: ast.Call) -> Any:
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise _Lost
        if isinstance(node.func, ast.Name):
            function = self.functions.get(node.func.id)
            if function is not None:
                self._body(function)
            elif node.func.id == "expect" and node.args:
                self._value(node.args[0])
            return _OPAQUE
        if not isinstance(node.func, ast.Attribute):
            return _OPAQUE
        owner = self._value(node.func.value)
        if owner is _PAGE or isinstance(owner, _Locator):
            return self._method(owner, node.func.attr, node)
        if isinstance(node.func.value, ast.Call) and isinstance(node.func.value.func, ast.Name):
            if node.func.value.func.id == "expect":
                self._claim_api(node.func.attr in _EXPECT)
            return _OPAQUE
        return _PAGE if node.func.attr == "new_page" else _OPAQUE

    def _method(self, owner: Any, name: str, node: ast.Call) -> Any:
        arguments = [self._value(a) for a in node.args]
        options = {k.arg: self._value(k.value) for k in node.keywords if k.arg}
        known = _FIND.get(name, _ACT.get(name, _PAGE_ONLY.get(name) if owner is _PAGE else None))
        if (known is None and name in _READ) or name in ("nth", "filter", "or_", "and_"):
            known = {"has_text"}
        self._claim_api(known is not None and set(options) <= known)
        if known is None:
            return _OPAQUE
        nodes = self.nodes if owner is _PAGE else owner.nodes
        if name in _FIND:
            return _Locator(self._find(nodes, name, arguments, options))
        if name == "nth" and arguments and isinstance(arguments[0], int):
            return _Locator(list(nodes)[arguments[0] : arguments[0] + 1])
        if name == "filter":
            return _Locator([n for n in nodes if str(options.get("has_text", "")) in (n["row"] or n["text"])])
        if name in _ACT and (owner is not _PAGE or name != "wait_for"):
            self._act(owner, nodes, name, arguments, options)
        return _OPAQUE

    def _find(
        self, nodes: Sequence[Node], name: str, arguments: list[Any], options: dict[str, Any]
    ) -> list[Node]:
        first = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        exact = options.get("exact") is True
        if name == "get_by_role":
            label = options.get("name")
            found: list[Node] | None = by_role(nodes, first, label if isinstance(label, str) else None, exact)
            if first == "row" and isinstance(label, str):
                return [n for n in nodes if n["row"] and label in n["row"]]
        elif name == "get_by_label":
            found = by_label(nodes, first, exact)
        elif name == "locator":
            found = select(nodes, first)
            has = options.get("has_text")
            found = by_text(found, has) if found is not None and isinstance(has, str) else found
        else:
            found = by_text(nodes, first, exact)
        return found or []

    def _act(
        self, owner: Any, nodes: Sequence[Node], name: str, arguments: list[Any], options: dict[str, Any]
    ) -> None:
        if owner is _PAGE:
            selector = arguments.pop(0) if arguments else None
            nodes = (select(self.nodes, selector) or []) if isinstance(selector, str) else []
        self.report.claims.append(("selector", len(nodes) == 1, True))
        if len(nodes) != 1:
            return
        value = arguments[0] if arguments else options.get("label", options.get("value"))
        self._apply(nodes[0], name, value)

    def _apply(self, node: Node, name: str, value: Any) -> None:
        if name in ("wait_for", "hover", "focus", "press"):
            return
        role, key = node["role"], node["id"]
        if not node["enabled"]:
            self.report.claims.append(("selector", False, True))
        elif (role == "textbox" and name in ("fill", "type") and isinstance(value, str)) or (
            role == "combobox" and name == "select_option" and value in self.options.get(key, ())
        ):
            self._set(key, value)
        elif role == "switch" and name in ("click", "check", "uncheck", "set_checked"):
            on = {"check": True, "uncheck": False, "set_checked": value is True}.get(
                name, self.values[key] != "on"
            )
            self._set(key, "on" if on else "off")
        elif role == "button" and name == "click":
            if node["text"] == self.save:
                self.report.saved, self.dirty = True, False
                self.report.state = dict(self.values)
            else:
                self.report.wandered = True
        elif not (role == "textbox" and name == "click"):
            self.report.claims.append(("api", False, True))

    def _set(self, key: str, value: str) -> None:
        self.values[key] = value
        self.dirty = True

    def _claim_api(self, known: bool) -> None:
        self.report.claims.append(("api", known, True))
