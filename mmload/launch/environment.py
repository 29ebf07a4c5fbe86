"""What a reader must know of the machine to believe or repeat a run: ``environment.json``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import mmload

_LIBRARIES: Final = ("locust", "gevent", "geventhttpclient", "numpy", "pillow", "aiohttp", "hdrhistogram")


def environment() -> dict[str, Any]:
    """Versions, machine, kernel, limits, commit. Holds no name of a user, host or folder."""
    return {
        "mmload": mmload.__version__,
        "commit": _commit(),
        "python": sys.version.split()[0],
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(),
        "cpus_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "clock_source": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "ephemeral_ports": _read("/proc/sys/net/ipv4/ip_local_port_range"),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def _read(path: str) -> str | None:
    try:
        return " ".join(Path(path).read_text().split())
    except OSError:
        return None


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _commit() -> str | None:
    """Commit of the checkout that mmload runs from; ``None`` if it was installed otherwise."""
    root = Path(mmload.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
