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
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from mmload.model import InputError, MmloadError
from mmload.profile import Ocr, Sim
from mmload.serve.app import make_app
from mmload.serve.fault_server import FaultServer, read_fault_config
from mmload.serve.known import Known
from mmload.serve.meters import Meters
from mmload.serve.sim import Pipeline

DRAIN_S = 10.0
C = TypeVar("C", bound=BaseModel)


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    try:
        asyncio.run(_serve(options))
    except MmloadError as error:
        sys.stderr.write(f"mmload serve: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"mmload serve: cannot listen on {options.host}:{options.port}: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mmload.serve", description=__doc__)
    parser.add_argument("--engine", choices=["sim", "ocr", "faults"], default="sim")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 asks the kernel for a free one")
    parser.add_argument("--suite", type=Path, help="folder of the suite that it knows the answers to")
    parser.add_argument("--config", default="{}", help="JSON of the profile's [target.sim], or @FILE with it")
    parser.add_argument("--ready-file", type=Path, help="also write the ready line to this file")
    return parser


def read_config(text: str, kind: type[C]) -> C:
    """Settings from JSON text or ``@file``. Raises InputError."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return kind.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config: cannot read {text[1:]}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the JSON"
        raise InputError(f"--config: {where}: {first['msg']}, found {first['input']!r:.80}") from None


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if options.engine == "faults":
        await _serve_faults(options, stop)
    else:
        await _serve_app(options, stop)


def _sim(options: argparse.Namespace) -> web.Application:
    config = read_config(options.config, Sim)
    meters = Meters(config.model)
    pipeline = Pipeline(config, Known.from_dir(options.suite), meters)
    return make_app(pipeline, meters, config.max_body_bytes)


def _ocr(options: argparse.Namespace) -> web.Application:
    # Its models take a second to load: nobody else should wait for them.
    from mmload.serve.ocr.engine import OcrPipeline
    from mmload.serve.ocr.reader import RapidReader

    config = read_config(options.config, Ocr)
    meters = Meters(config.model)
    return make_app(OcrPipeline(config, RapidReader(), meters), meters, config.max_body_bytes)


async def _serve_app(options: argparse.Namespace, stop: asyncio.Event) -> None:
    app = _ocr(options) if options.engine == "ocr" else _sim(options)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, backlog=4096)
        await site.start()
        host, port = runner.addresses[0][:2]
        _announce({"url": f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"}, options.ready_file)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _serve_faults(options: argparse.Namespace, stop: asyncio.Event) -> None:
    server = FaultServer(read_fault_config(options.config), Known.from_dir(options.suite).items, options.host)
    urls = server.start()
    try:
        _announce({"url": urls["ok"], "urls": urls}, options.ready_file)
        await stop.wait()
    finally:
        await server.stop()


def _announce(ready: dict[str, Any], ready_file: Path | None) -> None:
    line = json.dumps(ready | {"pid": os.getpid()}) + "\n"
    if ready_file is not None:
        partial = ready_file.with_name(ready_file.name + ".tmp")
        partial.write_text(line, encoding="utf-8")
        partial.replace(ready_file)
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
