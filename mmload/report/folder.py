"""Writes the report's files into a run folder: html, markdown, junit, plots and ``summary.json``.

Each file appears whole or not at all. Not aware of journals; what it is given is already measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmload.profile import Profile
from mmload.report import html, junit, markdown, raster, svg
from mmload.report.charts import draw_all
from mmload.report.escape import redact
from mmload.report.files import write_bytes, write_text
from mmload.report.measured import Measured
from mmload.report.scene import Scene, Text
from mmload.report.table import Chart


def write(
    run_dir: Path,
    figures: Mapping[str, Any],
    series: Mapping[str, Any],
    *,
    profile: Profile,
    run_info: Mapping[str, Any],
    environment: Mapping[str, Any],
    secrets: Sequence[str] = (),
) -> list[Path]:
    """Write every file of the report; return their paths.

    ``figures`` is ``summary.json`` of the contract; ``run_info`` the ``RUN`` frame of the journal (may
    be empty). ``secrets`` are values that must appear nowhere (the API key). Raises ``OSError``.
    """
    known = tuple(secrets)
    figures, series, run_info, environment = (
        clean(part, known) for part in (figures, series, dict(run_info), dict(environment))
    )
    measured = Measured(figures, series, profile, run_info, environment)
    charts = draw_all(measured)
    texts = {
        "summary.json": json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "report.html": html.page(measured, charts),
        "report.md": markdown.render(measured),
        "junit.xml": junit.render(measured),
    }
    for name, text in texts.items():
        write_text(run_dir / name, text)
    return [run_dir / name for name in texts] + _plots(run_dir / "plots", charts)


def prepare() -> None:
    """What the first report of a process would wait for: fonts, templates, pyarrow's look for a pandas."""
    raster.png(Scene(8, 8, [Text(0, 4, "0"), Text(0, 8, "0", bold=True)]))
    html.prepare()
    pa.array([0])


def _plots(folder: Path, charts: Mapping[str, Chart]) -> list[Path]:
    written = []
    for chart in charts.values():
        if chart.draw is None:
            for suffix in (".svg", ".png"):
                (folder / f"{chart.key}{suffix}").unlink(missing_ok=True)
            continue
        scene = chart.draw(html.WIDE)
        write_text(folder / f"{chart.key}.svg", svg.standalone(scene, title=chart.title, desc=chart.desc))
        write_bytes(folder / f"{chart.key}.png", raster.png(scene))
        written += [folder / f"{chart.key}.svg", folder / f"{chart.key}.png"]
    return written


def clean(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """A deep copy that JSON can hold: no NaN or infinity (they become null), no secret, string keys."""
    match value:
        case str():
            return redact(value, secrets)
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {redact(str(key), secrets): clean(part, secrets) for key, part in value.items()}
        case Sequence():
            return [clean(part, secrets) for part in value]
        case _ if hasattr(value, "item"):
            return clean(value.item(), secrets)
        case _:
            return redact(str(value), secrets)
