"""Child processes of a run: started by module name, ended by their pid, their words kept in logs.

Not aware of what they do.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mmload.model import MmloadError

_PR_SET_PDEATHSIG: Final = 1
_KILL_AFTER_S: Final = 5.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Child:
    """One child. It gets no terminal signals (Ctrl-C is the launcher's to pass on), and does not
    outlive the launcher."""

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], logs: Path, pipe: bool = False
    ) -> None:
        self.name = name
        self.said_all = False
        """Nothing that it still does is worth waiting for."""
        self.log = logs / f"{name}.log"
        logs.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def failed(self) -> bool:
        """It has ended, and not as it should."""
        return bool(self.process.poll())

    def ready_line(self, timeout_s: float) -> Mapping[str, Any]:
        """The JSON object that the child prints when it is ready. Raises ``MmloadError``."""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        give_up = time.monotonic() + timeout_s
        said = b""
        while b"\n" not in said:
            if not self.alive or time.monotonic() > give_up:
                raise MmloadError(f"{self.name} did not start: {self.last_words()}")
            said += self.process.stdout.read() or b""
            time.sleep(0.01)
        answer: Mapping[str, Any] = json.loads(said.split(b"\n")[0])
        return answer

    def last_words(self) -> str:
        """Last line of the log, for a message."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines() if self.log.exists() else []
        return f"{lines[-1].removeprefix('mmload: ')}" if lines else "it said nothing"

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end(self) -> int:
        """SIGTERM, and SIGKILL if that does not help; exit status."""
        if self.alive:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(0 if self.said_all else _KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def _die_with_parent() -> Any:
    """A hook for the child that has the kernel end it with us (Linux; elsewhere none)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def hook() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return hook
