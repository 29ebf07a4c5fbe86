"""Score the stored answers of a run again, with the scorers of this version."""

from __future__ import annotations

from pathlib import Path

import click

from mmload.cli._options import json_option, plugin_option, run_argument
from mmload.model import EXIT_CODES, InputError, counted


@click.command(epilog="Example: mmload rescore reports/burst-20260101T120000Z")
@run_argument
@click.option(
    "--reviews",
    type=click.Path(path_type=Path),
    help="CSV of what people said: seq, verdict (right or wrong), and reviewer, minutes if known.",
)
@plugin_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@json_option
def rescore(run: Path, reviews: Path | None, plugins: tuple[Path, ...], quiet: bool, as_json: bool) -> int:
    """Replay the answers of the folder RUN through the scorers, and write its files again.

    With --reviews the report says how often people overrule the scorers, and how far both agree; the file is
    kept in the folder. No score changes by it. Nothing is sent. The exit code is that of the new verdict.
    """
    from mmload import grade
    from mmload import plugins as families
    from mmload.cli.run import show
    from mmload.launch.finish import finish

    for file in plugins:
        families.register_file(file)
    if reviews is not None:
        keep_reviews(reviews, run)
    grader = grade.rescore(run)
    for what, times in sorted(grader.failed.items()):
        click.echo(f"mmload: {counted(times, 'answer')} could not be scored: {what}", err=True)
    finished = finish(run)
    show(finished, as_json, quiet)
    return EXIT_CODES[finished.verdict]


def keep_reviews(reviews: Path, run: Path) -> None:
    """Copy reviews into the folder of their run. Raises ``InputError`` for a file that is none, or that names
    requests which the run did not have."""
    from mmload import journal
    from mmload.report.files import write_text
    from mmload.summary import REVIEWS, RUN_JOURNAL, read_reviews

    if not (run / RUN_JOURNAL).exists():
        raise InputError(f"{run}: no run of mmload in this folder ({RUN_JOURNAL} is missing)")
    reviewed = set(read_reviews(reviews).votes)
    reviewed.difference_update(journal.seqs(journal.Follower(run / RUN_JOURNAL), journal.RECORDS))
    if reviewed:
        more = f" and {len(reviewed) - 1} more" if len(reviewed) > 1 else ""
        raise InputError(
            f"{reviews}: seq: {min(reviewed)}{more}: {run} has no such request; are these reviews of another "
            "run?"
        )
    write_text(run / REVIEWS, reviews.read_text("utf-8-sig"))
