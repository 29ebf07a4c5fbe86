"""Options that several verbs share, and the profile that they ask for.

Not aware of what a verb does with the profile.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mmload.model import InputError

if TYPE_CHECKING:
    from mmload.profile import Profile

ENGINES = ("sim", "ocr")
F = TypeVar("F", bound=Callable[..., Any])


class Finite(click.FloatRange):
    """A range that neither ``nan``, which no comparison refuses, nor ``inf`` is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not finite.", param, ctx)
        return number


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result alone, as JSON, on stdout."
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Python file with shapes, tasks or adapters of your own.",
)


quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


def _folder(context: click.Context, parameter: click.Parameter, run: Path) -> Path:
    if run.is_dir():
        return run
    if run.exists():
        raise InputError(f"{run}: a file, not the folder of a run; did you mean {run.parent}?")
    beside = [p for p in run.parent.glob("*") if p.is_dir()] if run.parent.is_dir() else []
    near = get_close_matches(run.name, [p.name for p in beside], n=1)
    raise InputError(f"{run}: no such folder" + (f"; did you mean {run.parent / near[0]}?" if near else ""))


run_argument = click.argument("run", type=click.Path(path_type=Path), callback=_folder)
"""The folder of a run; raises ``InputError`` for one that is not there."""


def output_options(default: str, live: str) -> Callable[[F], F]:
    """Where results go and what is shown meanwhile: ``out, no_progress, quiet``. ``default``: the folder
    without --out; ``live``: what there is a live view of."""

    def decorated(command: F) -> F:
        for decorate in (
            quiet_option,
            click.option("--no-progress", is_flag=True, help=f"No live view{live}."),
            click.option("--out", type=click.Path(path_type=Path), help=f"Folder; default {default}."),
        ):
            command = decorate(command)
        return command

    return decorated


def terminal_width(most: int = 120) -> int:
    """Columns that text for a person may take."""
    return min(most, max(60, shutil.get_terminal_size().columns))


def override_options(command: F) -> F:
    """What overrides a profile: ``target, sets, seed, workers, plugins``."""
    for decorate in reversed(
        (
            click.option(
                "--target", metavar="URL|sim|ocr", help="Drive this in place of the profile's target."
            ),
            click.option("--set", "sets", multiple=True, metavar="KEY.PATH=VALUE", help="Override one key."),
            click.option("--seed", type=click.IntRange(min=0), help="Seed of order, arrivals and sampling."),
            click.option("--workers", type=click.IntRange(1, 256), help="Locust worker processes."),
            plugin_option,
        )
    ):
        command = decorate(command)
    return command


def profile_options(command: F) -> F:
    """PROFILE and what overrides it: ``profile, target, sets, seed, workers, plugins``."""
    return click.argument("profile", type=click.Path(path_type=Path))(override_options(command))


def read_profile(
    path: Path,
    target: str | None = None,
    sets: Sequence[str] = (),
    seed: int | None = None,
    workers: int | None = None,
    plugins: Sequence[Path] = (),
    last: Sequence[str] = (),
) -> Profile:
    """The profile with its overrides, its names checked against what is installed; raises ``InputError``.

    ``last``: overrides as ``sets``, that hold against the other arguments too.
    """
    from mmload import plugins as families
    from mmload.profile import load

    for file in plugins:
        families.register_file(file)
    overrides = list(sets)
    if target is not None and target not in ENGINES and "://" not in target:
        near = get_close_matches(target, ENGINES, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise InputError(
            f'--target {target}: it must be sim, ocr or a URL as "http://127.0.0.1:8000/v1"{hint}'
        )
    if target is not None:
        overrides.append(f"target.engine={target}" if target in ENGINES else f"target.url={target}")
    if seed is not None:
        overrides.append(f"seed={seed}")
    if workers is not None:
        overrides.append(f"workers={workers}")
    known = {
        "shape": families.names("shapes"),
        "task": families.names("tasks"),
        "protocol": families.names("wire"),
    }
    return load(path, [*overrides, *last], known=known)


def print_json(result: Any) -> None:
    """The one thing that a verb prints on stdout under ``--json``."""
    json.dump(result, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
