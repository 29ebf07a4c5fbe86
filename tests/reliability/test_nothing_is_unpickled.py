"""Nothing that a run, a profile or a target brought is unpickled: no module can, but for one."""

from __future__ import annotations

import ast
from pathlib import Path

import mmload

FORBIDDEN = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
OWN = {"corpus/build.py": "tasks, from this process to those that it starts to draw the suite"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.add("pickle")
    return found


def test_no_module_can_unpickle_but_the_one_that_draws_the_suite_in_processes_of_its_own() -> None:
    root = Path(mmload.__file__).parent
    able = {str(p.relative_to(root)) for p in root.rglob("*.py") if imports(p) & FORBIDDEN}
    assert able == set(OWN)
