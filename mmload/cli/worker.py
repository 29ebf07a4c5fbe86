"""Take part in a run of another host as one of its workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(epilog="Example: mmload worker --master-host 10.0.0.5")
@click.option("--master-host", required=True, help="Host on which `mmload run --master` waits.")
@click.option("--master-port", type=click.IntRange(1, 65535), default=5557, show_default=True)
@click.option(
    "--base-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that the profile's traces and items are relative to, if it lies elsewhere on this host.",
)
def worker(master_host: str, master_port: int, base_dir: Path | None) -> None:
    """Connect to a master, make the same workload from the same seeds, and send this worker's share.

    The profile comes from the master; an API key must be in this host's environment. Locust's master port
    knows no password and no encryption: use it in a trusted network only.
    """
    arguments = ["--master-host", master_host, "--master-port", str(master_port)]
    if base_dir is not None:
        arguments += ["--base-dir", str(base_dir)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "mmload.drive.worker", *arguments])
