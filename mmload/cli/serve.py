"""Run the practice pipeline as a server of its own (OpenAI-compatible)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mmload.cli._options import read_profile
from mmload.model import InputError


@click.command(epilog="Example: mmload serve traffic_profiles/burst.toml --port 8000")
@click.argument("profile", type=click.Path(path_type=Path), required=False)
@click.option("--engine", type=click.Choice(["sim", "ocr"]), help="Default: the profile's, else sim.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one.")
@click.option("--suite", type=click.Path(path_type=Path), help="Folder of a built suite that it can answer.")
@click.option("--config", help="JSON of [target.sim] or [target.ocr], or @FILE.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Also write the ready line to this file.")
@click.option("--set", "sets", multiple=True, metavar="KEY.PATH=VALUE", help="Override one key of PROFILE.")
def serve(
    profile: Path | None,
    engine: str | None,
    host: str,
    port: int,
    suite: Path | None,
    config: str | None,
    ready_file: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Serve /v1/chat/completions, /v1/models, /health and /metrics until interrupted.

    With PROFILE, it behaves as the profile's [target.sim] or [target.ocr] says and can answer the profile's
    suite, which is built if need be. Without one it knows no picture and answers that it cannot tell. Prints
    one JSON line with its URL when it is ready.
    """
    if profile is not None:
        asked = read_profile(profile, sets=sets)
        engine = engine or asked.target.engine or "sim"
        config = config or getattr(asked.target, engine).model_dump_json()
        suite = suite or _suite(profile, sets)
    elif sets:
        raise InputError("--set overrides keys of a profile; give one")
    arguments = ["--engine", engine or "sim", "--host", host, "--port", str(port)]
    for option, value in (("--suite", suite), ("--config", config), ("--ready-file", ready_file)):
        if value is not None:
            arguments += [option, str(value)]
    sys.stdout.flush()
    # Another process, for this one has loaded the client's code, and the examiner is independent.
    os.execv(sys.executable, [sys.executable, "-m", "mmload.serve", *arguments])


def _suite(profile: Path, sets: tuple[str, ...]) -> Path:
    from mmload.cli.fixtures import built

    return built(profile, sets).dir
