"""What a CI job or another program asks of a run: which findings fail it, a baseline, event lines.

Not aware of how a run is made.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mmload.model import EXIT_CODES, CheckVerdict, InputError, Verdict

if TYPE_CHECKING:
    from mmload.report.events import EventLines

F = TypeVar("F", bound=Callable[..., Any])
_VERDICTS: Final = ("no-go", "inconclusive", "invalid")
_NEVER, _REGRESSION = "never", "regression"


def ci_options(command: F) -> F:
    """``fail_on, baseline, save_baseline, events``."""
    for decorate in reversed(
        (
            click.option(
                "--fail-on",
                multiple=True,
                metavar="WHAT[,WHAT...]",
                help="What makes the exit code other than 0: no-go, inconclusive, invalid (default: these "
                "three), regression, names of gates, or never.",
            ),
            click.option(
                "--baseline",
                type=click.Path(path_type=Path),
                help="Figures of an earlier run; a gated figure that is worse for certain fails.",
            ),
            click.option(
                "--save-baseline",
                type=click.Path(path_type=Path),
                help="Write this run's figures as a baseline, if the run is valid.",
            ),
            click.option(
                "--events",
                metavar="FILE|-",
                help="The run as JSON lines into FILE; - is stderr, in place of the live view.",
            ),
        )
    ):
        command = decorate(command)
    return command


def chosen(fail_on: Sequence[str]) -> frozenset[str]:
    """The words of ``--fail-on``, checked; raises ``InputError``. Empty stands for the default."""
    from mmload.profile import Gates

    allowed = (*_VERDICTS, _REGRESSION, _NEVER, *Gates.model_fields)
    words = [word.strip() for part in fail_on for word in part.split(",") if word.strip()]
    for word in words:
        if word not in allowed:
            near = get_close_matches(word, allowed, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise InputError(
                f"--fail-on {word}: it must be {', '.join((*_VERDICTS, _REGRESSION, _NEVER))} "
                f"or the name of a gate{hint}"
            )
    if _NEVER in words and len(set(words)) > 1:
        raise InputError("--fail-on never: it stands alone")
    return frozenset(words)


def exit_code(figures: Mapping[str, Any], words: frozenset[str]) -> int:
    """The exit code of a run for the words of ``--fail-on``.

    An invalid run fails whatever gates are named, for no gate of it means anything; only ``never`` lets it
    pass.
    """
    verdict = Verdict(figures["verdict"])
    if not words:
        return EXIT_CODES[verdict]
    if words == {_NEVER}:
        return 0
    if verdict is Verdict.INVALID:
        return EXIT_CODES[verdict]
    failed = {gate["name"] for gate in figures["gates"] if gate["verdict"] == CheckVerdict.FAIL.value}
    regressed = {name for name in failed if name.endswith("_regression")}
    if failed and ("no-go" in words or failed & words or (_REGRESSION in words and regressed)):
        return EXIT_CODES[Verdict.NO_GO]
    undecided = any(gate["verdict"] == CheckVerdict.INCONCLUSIVE.value for gate in figures["gates"])
    return EXIT_CODES[Verdict.INCONCLUSIVE] if undecided and "inconclusive" in words else 0


def may_keep_baseline(path: Path) -> None:
    """Raises ``InputError`` before a run if its baseline could not be written after it."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as e:
        raise InputError(f"--save-baseline {path}: it cannot be written ({e.strerror})") from None


def keep_baseline(path: Path, figures: Mapping[str, Any]) -> str:
    """Write the baseline of a valid run; gives what to say. Raises ``InputError`` if it cannot be."""
    from mmload import baseline
    from mmload.report.files import write_text

    if not figures["validity"]["valid"]:
        return f"no baseline written to {path}: the run is not valid"
    try:
        write_text(path, baseline.made_from(figures))
    except OSError as e:
        raise InputError(f"--save-baseline {path}: it cannot be written ({e.strerror})") from None
    return f"baseline: {path}"


def open_events(where: str | None) -> EventLines | None:
    """The stream of ``--events``. Raises ``InputError`` for a file that cannot be written."""
    if where is None:
        return None
    from mmload.report.events import EventLines

    if where == "-":
        return EventLines(sys.stderr, time.time)
    try:
        return EventLines(Path(where).open("w", encoding="utf-8"), time.time)
    except OSError as e:
        raise InputError(f"--events {where}: it cannot be written ({e.strerror})") from None
