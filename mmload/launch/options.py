"""How a run is carried out: what the command line says, not the profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmload.report.events import EventLines
    from mmload.summary import RunReader


@dataclass
class RunOptions:
    """How, not what: the profile says what."""

    out: Path | None = None
    show: bool = True
    """Live view on stderr."""
    prometheus_port: int | None = 0
    """0 takes a free one; ``None`` serves no metrics."""
    prometheus_addr: str = "127.0.0.1"
    metrics_linger_s: float = 0.0
    """How long the final metrics stay up."""
    pushgateway: str | None = None
    """URL of a Prometheus Pushgateway."""
    pushgateway_delete: bool = False
    """Take the group away again, after the linger time."""
    otlp: str | None = None
    """Endpoint of an OpenTelemetry collector's metrics."""
    events: EventLines | None = None
    """Gets the run as JSON lines."""
    baseline: Path | None = None
    """File of figures that must not have become worse."""
    settled: Callable[[RunReader], str | None] | None = None
    """Asked twice a second; what it answers is why nothing more needs to be sent."""
    brief: bool = False
    """Write figures only: a step of a search, whose report `mmload report` draws when it is wanted."""
    remote_workers: bool = False
    """Wait for workers of other hosts (``mmload worker``) instead of starting some here."""
    master_host: str = "127.0.0.1"
    """Address that Locust's master binds; its protocol knows no password: a trusted network only."""
    master_port: int | None = None
    """``None`` takes a free one."""
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    """Serve Locust's web page."""
    say: Callable[[str], None] = field(default=lambda _line: None)
