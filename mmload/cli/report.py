"""Render the report of a run folder again, also of one cut short by a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mmload.cli._ci import keep_baseline
from mmload.cli._options import json_option, run_argument
from mmload.model import EXIT_CODES, InputError, Verdict


@click.command(epilog="Example: mmload report reports/burst-20260101T120000Z")
@run_argument
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option(
    "--save-baseline",
    type=click.Path(path_type=Path),
    help="Write the run's figures as a baseline, if the run is valid.",
)
@json_option
def report(run: Path, quiet: bool, save_baseline: Path | None, as_json: bool) -> int:
    """Write every file of the folder RUN again from its journals; the exit code is the verdict's.

    Of a capacity search and of a comparison the pages, from capacity.json or compare.json.
    """
    for name, again in (("capacity.json", _search_again), ("compare.json", _comparison_again)):
        if (run / name).exists():
            if save_baseline is not None:
                raise click.UsageError("--save-baseline: a baseline is made of a run, and this is none")
            return again(run, _read(run / name), quiet, as_json)
    from mmload.cli.run import show
    from mmload.launch.finish import finish

    finished = finish(run)
    if save_baseline is not None:
        click.echo(keep_baseline(save_baseline, finished.figures), err=True)
    show(finished, as_json, quiet)
    return EXIT_CODES[finished.verdict]


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return found


def _search_again(folder: Path, found: dict[str, Any], quiet: bool, as_json: bool) -> int:
    from mmload.cli.capacity import show
    from mmload.report.pages import write_capacity

    write_capacity(folder, found)
    show(found, folder, as_json, quiet)
    return EXIT_CODES[Verdict(found["verdict"])]


def _comparison_again(folder: Path, found: dict[str, Any], quiet: bool, as_json: bool) -> int:
    from mmload.cli.compare import show
    from mmload.compare import exit_code
    from mmload.report.comparing import write_comparison

    write_comparison(folder, found)
    show(found, folder, as_json, quiet)
    return exit_code(found)
