"""Plots of the target from within: where time goes by stage, and how requests failed."""

from __future__ import annotations

from mmload.report.axes import up_to
from mmload.report.measured import Measured
from mmload.report.plot import Key
from mmload.report.row_plot import Row, rows
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import DASH, count, known, ms, ms_tick, percent

STAGE_KEYS = [
    Key("p50", "blue", fill=1.0, width=0),
    Key("to p95", "sky", fill=1.0, width=0),
    Key("to p99", "axis", fill=1.0, width=0),
]


def stages(measured: Measured) -> Chart:
    """Time in each stage of the pipeline, from the ``Server-Timing`` header of answers."""
    found = measured.part("stages")
    in_order = sorted(found.items(), key=lambda pair: -(pair[1].get("share") or 0.0))
    data = [
        Row(name, top, parts=parts, note=_stage_note(stage))
        for name, stage in in_order
        for parts, top in [_nested(stage)]
        if parts
    ]
    text = [
        [
            name,
            count(stage.get("n")),
            ms(stage.get("p50")),
            ms(stage.get("p95")),
            ms(stage.get("p99")),
            percent(stage.get("share")),
        ]
        for name, stage in in_order
    ]
    table = Table("Time by stage", ["Stage", "n", "p50", "p95", "p99", "Share of time"], text)
    title = "Where time goes inside the target"
    if not data:
        return Chart("stages", title, "", table, absent="The target sends no Server-Timing header")
    scale = up_to(max(row.value or 0 for row in data))

    def draw(width: float) -> Scene:
        return rows(width, data, scale, label=ms_tick, bars=True, keys=STAGE_KEYS)

    note = "As the target itself reports; the examiner measures only what goes over the wire."
    largest = max(found, key=lambda name: found[name].get("share") or 0)
    desc = f"Most time goes to {largest}: {percent(found[largest].get('share'))}."
    return Chart("stages", title, desc, table, draw, note=note)


def _nested(stage: dict[str, float | None]) -> tuple[list[tuple[float, str]], float]:
    """Bar parts from 0 to p50, on to p95, on to p99; a percentile that is not certified ends the bar."""
    parts: list[tuple[float, str]] = []
    reached = 0.0
    for name, role in (("p50", "blue"), ("p95", "sky"), ("p99", "axis")):
        value = stage.get(name)
        if known(value) and value is not None:
            parts.append((max(0.0, value - reached), role))
            reached = max(reached, value)
    return parts, reached


def _stage_note(stage: dict[str, float | None]) -> str:
    return f"p50 {ms(stage.get('p50'))} · {percent(stage.get('share'))} of time"


def errors(measured: Measured) -> Chart:
    """Requests that did not end as ok, by kind, with one real example each."""
    counts = measured.part("counts")
    kinds = sorted((counts.get("errors") or {}).items(), key=lambda pair: -pair[1])
    planned = counts.get("planned") or 0
    examples = {
        e.get("kind"): str(e.get("example") or "") for e in measured.series.get("error_examples") or []
    }
    text = [
        [kind, examples.get(kind) or DASH, count(n), percent(n / planned) if planned else DASH]
        for kind, n in kinds
    ]
    table = Table("Errors", ["Kind", "Example (redacted)", "Requests", "Of planned"], text, text_columns=2)
    title = "Errors by kind"
    if not kinds:
        return Chart("errors", title, "", table, absent="None: every planned request ended as ok")
    data = [
        Row(
            k,
            float(n),
            note=f"{count(n)} · {percent(n / planned) if planned else DASH}",
            role="purple" if k == "http_429" else "red",
        )
        for k, n in kinds
    ]
    scale = up_to(max(row.value or 0 for row in data))

    def draw(width: float) -> Scene:
        return rows(width, data, scale, label=count, bars=True)

    desc = "; ".join(f"{kind} {count(n)}" for kind, n in kinds) + "."
    return Chart("errors", title, desc, table, draw)
