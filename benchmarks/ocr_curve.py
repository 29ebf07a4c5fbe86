"""What the OCR pipeline gives up as the load rises: quality, p95 and cost per good query by offered rate.

Reads the folder of a run of ``traffic_profiles/ramp.toml --target ocr``, takes the stretches of the way up
and of the way down that were offered about the same rate together, and writes ``ocr-load.svg``, ``.png`` and
the figures as JSON:

    mmload run traffic_profiles/ramp.toml --target ocr --out RUN
    python benchmarks/ocr_curve.py RUN docs/images
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from mmload.intervals import binomial_cdf, wilson
from mmload.profile import Profile, load

BINS = 7
_CONFIDENCE = 0.95


def levels(run: Path) -> list[dict[str, Any]]:
    """Figures of each band of offered rate, with 95% intervals."""
    profile = load(run / "profile.toml")
    rows = pq.read_table(run / "requests.parquet").to_pandas()
    ramps, start = [], 0.0
    for phase in profile.phase:
        if phase.shape == "ramp":
            ramps.append((start, phase.duration_s, phase.from_rpm or 0.0, phase.to_rpm or 0.0))
        start += phase.duration_s
    edges = np.linspace(min(min(r[2:]) for r in ramps), max(max(r[2:]) for r in ramps), BINS + 1)
    due_s = rows["due_ns"].to_numpy() / 1e9
    found = []
    for low, high in pairwise(edges.tolist()):
        spans = [_when(ramp, low, high) for ramp in ramps]
        inside = np.zeros(len(rows), bool)
        for begin, end in spans:
            inside |= (due_s >= begin) & (due_s < end)
        seconds = sum(end - begin for begin, end in spans)
        found.append({"rpm": round((low + high) / 2, 1), **_level(rows[inside], seconds, profile)})
    return found


def _when(ramp: tuple[float, float, float, float], low: float, high: float) -> tuple[float, float]:
    """From when to when a ramp asked for a rate between ``low`` and ``high``, in seconds of the run."""
    start, length, first, last = ramp
    at = sorted((rate - first) / (last - first) * length for rate in (low, high))
    return start + at[0], start + at[1]


def _ranks(n: int, quantile: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that bound a quantile; 0 or n + 1 where none does."""
    below = np.array([binomial_cdf(rank - 1, n, quantile) for rank in range(1, n + 1)])
    return int((below <= 1 - _CONFIDENCE).sum()), int((below < _CONFIDENCE).sum()) + 1


def _level(rows: Any, seconds: float, profile: Profile) -> dict[str, Any]:
    ok = rows[rows["outcome"] == "ok"]
    objective = profile.slo["default"].e2e_ms
    right = int(ok["passed"].sum())
    good = int((ok["passed"] & (ok["e2e_ms"] <= objective)).sum())
    times = np.sort(ok["e2e_ms"].to_numpy()) / 1000
    estimate = wilson(right, len(ok), (1 + _CONFIDENCE) / 2)
    low, high = _ranks(len(times), 0.95)
    by_the_clock = profile.cost.infrastructure_usd_per_hour * seconds / 3600
    return {
        "n": len(rows),
        "shed_ratio": round(float((rows["outcome"] == "shed").mean()), 4),
        "quality": round(right / len(ok), 4),
        "quality_low": round(estimate.low, 4),
        "quality_high": round(estimate.high, 4),
        "e2e_p95_s": round(float(times[int(np.ceil(0.95 * len(times))) - 1]), 3),
        "e2e_p95_s_low": round(float(times[low - 1]), 3) if low else None,
        "e2e_p95_s_high": round(float(times[high - 1]), 3) if high <= len(times) else None,
        "per_good_query_usd": round((by_the_clock + float(rows["cost_usd"].sum())) / max(1, good), 7),
    }


def plot(found: list[dict[str, Any]], folder: Path) -> None:
    matplotlib.rcParams["svg.hashsalt"] = "mmload"
    figure = Figure(figsize=(10, 3.1))
    rates = [level["rpm"] for level in found]
    panels = (
        ("quality", "quality: share of answers that are right", 1.0, "#0072B2"),
        ("e2e_p95_s", "p95 from the due time, s", 1.0, "#D55E00"),
        ("per_good_query_usd", "cost per good query, $ per 1,000", 1000.0, "#009E73"),
    )
    for place, (key, title, scale, colour) in enumerate(panels, 1):
        axes = figure.add_subplot(1, 3, place)
        values = [level[key] * scale for level in found]
        axes.plot(rates, values, "o-", color=colour, markersize=4)
        for level, value in zip(found, values, strict=True):
            low, high = level.get(f"{key}_low"), level.get(f"{key}_high")
            if low is not None:
                top = high * scale if high is not None else value
                axes.plot([level["rpm"]] * 2, [low * scale, top], color=colour, linewidth=1)
        axes.set_ylim(bottom=0, top=1 if key == "quality" else 1.05 * axes.get_ylim()[1])
        axes.set_xlim(left=0)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("offered, requests per minute", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    FigureCanvasSVG(figure).print_svg(str(folder / "ocr-load.svg"), metadata={"Date": None})
    figure.set_dpi(150)
    FigureCanvasAgg(figure).print_png(str(folder / "ocr-load.png"), metadata={"Software": None})


def main() -> None:
    run, folder = Path(sys.argv[1]), Path(sys.argv[2])
    found = levels(run)
    (folder / "ocr-load.json").write_text(json.dumps(found, indent=1) + "\n")
    plot(found, folder)
    for level in found:
        print(level)


if __name__ == "__main__":
    main()
