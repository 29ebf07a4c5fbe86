"""Render the report of a run folder again, also of one cut short by a kill."""

from __future__ import annotations

from pathlib import Path

import click

from mmload.cli._ci import keep_baseline
from mmload.cli._options import json_option
from mmload.model import EXIT_CODES


@click.command(epilog="Example: mmload report reports/burst-20260101T120000Z")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option(
    "--save-baseline",
    type=click.Path(path_type=Path),
    help="Write the run's figures as a baseline, if the run is valid.",
)
@json_option
def report(run: Path, quiet: bool, save_baseline: Path | None, as_json: bool) -> int:
    """Write every file of the folder RUN again from its journals; the exit code is the verdict's."""
    from mmload.cli.run import show
    from mmload.launch.finish import finish

    finished = finish(run)
    if save_baseline is not None:
        click.echo(keep_baseline(save_baseline, finished.figures), err=True)
    show(finished, as_json, quiet)
    return EXIT_CODES[finished.verdict]
