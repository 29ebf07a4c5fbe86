"""Run a profile: drive the traffic, score, price, judge, and write the run folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmload.cli._ci import (
    chosen,
    ci_options,
    exit_code,
    keep_baseline,
    may_keep_baseline,
    open_events,
)
from mmload.cli._options import (
    Finite,
    json_option,
    output_options,
    print_json,
    profile_options,
    read_profile,
    terminal_width,
)
from mmload.cli._remote import allowed, remote_options
from mmload.model import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from mmload.launch.finish import Finished
    from mmload.profile import Profile
    from mmload.report.events import EventLines


@click.command(epilog="Example: mmload run traffic_profiles/burst.toml --target sim")
@profile_options
@remote_options
@output_options("reports/<profile>-<UTC time>", live="")
@click.option("--prometheus-port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--prometheus-addr", default="127.0.0.1", show_default=True, help="Address of the metrics.")
@click.option(
    "--metrics-linger",
    type=Finite(0),
    default=0.0,
    help="Keep the metrics up so many seconds more.",
)
@click.option("--pushgateway", metavar="URL", help="Push the metrics to a Prometheus Pushgateway too.")
@click.option(
    "--pushgateway-delete", is_flag=True, help="Take them away again at the end, after the linger time."
)
@click.option("--otlp", metavar="URL", help="Send OpenTelemetry's GenAI metrics to a collector, by HTTP.")
@click.option("--master", is_flag=True, help="Wait for workers of other hosts instead of starting them.")
@click.option("--master-host", default="127.0.0.1", show_default=True, help="Address the master binds.")
@click.option("--master-port", type=click.IntRange(1, 65535), help="Default: 5557 with --master, else free.")
@click.option("--web", is_flag=True, help="Serve Locust's web page on a free port.")
@click.option("--web-port", type=click.IntRange(1, 65535), help="Serve Locust's web page on this port.")
@click.option("--web-host", default="127.0.0.1", show_default=True, help="Address of Locust's web page.")
@ci_options
@json_option
def run(
    profile: Path,
    target: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    plugins: tuple[Path, ...],
    yes: bool,
    insecure: bool,
    out: Path | None,
    prometheus_port: int,
    prometheus_addr: str,
    metrics_linger: float,
    pushgateway: str | None,
    pushgateway_delete: bool,
    otlp: str | None,
    master: bool,
    master_host: str,
    master_port: int | None,
    web: bool,
    web_port: int | None,
    web_host: str,
    no_progress: bool,
    quiet: bool,
    fail_on: tuple[str, ...],
    baseline: Path | None,
    save_baseline: Path | None,
    events: str | None,
    as_json: bool,
) -> int:
    """Run PROFILE against its target.

    Starts the embedded pipeline if the target is one, a Locust master and its workers, and the scorer.
    Prints the verdict and where the report is; --json prints summary.json instead.
    """
    from mmload.launch.children import free_port
    from mmload.launch.options import RunOptions
    from mmload.launch.run import run as launch

    words = chosen(fail_on)
    if save_baseline is not None:
        may_keep_baseline(save_baseline)
    lines = open_events(events)
    say = _teller(quiet, lines, alone=events == "-")

    def read(more: list[str]) -> Profile:
        return read_profile(profile, target, [*sets, *more], seed, workers, plugins)

    wanted = allowed(read, profile, yes, insecure, say)
    options = RunOptions(
        out=out,
        show=not (quiet or no_progress or events == "-"),
        prometheus_port=prometheus_port,
        prometheus_addr=prometheus_addr,
        metrics_linger_s=metrics_linger,
        pushgateway=_pushgateway(pushgateway),
        pushgateway_delete=pushgateway_delete,
        otlp=_otlp(otlp),
        events=lines,
        baseline=baseline,
        remote_workers=master,
        master_host=master_host,
        master_port=master_port or (5557 if master else None),
        web_host=web_host,
        web_port=web_port or (free_port() if web else None),
        say=say,
    )
    finished, interrupted = launch(wanted, profile.parent, options)
    code = EXIT_INTERRUPTED if interrupted else exit_code(finished.figures, words)
    if save_baseline is not None:
        say(keep_baseline(save_baseline, finished.figures))
    if lines is not None:
        lines.finished(finished.figures, str(finished.run_dir), code)
    show(finished, as_json, quiet)
    announce(finished, profile)
    return code


def _teller(quiet: bool, lines: EventLines | None, alone: bool) -> Callable[[str], None]:
    """Where lines for a person go: stderr, the event lines, both or nowhere."""

    def say(text: str) -> None:
        if lines is not None:
            lines.notice(text)
        if not quiet and not alone:
            click.echo(text, err=True)

    return say


def _pushgateway(url: str | None) -> str | None:
    if url is None:
        return None
    from mmload.report.push import checked

    return checked(url)


def _otlp(url: str | None) -> str | None:
    if url is None:
        return None
    from mmload.report.otlp import checked

    return checked(url)


def show(finished: Finished, as_json: bool, quiet: bool) -> None:
    """The result of a run on stdout."""
    if as_json:
        figures: Any = dict(finished.figures)
        print_json(figures)
    elif not quiet:
        from mmload.report.terminal import conclusion

        click.echo(conclusion(finished.figures, finished.profile, finished.run_dir, terminal_width()))


def announce(finished: Finished, profile: Path) -> None:
    """In GitHub Actions: step summary, outputs and annotations. On stderr, which the runner reads too."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from mmload.report.ci import publish

    for line in publish(finished.run_dir, finished.figures, finished.profile, os.environ, str(profile)):
        click.echo(line, err=True)
