"""Search for the highest rate at which every gate holds, and say what gives way beyond it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmload.cli._options import (
    json_option,
    output_options,
    print_json,
    profile_options,
    read_profile,
    terminal_width,
)
from mmload.cli._remote import allowed, remote_options, search_of
from mmload.model import EXIT_CODES, EXIT_INTERRUPTED, Verdict

if TYPE_CHECKING:
    from mmload.profile import Profile


@click.command(epilog="Example: mmload capacity traffic_profiles/capacity.toml --quick")
@profile_options
@remote_options
@output_options("reports/<profile>-<UTC time>", live=" of the steps")
@click.option("--quick", is_flag=True, help="A fifth of the time, and a wider interval.")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Go on with the search in this folder, that was cut."
)
@json_option
def capacity(
    profile: Path,
    target: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    plugins: tuple[Path, ...],
    yes: bool,
    insecure: bool,
    out: Path | None,
    quick: bool,
    resume: Path | None,
    no_progress: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Search with PROFILE for the highest requests per minute at quality.

    Rising steps, then bisection, then fresh phases that confirm the answer, within the budgets of [capacity].
    The phases of the profile are not used. Prints the answer, its interval and what gives way first; --json
    prints capacity.json instead. Exit code 0: a rate was confirmed; 3: no rate holds, or a gate on the answer
    failed; 4: undecided; 5: the generator was the limit.
    """
    from mmload.search.conduct import SearchOptions, conduct

    if out is not None and resume is not None:
        raise click.UsageError("--out and --resume exclude each other: a search goes on in its own folder.")

    def say(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    def read(more: list[str]) -> Profile:
        return read_profile(profile, target, [*sets, *more], seed, workers, plugins)

    wanted = allowed(read, profile, yes, insecure, say, partial(search_of, quick=quick))
    options = SearchOptions(
        out=out,
        resume=resume,
        quick=quick,
        show=not (quiet or no_progress),
        say=say,
    )
    found, folder, interrupted = conduct(wanted, profile.parent, options)
    show(found, folder, as_json, quiet)
    return EXIT_INTERRUPTED if interrupted else EXIT_CODES[Verdict(found["verdict"])]


def show(found: dict[str, Any], folder: Path, as_json: bool, quiet: bool) -> None:
    """The result on stdout."""
    if as_json:
        print_json(found)
    elif not quiet:
        from mmload.report.terminal import capacity_conclusion

        click.echo(capacity_conclusion(found, folder, terminal_width()))
