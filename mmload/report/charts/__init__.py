"""The plots of a report, in the order that people ask: each a function ``Measured -> Chart``.

One module a subject. A chart carries its table, so that nothing is told by picture alone; a chart
without data says why instead of drawing zeros.
"""

from __future__ import annotations

from mmload.report.charts import cost, health, heat, latency, load, pipeline, quality, server
from mmload.report.measured import Measured
from mmload.report.table import Chart

EVERY = (
    load.from_offered_to_good,
    load.offered_and_carried,
    load.in_flight,
    latency.spectrum,
    latency.spectrum_by_phase,
    latency.over_time,
    server.queue,
    server.use,
    heat.over_time,
    pipeline.stages,
    quality.by_phase,
    quality.over_time,
    quality.hallucinations,
    quality.slices,
    cost.per_query,
    cost.by_phase,
    pipeline.errors,
    health.send_lag,
    health.generator_cpu,
)


def draw_all(measured: Measured) -> dict[str, Chart]:
    """Every chart by key, in order."""
    return {chart.key: chart for chart in (make(measured) for make in EVERY)}
