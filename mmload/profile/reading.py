"""Reads a profile from a file, with the overrides of the command line, and says what is wrong with it.

Not aware of plug-ins: the valid names of shapes, tasks and protocols are handed in by the caller.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import tomli_w
from pydantic import ValidationError

from mmload.model import InputError
from mmload.profile.lines import KeyPath, key_lines, nearest_line
from mmload.profile.problems import Problem, dotted, of_pydantic
from mmload.profile.rules import problems
from mmload.profile.schema import Judge, Profile, Target

MAX_FILE_BYTES: Final = 1024 * 1024
_MAX_SHOWN: Final = 8
_MAX_KEY: Final = 64 * 1024
_BARE_TEXT: Final = re.compile(r"[A-Za-z_./~][^\s\"'\[\]{}=]*")
_DEEP_KEY: Final = re.compile(r"(?:(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*\.[ \t]*){32}")
"""The time that ``tomllib`` takes grows with the square of a key's depth: minutes for a file of 60 kB."""
_TARGETS: Final = ("sim", "ocr", "url")
_EITHER: Final = {("target", "engine"): "url", ("target", "url"): "engine"}
"""Setting the one drops the other, so that ``--set target.url=...`` works on any profile."""


def load(
    path: str | Path, overrides: Sequence[str] = (), *, known: Mapping[str, Sequence[str]] | None = None
) -> Profile:
    """Read and validate a profile.

    ``overrides`` are ``key.path=value`` with the value in TOML (``phase.NAME.rpm=600``, ``phase.0.rpm=600``);
    text needs no quotes. ``known`` gives the valid names by ``shape``, ``task`` and ``protocol``; a family
    that it leaves out is not checked. Raises ``InputError`` with one message that names every problem.
    """
    path = Path(path)
    text = _text(path)
    data = _parse(path, text)
    variants = _variants(path, data, overrides)
    profile: Profile | None = None
    for variant in variants:
        for find in (_own_items, _find_traces, _find_template):
            find(variant.data, path.parent)
        found = _validate(variant.data, known or {})
        if not isinstance(found, Profile):
            lines = key_lines(text)
            shown = [_located(path, problem, lines, variant) for problem in found[:_MAX_SHOWN]]
            if len(found) > _MAX_SHOWN:
                shown.append(f"and {len(found) - _MAX_SHOWN} more")
            raise InputError("\n".join(shown))
        profile = profile or found
    assert profile is not None
    return profile


@dataclass
class _Variant:
    """The profile's data as one target makes it."""

    data: dict[str, Any]
    overridden: dict[KeyPath, str]
    """What the command line set, and as it was written there."""
    told: dict[KeyPath, KeyPath]
    """What ``[when.TARGET]`` set, and where that stands."""


def _variants(path: Path, data: dict[str, Any], overrides: Sequence[str]) -> list[_Variant]:
    """The profile as it shall be, and then as it would be with each other target of ``[when]``: a mistake in
    what holds for another target is found before that target is asked for."""
    when = data.pop("when", None)
    if not isinstance(when, dict) or not all(isinstance(table, dict) for table in when.values()):
        # What is no table is left for the schema to refuse.
        data |= {} if when is None else {"when": when}
        return [_variant(path, data, {}, None, overrides)]
    chosen = _variant(path, data, {}, None, overrides).data.get("target")
    name = str(chosen.get("engine", "url")) if isinstance(chosen, dict) else None
    if unknown := [key for key in when if key not in _TARGETS]:
        return [_variant(path, data | {"when": {unknown[0]: {}}}, {}, None, overrides)]
    others = [_variant(path, _aimed_at(data, key), when, key, ()) for key in when if key != name]
    return [_variant(path, data, when, name, overrides), *others]


def _variant(
    path: Path, data: Mapping[str, Any], when: Mapping[str, Any], name: str | None, overrides: Sequence[str]
) -> _Variant:
    made = copy.deepcopy(dict(data))
    told: dict[KeyPath, KeyPath] = {}
    if name is not None:
        for steps, value in _leaves(when.get(name, {})):
            stands = ("when", name, *steps)
            told[_put(made, steps, value, f"{path}: {dotted(stands)}")] = stands
    return _Variant(made, dict(_override(made, override) for override in overrides), told)


def _aimed_at(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The data with another target."""
    target = data.get("target")
    if not isinstance(target, dict):
        return dict(data)
    rest = {key: value for key, value in target.items() if key not in ("engine", "url")}
    aim = {"url": target.get("url", "http://localhost")} if name == "url" else {"engine": name}
    return {**data, "target": {**rest, **aim}}


def _leaves(table: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*before, key))
        else:
            yield (*before, key), value


def to_toml_dict(profile: Profile) -> dict[str, Any]:
    """The frozen profile as plain data, without keys that are unset (TOML has no null).

    Reading it again gives an equal profile: keys of a phase that were not written stay unwritten.
    """
    data = profile.model_dump(mode="json", exclude_none=True, exclude={"when"})
    data["phase"] = [
        phase.model_dump(mode="json", exclude_none=True, include=phase.model_fields_set)
        for phase in profile.phase
    ]
    return data


def frozen_toml(profile: Profile) -> str:
    """``to_toml_dict`` as text: what ``profile.toml`` of a run folder holds."""
    return tomli_w.dumps(to_toml_dict(profile))


def api_key(target: Target, environment: Mapping[str, str]) -> str | None:
    """The key from the environment variable that the profile names, or ``None`` if it names none. An embedded
    target asks for no key: a profile of your own, tried on it, needs none.

    Raises ``InputError`` if the variable is missing or empty, or holds what no header can carry.
    """
    if target.url is None and target.api_key_env and not key_in(target.api_key_env, environment):
        return None
    return _key("target", target.api_key_env, target.url or target.engine or "", environment)


def judge_key(judge: Judge, environment: Mapping[str, str]) -> str | None:
    """As ``api_key``, of the judge."""
    return _key("quality.judge", judge.api_key_env, judge.url, environment)


def key_in(variable: str, environment: Mapping[str, str]) -> str:
    """What the environment variable holds, or the file that the variable of its name and ``_FILE`` names, as
    container platforms mount secrets; empty if neither is set. Raises ``InputError`` for a file that cannot
    be read."""
    key, path = environment.get(variable, "").strip(), environment.get(f"{variable}_FILE", "")
    if key or not path:
        return key
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_MAX_KEY).strip()
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no text"
        raise InputError(f"{variable}_FILE: the file {path} cannot be read ({why})") from None


def _key(table: str, variable: str | None, whose: str, environment: Mapping[str, str]) -> str | None:
    if variable is None:
        return None
    key = key_in(variable, environment)
    if not key:
        raise InputError(
            f"{table}.api_key_env: the environment variable {variable} is not set; set it to the key of "
            f"{whose}, or {variable}_FILE to a file that holds it, or remove api_key_env from the profile"
        )
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{table}.api_key_env: {variable} holds characters that no HTTP header may carry")
    return key


def tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, nothing checked. Raises ``InputError``."""
    return _parse(path, _text(path))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such profile{_similar_file(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"{path}: more than {MAX_FILE_BYTES:,} bytes; that is no traffic profile")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise InputError(
            f"{path}:{line}: not UTF-8 (byte 0x{byte:02x} at offset {error.start}); save the file as UTF-8"
        ) from None


def _similar_file(path: Path) -> str:
    candidates = [p for folder in {path.parent, Path("traffic_profiles")} for p in folder.glob("*.toml")]
    by_name = {p.stem: p for p in candidates}
    near = get_close_matches(path.stem, list(by_name), n=1)
    return f"; did you mean {by_name[near[0]]}?" if near else ""


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        if _DEEP_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        where = f":{place[1]}:{place[2]}" if place else f":{text.count(chr(10)) + 1}"
        said = message[: place.start()] if place else message.replace(" (at end of document)", " at the end")
        line = text.splitlines()[int(place[1]) - 1].strip() if place and text.strip() else ""
        raise InputError(f"{path}{where}: not TOML: {said}" + (f": {line[:80]}" if line else "")) from None
    except ValueError:
        raise InputError(f"{path}: not TOML: a number has more digits than anybody can mean") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; a profile has at most three levels") from None


def _own_items(data: dict[str, Any], folder: Path) -> None:
    """A user's own items are found beside the profile, and take the place of drawn tasks."""
    mix = data.get("mix")
    if isinstance(mix, dict) and isinstance(mix.get("items_file"), str):
        mix["items_file"] = str((folder / mix["items_file"]).absolute())
        mix.setdefault("tasks", {"own": 1.0})


def _find_traces(data: dict[str, Any], folder: Path) -> None:
    """A trace is found beside the profile, also when the frozen profile in a run's folder is run again."""
    phases = data.get("phase")
    for phase in phases if isinstance(phases, list) else []:
        if isinstance(phase, dict) and isinstance(phase.get("trace"), str):
            phase["trace"] = str((folder / phase["trace"]).absolute())


def _find_template(data: dict[str, Any], folder: Path) -> None:
    """The description of a custom pipeline is found beside the profile."""
    target = data.get("target")
    if isinstance(target, dict) and isinstance(target.get("template"), str):
        target["template"] = str((folder / target["template"]).absolute())


def _validate(data: dict[str, Any], known: Mapping[str, Sequence[str]]) -> Profile | list[Problem]:
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        return of_pydantic(error, data)
    return list(problems(profile, known)) or profile


def _located(path: Path, problem: Problem, lines: Mapping[KeyPath, int], variant: _Variant) -> str:
    place = problem.path
    for own, written in variant.overridden.items():
        if own[: len(place)] == place[: len(own)]:
            # A phase is named there; the path has its number.
            said = (written, *place[len(own) :]) if len(own) <= len(place) else place
            return f"--set {dotted(said)}: {problem.text}"
    for own, stands in variant.told.items():
        if problem.path[: len(own)] == own:
            place = (*stands, *problem.path[len(own) :])
    line = nearest_line(dict(lines), place)
    return f"{path}{f':{line}' if line else ''}: {dotted(place)}: {problem.text}"


def _override(data: dict[str, Any], override: str) -> tuple[KeyPath, str]:
    """Put ``key.path=value`` into the data; gives the path that was set, and as it was written."""
    key, equals, value = override.partition("=")
    steps = [step.strip() for step in key.split(".")]
    if not equals or not all(steps):
        raise InputError(f"--set {override}: it must be KEY.PATH=VALUE, as --set phase.base.rpm=600")
    return _put(data, steps, _value(value.strip(), override), f"--set {override}"), ".".join(steps)


def _put(data: dict[str, Any], steps: Sequence[str], value: Any, said: str) -> KeyPath:
    """Put ``value`` where ``steps`` lead; gives the path that was set. ``said`` begins a message."""
    here: Any = data
    path: KeyPath = ()
    for step in steps[:-1]:
        here, path = _descend(here, path, step, said)
    if isinstance(here, list):
        raise InputError(f"{said}: {dotted(path)} is a list; name the entry and its key")
    here[steps[-1]] = value
    path = (*path, steps[-1])
    if path in _EITHER:
        here.pop(_EITHER[path], None)
    return path


def _descend(here: Any, path: KeyPath, step: str, said: str) -> tuple[Any, KeyPath]:
    if isinstance(here, list):
        names = [entry.get("name") for entry in here if isinstance(entry, dict)]
        number = names.index(step) if step in names else int(step) if step.isdigit() else -1
        if not 0 <= number < len(here):
            there_are = ", ".join(map(str, names))
            raise InputError(f'{said}: {dotted(path)} has no "{step}"; there are {there_are}')
        here, path = here[number], (*path, number)
    else:
        here, path = here.setdefault(step, {}), (*path, step)
    if not isinstance(here, dict | list):
        raise InputError(f"{said}: {dotted(path)} is a value and has no keys")
    return here, path


def _value(text: str, override: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        if _BARE_TEXT.fullmatch(text):
            return text
        raise InputError(f"--set {override}: {text!r} is not a value in TOML") from None
