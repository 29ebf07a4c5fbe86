"""Rank candidates that did the same work: gates first, then differences request by request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from mmload.cli._options import (
    Finite,
    json_option,
    override_options,
    print_json,
    quiet_option,
    read_profile,
    terminal_width,
)
from mmload.cli._remote import allowed, load_of, remote_options
from mmload.model import EXIT_INTERRUPTED, InputError

if TYPE_CHECKING:
    from mmload.compare.driving import Contender
    from mmload.profile import Profile

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@click.command(
    epilog="Example: mmload compare reports/large reports/small, or "
    "mmload compare traffic_profiles/smoke.toml --candidate large --candidate small:target.model=sim-small"
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN... | PROFILE")
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    metavar="NAME[:KEY.PATH=VALUE|:FILE.toml]",
    help="With PROFILE: drive it with these keys changed; repeat the name for more keys.",
)
@click.option("--rounds", type=click.IntRange(1, 50), default=2, show_default=True, help="With PROFILE.")
@click.option("--baseline", help="Candidate that the others are held against; default the first.")
@click.option(
    "--gates",
    type=click.Choice(["profile", "matrix"]),
    default="profile",
    show_default=True,
    help="What a survivor must pass: the baseline's gates, or every limit of the scorecard too.",
)
@click.option(
    "--fallback", "fallbacks", multiple=True, metavar="NAME=RUN", help="Run of what you would do without."
)
@click.option("--right-usd", type=Finite(min=0), help="What a right answer is worth to you.")
@click.option("--wrong-usd", type=Finite(min=0), help="What a wrong answer costs you.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: reports/compare-<UTC time>.")
@override_options
@remote_options
@click.option("--no-progress", is_flag=True, help="No live view.")
@quiet_option
@json_option
def compare(
    runs: tuple[str, ...],
    candidates: tuple[str, ...],
    rounds: int,
    baseline: str | None,
    gates: str,
    fallbacks: tuple[str, ...],
    right_usd: float | None,
    wrong_usd: float | None,
    out: Path | None,
    target: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    plugins: tuple[Path, ...],
    yes: bool,
    insecure: bool,
    no_progress: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Compare run folders (RUN or NAME=RUN), or drive the candidates of one PROFILE in turn and compare them.

    With PROFILE, --target, --set, --seed and --workers hold for every candidate that does not say otherwise.
    Refuses runs of different workloads. Writes compare.json, .html and .md. Exit code 0 if a candidate
    survives the gates, 3 if none does, 4 if more samples could decide.
    """
    from mmload import compare as comparing
    from mmload.compare.fallbacks import against_fallbacks, doing_without
    from mmload.report.comparing import write_comparison

    out = out or Path("reports") / f"compare-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    if len(runs) == 1 and runs[0].endswith(".toml"):
        path = Path(runs[0])

        def read(last: list[str]) -> Profile:
            return read_profile(path, target, sets, seed, workers, plugins, last)

        leave = _Leave(yes, insecure, rounds, _silent if quiet else _say)
        contenders = _contenders(path, candidates, read, leave)
        named = _driven(contenders, path.parent, out, leave, show=not (quiet or no_progress))
        if not named:
            return EXIT_INTERRUPTED
    else:
        _without_profile(
            {"candidate": candidates, "target": target, "set": sets, "seed": seed, "workers": workers}
        )
        named = list(_named(runs))
    compared = [comparing.read_candidate(folder, name) for name, folder in named]
    kept = [comparing.read_candidate(folder, name) for name, folder in _named(fallbacks, "--fallback")]
    without = doing_without(compared, kept, plugins)
    found = comparing.compare(compared, baseline, gates == "matrix", without=without)
    found["fallbacks"] = against_fallbacks(compared, without, right_usd, wrong_usd)
    out.mkdir(parents=True, exist_ok=True)
    write_comparison(out, found)
    show(json.loads((out / "compare.json").read_text("utf-8")), out, as_json, quiet)
    return comparing.exit_code(found)


def show(found: dict[str, Any], folder: Path, as_json: bool, quiet: bool) -> None:
    """The result on stdout."""
    if as_json:
        print_json(found)
    elif not quiet:
        from mmload.report.comparing import comparison_text

        click.echo(comparison_text(found, folder, terminal_width(most=140)))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _silent(_line: str) -> None:
    pass


def _driven(
    contenders: Sequence[Contender], base_dir: Path, out: Path, leave: _Leave, show: bool
) -> list[tuple[str | None, Path]]:
    """Name and folder of each candidate; none if it was interrupted."""
    from mmload.compare.driving import drive

    folders, interrupted = drive(contenders, base_dir, out, leave.rounds, leave.say, show)
    return [] if interrupted else [(folder.name, folder) for folder in folders]


def _without_profile(given: Mapping[str, Any]) -> None:
    wrong = [f"--{name}" for name, value in given.items() if value not in (None, ())]
    if wrong:
        verb = "goes" if len(wrong) == 1 else "go"
        raise InputError(f"{', '.join(wrong)} {verb} with one PROFILE (*.toml), which is then driven")


def _named(runs: Sequence[str], option: str = "RUN") -> Iterator[tuple[str | None, Path]]:
    """``NAME=FOLDER`` or ``FOLDER``; a folder of that very name wins."""
    for text in runs:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).exists():
            yield None, Path(text)
        elif _NAME.fullmatch(name):
            yield name, Path(folder)
        else:
            raise InputError(f'{option} {text}: "{name}" is no name: letters, digits, dot, dash, underscore')


class _Leave(NamedTuple):
    """Whether targets elsewhere may be driven, and who is told of how much."""

    yes: bool = False
    insecure: bool = False
    rounds: int = 1
    say: Callable[[str], None] = _silent

    def granted(self, name: str, read: Callable[[list[str]], Profile], path: Path) -> Profile:
        load = partial(load_of, rounds=self.rounds)
        return allowed(read, path, self.yes, self.insecure, lambda line: self.say(f"{name}: {line}"), load)


def _contenders(
    path: Path, texts: Sequence[str], read: Callable[[list[str]], Profile], leave: _Leave
) -> list[Contender]:
    """``read``: the profile of ``path`` with further overrides."""
    from mmload.compare.driving import BLOCKS, Contender

    changes: dict[str, list[str]] = {}
    for text in texts:
        name, _, change = text.partition(":")
        if not _NAME.fullmatch(name) or name == BLOCKS:
            raise InputError(f'--candidate {text}: "{name}" is no name for a candidate and its folder')
        changes.setdefault(name, []).extend(_changes(text, change))
    if len(changes) < 2:
        raise InputError(
            f"{path}: a comparison takes two candidates or more, each with a name of its own: "
            "--candidate large --candidate small:target.model=sim-small"
        )

    def changed(sets: list[str]) -> Callable[[list[str]], Profile]:
        return lambda more: read([*sets, *more])

    return [Contender(name, leave.granted(name, changed(sets), path)) for name, sets in changes.items()]


def _changes(text: str, change: str) -> list[str]:
    if not change:
        return []
    if not change.endswith(".toml") or "=" in change:
        return [change]
    from mmload.profile import tables

    try:
        return list(_flat(tables(Path(change))))
    except InputError as e:
        raise InputError(f"--candidate {text}: {e}") from None


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of nested tables as for ``--set``."""
    for key, value in tables.items():
        name = prefix + (key if re.fullmatch(r"[\w-]+", key) else json.dumps(key))
        if isinstance(value, Mapping) and value:
            yield from _flat(value, name + ".")
        elif isinstance(value, bool):
            yield f"{name}={str(value).lower()}"
        else:
            yield f"{name}={json.dumps(value)}"
