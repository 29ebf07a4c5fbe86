"""``python -m mmload.judge RUN_DIR``: the judge's process of a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from mmload.judge import follow
from mmload.model import MmloadError, counted


async def _judge(run_dir: Path) -> Counter[str] | None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    parent = os.getppid()
    return await follow(run_dir, os.environ, stop, alone=lambda: os.getppid() != parent)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m mmload.judge RUN_DIR\n")
        return 2
    # Ctrl-C reaches the whole process group; the launcher decides when judging ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(19)
    try:
        failed = asyncio.run(_judge(Path(arguments[0])))
    except MmloadError as error:
        sys.stderr.write(f"mmload: {error}\n")
        return error.exit_code
    except Exception as error:  # its text might quote a header or an answer
        sys.stderr.write(f"mmload: the judge ended by {type(error).__name__}\n")
        return 1
    for what, times in sorted((failed or {}).items()):
        sys.stderr.write(f"mmload: {counted(times, 'answer')} got no verdict: {what}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
