"""The fault server as a process, for whole runs against it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from whole_runs import TINY


@contextmanager
def faults(**config: Any) -> Iterator[str]:
    """URL under which requests meet faults at the ``rates`` of the config."""
    server = subprocess.Popen(
        [sys.executable, "-m", "mmload.serve", "--engine", "faults", "--config", json.dumps(config)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


def head(url: str, **target: Any) -> str:
    """A profile without phases that drives ``url``."""
    keys = "".join(f"{name} = {json.dumps(value)}\n" for name, value in target.items())
    text = TINY.replace('engine = "sim"', f'url = "{url}"\n{keys}')
    return text.replace("[target.sim]\nspeed = 60\n", "")
