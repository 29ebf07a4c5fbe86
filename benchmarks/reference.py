"""The reference server as a process: built when its source is newer, pinned, stopped with its truth.

Not aware of who sends to it.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.tools import HERE, pinned

TRUTH = np.dtype(
    [
        ("trace_id", "V16"),
        ("rx_first", "<i8"),
        ("rx_last", "<i8"),
        ("seen", "<i8"),
        ("first_write", "<i8"),
        ("last_write", "<i8"),
        ("connection", "<u4"),
        ("mode", "<u4"),
        ("body_bytes", "<u8"),
    ]
)
"""One request as ``struct truth`` of reference_server.c has it; CLOCK_REALTIME nanoseconds."""


def build() -> Path:
    """The server's binary. Raises ``CalledProcessError`` if the C compiler refuses."""
    source = HERE / "reference_server.c"
    binary = Path(tempfile.gettempdir()) / f"mmload-reference-server-{os.getuid()}"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-Wall", "-o", str(binary), str(source)], check=True)
    return binary


class Reference:
    """``with Reference(...) as server``: afterwards ``stats`` and, if asked for, ``truth`` are known."""

    def __init__(self, core: int, truth: bool = False, freeze: str = "") -> None:
        """``freeze`` is PERIOD_MS:STOP_MS."""
        self._truth_file = Path(tempfile.mkstemp(suffix=".truth")[1]) if truth else None
        command = pinned([str(build())], core)
        if self._truth_file:
            command += ["--truth", str(self._truth_file)]
        if freeze:
            command += ["--freeze", freeze]
        self._command = command
        self.stats: dict[str, Any] = {}
        self.truth = np.empty(0, TRUTH)

    def __enter__(self) -> Reference:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port: int = json.loads(self._process.stdout.readline())["port"]
        return self

    def url(self, mode: str) -> str:
        """Address whose answers are of ``mode``; an OpenAI client adds ``/chat/completions``."""
        return f"http://127.0.0.1:{self.port}/{mode}/v1"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=30)
        if out.strip():
            self.stats = json.loads(out)
        if self._truth_file:
            self.truth = np.fromfile(self._truth_file, TRUTH)
            self._truth_file.unlink()

    def rate(self) -> float:
        """Answers a second: median over the tenths of a second of the middle of the run."""
        tenths = self.stats.get("tenths", [])
        busy = [i for i, n in enumerate(tenths) if n]
        if not busy:
            return 0.0
        active = tenths[busy[0] : busy[-1] + 1]
        edge = min(max(len(active) // 5, 2), max((len(active) - 1) // 2, 0))
        middle = active[edge : len(active) - edge] or active
        # Of a tool that sends in fits and starts the median tenth would be empty.
        return 10.0 * (statistics.median(middle) or statistics.fmean(middle))
