"""Run the practice pipeline as a server of its own (OpenAI-compatible)."""

from __future__ import annotations

import os
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Hand over to ``python -m mmload.serve``, a process that knows nothing of the client."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "mmload.serve", *arguments])
