"""``python -m mmload.serve``: the practice target as a process of its own.

Prints one JSON line ``{"url", "pid"}`` on stdout when it is ready; ends cleanly on SIGTERM and SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from mmload.model import InputError, MmloadError
from mmload.profile import Sim
from mmload.serve.app import make_app
from mmload.serve.known import Known
from mmload.serve.meters import Meters
from mmload.serve.sim import Pipeline

DRAIN_S = 10.0


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    try:
        asyncio.run(_serve(options))
    except MmloadError as error:
        print(f"mmload serve: {error}", file=sys.stderr)  # noqa: T201 - the message of a command
        return error.exit_code
    except OSError as error:
        print(f"mmload serve: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)  # noqa: T201 - same
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mmload.serve", description=__doc__)
    parser.add_argument("--engine", choices=["sim"], default="sim")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 asks the kernel for a free one")
    parser.add_argument("--suite", type=Path, help="folder of the suite that it knows the answers to")
    parser.add_argument("--config", default="{}", help="JSON of the profile's [target.sim], or @FILE with it")
    parser.add_argument("--ready-file", type=Path, help="also write the ready line to this file")
    return parser


def read_config(text: str) -> Sim:
    """``Sim`` from JSON text or ``@file``. Raises InputError."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return Sim.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config: cannot read {text[1:]}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the JSON"
        raise InputError(f"--config: {where}: {first['msg']}, found {first['input']!r:.80}") from None


async def _serve(options: argparse.Namespace) -> None:
    config = read_config(options.config)
    known = Known.from_dir(options.suite)
    meters = Meters(config.model)
    app = make_app(Pipeline(config, known, meters), meters, config.max_body_bytes)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, backlog=4096)
        await site.start()
        _announce(runner.addresses[0], options.ready_file)
        await stop.wait()
    finally:
        await runner.cleanup()


def _announce(address: tuple[object, ...], ready_file: Path | None) -> None:
    host = f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])
    line = json.dumps({"url": f"http://{host}:{address[1]}/v1", "pid": os.getpid()}) + "\n"
    if ready_file is not None:
        partial = ready_file.with_name(ready_file.name + ".tmp")
        partial.write_text(line, encoding="utf-8")
        partial.replace(ready_file)
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
