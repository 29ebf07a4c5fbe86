"""Where a run is seen from outside while it runs: scrapers, gateways, collectors, event lines, Locust's page.

Each is fed from the journals by ``Watch``. A gateway or a collector that fails is a warning, never the
run's end. Not aware of processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

import mmload
from mmload.launch.options import RunOptions
from mmload.model import InputError
from mmload.plan import Plan
from mmload.report.files import write_text
from mmload.report.live import LiveState
from mmload.report.otlp import OtlpMetrics, provider_of
from mmload.report.prometheus import Metrics, RunLabels, serve_metrics
from mmload.report.push import Pusher

LIVE_FILE: Final = "journal/live.json"
"""What Locust's page shows of quality, cost and validity; written only if it is served."""


class Sink(Protocol):
    """What takes frames of a journal and the state of the run."""

    def take(self, kind: str, body: Any, /) -> None: ...

    def show(self, live: LiveState, /) -> None: ...


class Outlets:
    """Opened when the plan stands, closed when the run is over."""

    def __init__(
        self, wanted: RunOptions, plan: Plan, frame: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        """``frame``: the ``RUN`` frame to be. Raises ``InputError`` for a port that is taken."""
        self._wanted = wanted
        self.sinks: list[Sink] = []
        self.metrics: Metrics | None = None
        self.url = ""
        self._endpoint: Any = None
        self._pusher: Pusher | None = None
        self._otlp: OtlpMetrics | None = None
        profile = plan.profile
        labels = RunLabels(
            frame["run_id"],
            profile.name,
            frame["target"],
            profile.target.model,
            mmload.__version__,
            time.time(),
        )
        slo = {task: limit.e2e_ms / 1000 for task, limit in profile.slo.items()}
        if wanted.prometheus_port is not None or wanted.pushgateway:
            ttft = tuple(s.ttft_ms / 1000 for s in profile.slo.values() if s.ttft_ms)
            self.metrics = Metrics(labels, plan.suite.items, slo, ttft)
            self.sinks.append(self.metrics)
        if wanted.otlp:
            provider = provider_of(profile.target.protocol)
            self._otlp = OtlpMetrics(wanted.otlp, labels, plan.suite.items, provider, list(slo.values()), say)
            self.sinks.append(self._otlp)
        self._open(say, labels.run_id)

    def _open(self, say: Callable[[str], None], run_id: str) -> None:
        wanted = self._wanted
        if self.metrics is not None and wanted.prometheus_port is not None:
            try:
                self._endpoint = serve_metrics(self.metrics, wanted.prometheus_port, wanted.prometheus_addr)
            except OSError as e:
                raise InputError(f"--prometheus-port {wanted.prometheus_port}: {e.strerror}") from None
            self.url = self._endpoint.url
            say(f"metrics: {self.url}")
        if self.metrics is not None and wanted.pushgateway:
            self._pusher = Pusher(wanted.pushgateway, run_id, self.metrics, say)
            self._pusher.start()

    def settle(self, figures: Mapping[str, Any]) -> None:
        """The verdict: the last metrics, which stay up for a while."""
        if self.metrics is not None:
            gates = {gate["name"]: gate["verdict"] == "pass" for gate in figures["gates"]}
            self.metrics.settle(bool(figures["validity"]["valid"]), gates, figures["quality"]["judge"])
        pushed = self._pusher.stop() if self._pusher is not None else False
        self._stop_otlp()
        if self._endpoint is not None or self._wanted.pushgateway_delete:
            time.sleep(self._wanted.metrics_linger_s)
        if pushed and self._pusher is not None and self._wanted.pushgateway_delete:
            self._pusher.delete()
        self._pusher = None

    def _stop_otlp(self) -> None:
        if self._otlp is not None:
            self._otlp.stop()
            self._otlp = None

    def close(self) -> None:
        """Whatever is still open, after a run that did not come to its end."""
        if self._pusher is not None:
            self._pusher.stop()
            self._pusher = None
        self._stop_otlp()
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None


class LiveFile:
    """The state of the run for Locust's page, in a file that the master reads."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / LIVE_FILE

    def take(self, kind: str, body: Any) -> None:
        """Nothing: it shows what is summed up."""

    def show(self, live: LiveState) -> None:
        write_text(self._path, json.dumps(asdict(live), default=list))
