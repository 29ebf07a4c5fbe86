"""Run a profile: drive the traffic, score, price, judge, and write the run folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmload.cli._options import json_option, print_json, profile_options, read_profile
from mmload.model import EXIT_CODES, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from mmload.launch import Finished


@click.command(epilog="Example: mmload run traffic_profiles/burst.toml --target sim")
@profile_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder; default reports/<profile>-<UTC time>."
)
@click.option("--prometheus-port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--prometheus-addr", default="127.0.0.1", show_default=True, help="Address of the metrics.")
@click.option("--metrics-linger", type=float, default=0.0, help="Keep the metrics up so many seconds more.")
@click.option("--master", is_flag=True, help="Wait for workers of other hosts instead of starting them.")
@click.option("--master-host", default="127.0.0.1", show_default=True, help="Address the master binds.")
@click.option("--master-port", type=click.IntRange(1, 65535), help="Default: 5557 with --master, else free.")
@click.option("--web-port", type=click.IntRange(1, 65535), help="Serve Locust's web page on this port.")
@click.option("--web-host", default="127.0.0.1", show_default=True, help="Address of Locust's web page.")
@click.option("--no-progress", is_flag=True, help="No live view.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@json_option
def run(
    profile: Path,
    target: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    plugins: tuple[Path, ...],
    out: Path | None,
    prometheus_port: int,
    prometheus_addr: str,
    metrics_linger: float,
    master: bool,
    master_host: str,
    master_port: int | None,
    web_port: int | None,
    web_host: str,
    no_progress: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run PROFILE against its target.

    Starts the embedded pipeline if the target is one, a Locust master and its workers, and the scorer.
    Prints the verdict and where the report is; --json prints summary.json instead.
    """
    from mmload.launch import RunOptions
    from mmload.launch import run as launch

    wanted = read_profile(profile, target, sets, seed, workers, plugins)
    options = RunOptions(
        out=out,
        show=not (quiet or no_progress),
        prometheus_port=prometheus_port,
        prometheus_addr=prometheus_addr,
        metrics_linger_s=metrics_linger,
        remote_workers=master,
        master_host=master_host,
        master_port=master_port or (5557 if master else None),
        web_host=web_host,
        web_port=web_port,
        say=(lambda _: None) if quiet else (lambda line: click.echo(line, err=True)),
    )
    finished, interrupted = launch(wanted, profile.parent, options)
    show(finished, as_json, quiet)
    announce(finished, profile)
    return EXIT_INTERRUPTED if interrupted else EXIT_CODES[finished.verdict]


def show(finished: Finished, as_json: bool, quiet: bool) -> None:
    """The result of a run on stdout."""
    if as_json:
        figures: Any = dict(finished.figures)
        print_json(figures)
    elif not quiet:
        from mmload.report.terminal import conclusion

        width = min(120, max(60, shutil.get_terminal_size().columns))
        click.echo(conclusion(finished.figures, finished.profile, finished.run_dir, width))


def announce(finished: Finished, profile: Path) -> None:
    """In GitHub Actions: step summary, outputs and annotations. On stderr, which the runner reads too."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from mmload.report.ci import publish

    for line in publish(finished.run_dir, finished.figures, finished.profile, os.environ, str(profile)):
        click.echo(line, err=True)
