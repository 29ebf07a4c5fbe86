"""Metrics under OpenTelemetry's GenAI names, sent by OTLP over HTTP to a collector.

Source of names, units and bucket edges: OpenTelemetry's semantic conventions for generative AI, client
metrics (status: development). By it an operation lasts from the send; ``mmload.request.duration``
beside it lasts from the due time. A load generator is a client: no ``gen_ai.server.*`` is claimed.
Needs ``mmload[otlp]``. Not aware of who writes the journal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from mmload import journal
from mmload.model import NS_PER_S, InputError, Item, Outcome, Record
from mmload.report.address import address
from mmload.report.live import LiveState
from mmload.report.prometheus import RunLabels

_EVERY_S: Final = 10.0
_TIMEOUT_S: Final = 5.0
_MOST_MODELS: Final = 20
"""The target names the model that answered; it could name any number of them."""
DURATIONS: Final = tuple(0.01 * 2**k for k in range(17))
"""Seconds: the convention's 0.01 to 81.92, and three more doublings for what waits in a burst."""
CHUNKS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
TOKENS: Final = tuple(4**k for k in range(14))
_PROVIDERS: Final = {"openai-chat": "openai", "openai-responses": "openai", "anthropic-messages": "anthropic"}


def provider_of(protocol: str) -> str:
    """``gen_ai.provider.name`` of a protocol; one of our own for a pipeline with its own protocol."""
    return _PROVIDERS.get(protocol, f"mmload.{protocol}")


def checked(url: str) -> str:
    """Endpoint of the metrics for a collector's URL; raises ``InputError``."""
    parts = address(
        "--otlp",
        url,
        example="http://127.0.0.1:4318",
        secrets="set OTEL_EXPORTER_OTLP_HEADERS instead",
    )
    try:
        import opentelemetry.exporter.otlp.proto.http.metric_exporter  # noqa: F401
    except ImportError:
        raise InputError("--otlp needs more packages: pip install 'mmload[otlp]'") from None
    return url if parts.path not in ("", "/") else f"{url.rstrip('/')}/v1/metrics"


class OtlpMetrics:
    """Counts frames of a journal, and sends what it has every ten seconds. Failures are said once."""

    def __init__(
        self,
        endpoint: str,
        run: RunLabels,
        items: Sequence[Item],
        provider: str,
        slo_s: Sequence[float],
        say: Callable[[str], None],
    ) -> None:
        """``slo_s``: end-to-end objectives in seconds, which become bucket edges."""
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        self._tasks = [item.task for item in items]
        host, _, port = run.target.partition(":")
        self._common: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": run.model,
            "server.address": host,
            **({"server.port": int(port)} if port.isdigit() else {}),
        }
        self._models: set[str] = set()
        resource = Resource.create(
            {
                "service.name": "mmload",
                "service.version": run.version,
                "service.instance.id": run.run_id,
                "mmload.profile": run.profile,
            }
        )
        # The library logs each failure with a traceback; it is said once, by us.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        reader = PeriodicExportingMetricReader(
            _exporter(endpoint, say),
            export_interval_millis=_EVERY_S * 1000,
            export_timeout_millis=_TIMEOUT_S * 1000,
        )
        self._provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._make(sorted({*DURATIONS, *slo_s}))

    def _make(self, durations: Sequence[float]) -> None:
        meter = self._provider.get_meter("mmload")

        def histogram(name: str, unit: str, edges: Sequence[float], said: str) -> Any:
            return meter.create_histogram(name, unit, said, explicit_bucket_boundaries_advisory=list(edges))

        self._duration = histogram(
            "gen_ai.client.operation.duration", "s", durations, "From the send to the last byte."
        )
        self._first = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", durations, "From the send to the first chunk."
        )
        self._chunk = histogram(
            "gen_ai.client.operation.time_per_output_chunk", "s", CHUNKS, "Between two chunks of a stream."
        )
        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", TOKENS, "Tokens as billed by the target."
        )
        self._due = histogram(
            "mmload.request.duration", "s", durations, "From the due time to the last byte."
        )

    def take(self, kind: str, body: Any) -> None:
        """Add one frame of a journal; kinds of no interest pass by."""
        if kind == journal.RECORDS:
            for record in body:
                if record.sent_ns is not None and record.end_ns is not None:
                    self._add(record)

    def show(self, live: LiveState) -> None:
        """Gauges of the run are Prometheus's; the convention has none."""

    def _add(self, r: Record) -> None:
        assert r.sent_ns is not None and r.end_ns is not None
        told = self._attributes(r)
        self._duration.record((r.end_ns - r.sent_ns) / NS_PER_S, told)
        self._due.record((r.end_ns - r.due_ns) / NS_PER_S, told)
        if r.first_token_ns is not None:
            self._first.record((r.first_token_ns - r.sent_ns) / NS_PER_S, told)
        for gap in (np.frombuffer(r.gaps_us, "<u4") / 1e6).tolist() if r.gaps_us else ():
            self._chunk.record(gap, told)
        if r.usage_source != "usage":
            return
        for kind, number in (("input", r.tokens_in), ("output", r.tokens_out)):
            if number is not None:
                self._tokens.record(number, {**told, "gen_ai.token.type": kind})

    def _attributes(self, r: Record) -> dict[str, Any]:
        task = self._tasks[r.item] if 0 <= r.item < len(self._tasks) else "unknown"
        told = {**self._common, "mmload.scenario": task}
        if r.model and (r.model in self._models or len(self._models) < _MOST_MODELS):
            self._models.add(r.model)
            told["gen_ai.response.model"] = r.model
        if r.outcome != Outcome.OK:
            told["error.type"] = r.error or "_OTHER"
        return told

    def stop(self) -> None:
        """Send what is left, and end."""
        self._provider.force_flush(int(_TIMEOUT_S * 1000))
        self._provider.shutdown(_TIMEOUT_S * 1000)


def _exporter(endpoint: str, say: Callable[[str], None]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

    class Exporter(OTLPMetricExporter):
        told = False

        def export(
            self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **more: Any
        ) -> MetricExportResult:
            try:
                result = super().export(metrics_data, timeout_millis, **more)
            except Exception as e:
                return self._failed(f" ({type(e).__name__})")
            return result if result is MetricExportResult.SUCCESS else self._failed("")

        def _failed(self, why: str) -> MetricExportResult:
            if not self.told:
                self.told = True
                say(f"warning: cannot send metrics by OTLP to {endpoint}{why}; the run goes on without")
            return MetricExportResult.FAILURE

    return Exporter(endpoint=endpoint, timeout=_TIMEOUT_S)
