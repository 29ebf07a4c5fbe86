"""``python -m mmload.grade RUN_DIR``: the scoring process of a run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from mmload.grade import follow, lower_priority
from mmload.model import MmloadError, counted


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m mmload.grade RUN_DIR\n")
        return 2
    # Ctrl-C reaches the whole process group; the launcher decides when scoring ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    parent = os.getppid()
    try:
        grader = follow(Path(arguments[0]), alone=lambda: os.getppid() != parent)
    except MmloadError as error:
        sys.stderr.write(f"mmload: {error}\n")
        return error.exit_code
    for what, times in sorted((grader.failed if grader else {}).items()):
        sys.stderr.write(f"mmload: {counted(times, 'answer')} could not be scored: {what}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
