"""Name -> implementation for the open families: ``shapes``, ``wire``, ``tasks``.

Built-ins and strangers enter by the same door: an entry point of the group ``mmload.<family>``, or a
plain Python file (``--plugin ./mine.py``) that holds ``MMLOAD_PLUGINS = {"shapes": {"saw": Saw}}``.
Nothing is imported before it is asked for. Not aware of what the implementations do.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from mmload.model import InputError

if TYPE_CHECKING:
    from mmload.profile import Target
    from mmload.wire import Adapter

FAMILIES: Final = ("shapes", "tasks", "wire")
FILES_VARIABLE: Final = "MMLOAD_PLUGINS"
"""Environment variable that hands the files given with ``--plugin`` on to the processes of a run."""
_TABLE: Final = "MMLOAD_PLUGINS"
_from_files: dict[str, dict[str, object]] = {}
_files_read: set[Path] = set()


def names(family: str) -> list[str]:
    """Sorted names that the family knows, without importing what stands behind them."""
    _read_inherited_files()
    return sorted({*_entry_points(family), *_from_files.get(family, {})})


def get(family: str, name: str) -> object:
    """The implementation called ``name``.

    Raises ``InputError`` if there is none, with the nearest valid spelling, or if it cannot be imported.
    """
    _read_inherited_files()
    registered = _from_files.get(family, {})
    if name in registered:
        return registered[name]
    point = _entry_points(family).get(name)
    if point is None:
        raise InputError(_unknown(family, name, names(family)))
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f'{family}: "{name}" ({point.value}) cannot be imported: {error}') from error


def make(family: str, name: str, *arguments: object) -> Any:
    """What the implementation called ``name`` makes of ``arguments``. Raises as ``get``."""
    factory: Any = get(family, name)
    return factory(*arguments)


def adapter_of(target: Target) -> Adapter:
    """An adapter takes model and extra body; one that a file describes takes the file too.

    Raises ``InputError`` for a file that is missing or wrong.
    """
    file = () if target.template is None else (Path(target.template),)
    made: Adapter = make("wire", target.protocol, target.model, target.body, *file)
    return made


def _unknown(family: str, name: str, allowed: Sequence[str]) -> str:
    """Message for a name that the family does not know."""
    near = get_close_matches(name, allowed, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else "."
    return f'{family}: no "{name}"{hint} There are: {", ".join(allowed) or "none"}'


def register_file(path: str | Path) -> None:
    """Add what a Python file offers; the processes started after this see it too.

    Raises ``InputError`` if the file is missing, fails, or has no ``MMLOAD_PLUGINS`` table.
    """
    resolved = Path(path).resolve()
    _read_file(resolved)
    inherited = [p for p in os.environ.get(FILES_VARIABLE, "").split(os.pathsep) if p]
    if str(resolved) not in inherited:
        os.environ[FILES_VARIABLE] = os.pathsep.join([*inherited, str(resolved)])


def declared(**wanted: str) -> EntryPoints:
    """As ``importlib.metadata.entry_points``, which reads what every installed package declares each time."""
    found: EntryPoints = _all_declared().select(**wanted)
    return found


@cache
def _all_declared() -> Any:
    return entry_points()


def _entry_points(family: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in declared(group=f"mmload.{family}")}


def _read_inherited_files() -> None:
    for path in os.environ.get(FILES_VARIABLE, "").split(os.pathsep):
        if path:
            _read_file(Path(path))


def _read_file(path: Path) -> None:
    if path in _files_read:
        return
    table = getattr(_execute(path), _TABLE, None)
    if not isinstance(table, Mapping) or not all(isinstance(v, Mapping) for v in table.values()):
        raise InputError(f'{path}: a plugin file needs {_TABLE} = {{"shapes": {{"my-shape": MyShape}}}}')
    for family in table:
        if family not in FAMILIES:
            raise InputError(f"{path}: {_unknown(_TABLE, str(family), FAMILIES)}")
    for family, members in table.items():
        _from_files.setdefault(family, {}).update(members)
    _files_read.add(path)


def _execute(path: Path) -> ModuleType:
    module_name = f"mmload_plugin_{sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"{path}: no such plugin file (it must be a .py file)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise InputError(f"{path}: the plugin file fails: {type(error).__name__}: {error}") from error
    return module
