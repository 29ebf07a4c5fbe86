"""Score the stored answers of a run again, with the scorers of this version."""

from __future__ import annotations

from pathlib import Path

import click

from mmload.cli._options import json_option, plugin_option
from mmload.model import EXIT_CODES


@click.command(epilog="Example: mmload rescore reports/burst-20260101T120000Z")
@click.argument("run", type=click.Path(path_type=Path))
@plugin_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@json_option
def rescore(run: Path, plugins: tuple[Path, ...], quiet: bool, as_json: bool) -> int:
    """Replay the answers of the folder RUN through the scorers, and write its files again.

    Nothing is sent. The exit code is that of the new verdict.
    """
    from mmload import grade
    from mmload import plugins as families
    from mmload.cli.run import show
    from mmload.launch import finish

    for file in plugins:
        families.register_file(file)
    grader = grade.rescore(run)
    for what, times in sorted(grader.failed.items()):
        click.echo(f"mmload: {times} answers could not be scored: {what}", err=True)
    finished = finish(run)
    show(finished, as_json, quiet)
    return EXIT_CODES[finished.verdict]
