"""The program ``mmload``: finds its verbs, and turns every ending into an exit code.

A verb is a module of this package with a click command of the module's name; the first line of its
docstring is its line in ``mmload --help``. Modules with a leading underscore are no verbs. A verb is
imported when it is called, so that ``mmload --help`` needs nothing but click.
"""

from __future__ import annotations

import errno
import gc
import importlib
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn

import click

import mmload
from mmload.launch.limits import settle
from mmload.model import EXIT_INTERRUPTED, InputError, MmloadError

_ORDER: Final = (
    *("run", "check", "capacity", "compare", "report", "rescore", "reprice"),
    *("serve", "fixtures", "init", "doctor"),
)
_FOLDER: Final = Path(__file__).parent


class Verbs(click.Group):
    """A group whose commands are the modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(importlib.import_module(f"mmload.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = (
                f' Did you mean "{near[0]}"?'
                if near
                else f" There are: {', '.join(self.list_commands(ctx))}."
            )
            ctx.fail(f'No verb "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _first_line(_FOLDER / f"{name}.py")) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""Causes that lie with the machine, not with us."""
_NOT_OURS = (errno.EACCES, errno.EPERM)
"""A file that we may not touch."""


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip().strip('"')


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: mmload check traffic_profiles/burst.toml",
)
@click.version_option(mmload.__version__, prog_name="mmload")
def program() -> None:
    """Requests per minute at quality: load tests for multimodal LLM pipelines.

    Exit codes: 0 all gates passed, 1 mmload failed, 2 bad usage, profile or input, 3 a gate failed,
    4 too few samples to say, 5 the run is invalid, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit. An error that a user can act on is one message, never a traceback."""
    # To load what a run needs makes millions of objects that stay: not to be walked through 1,000 times.
    gc.set_threshold(50_000, 20, 100)
    code = run_program(arguments)
    # What is left goes with the process: to search it for cycles once more would take 0.2 s.
    gc.freeze()
    sys.exit(code)


def run_program(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the program for these arguments (default: those of the process)."""
    settle()
    try:
        code = program.main(arguments, prog_name="mmload", standalone_mode=False)
    except click.ClickException as error:
        _with_range(error).show()
        return error.exit_code
    except MmloadError as error:
        return _complain(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (as with `| head`); nothing is left to say to it.
        sys.stdout = None  # keeps the interpreter from flushing into the pipe
        return 1
    except OSError as error:
        if error.errno in _NOT_OURS and error.filename:
            return _complain(f"{error.filename}: {error.strerror}", InputError.exit_code)
        if error.errno not in _NO_ROOM:
            return _complain(f"{type(error).__name__}: {error}{_details()}", 1)
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror}; what was recorded stays, see `mmload report`", 1)
    except Exception as error:
        return _complain(f"{type(error).__name__}: {error}{_details()}", 1)
    return code if isinstance(code, int) else 0


def _with_range(error: click.ClickException) -> click.ClickException:
    """The error with what a number may be: click says "'abc' is not a valid integer range" and no more."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return error
    kind = error.param.type
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return error
    found = error.message.rpartition(" is not ")[0]
    number = "whole number" if isinstance(kind, click.IntRange) else "number"
    if kind.max is not None:
        allowed = f"{number} from {kind.min} to {kind.max}"
    else:
        allowed = f"{number} {'above' if kind.min_open else 'of at least'} {kind.min}"
    return click.BadParameter(f"{found} is no {allowed}.", error.ctx, error.param)


def _complain(message: str, code: int) -> int:
    click.echo(f"mmload: {message}", err=True)
    return code


def _details() -> str:
    """Where the traceback was written, in words."""
    text = traceback.format_exc()
    name = f"mmload-error-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-"
    try:
        with tempfile.NamedTemporaryFile("w", prefix=name, suffix=".txt", delete=False) as file:
            file.write(f"mmload {mmload.__version__}, Python {sys.version}\n{text}")
    except OSError:
        return "\n" + text
    return f" (this is a fault of mmload; details are in {file.name})"
