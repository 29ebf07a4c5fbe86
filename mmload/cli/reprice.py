"""Price the stored usage of a run again, with the prices of another profile."""

from __future__ import annotations

from pathlib import Path

import click

from mmload.cli._options import json_option, read_profile, run_argument
from mmload.model import EXIT_CODES


@click.command(
    epilog="Example: mmload reprice reports/burst-20260101T120000Z --prices traffic_profiles/burst.toml"
)
@run_argument
@click.option(
    "--prices", type=click.Path(path_type=Path), required=True, help="Profile whose [cost] holds the prices."
)
@click.option("--set", "sets", multiple=True, metavar="KEY.PATH=VALUE", help="Override one key of it.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@json_option
def reprice(run: Path, prices: Path, sets: tuple[str, ...], quiet: bool, as_json: bool) -> int:
    """Write the files of the folder RUN again under other prices; `mmload report RUN` goes back to its own.

    Nothing is sent. The exit code is that of the new verdict.
    """
    from mmload.cli.run import show
    from mmload.launch.finish import finish

    finished = finish(run, cost=read_profile(prices, sets=sets).cost)
    show(finished, as_json, quiet)
    return EXIT_CODES[finished.verdict]
