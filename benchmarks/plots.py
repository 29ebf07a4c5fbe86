"""Plots of the comparison as SVG. Not aware of how the figures were measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

matplotlib.rcParams["svg.hashsalt"] = "mmload"
_OURS, _THEIRS = "#0072B2", "#BBBBBB"


def draw(found: dict[str, Any], out: Path) -> None:
    """Every plot whose rows are there."""
    rows = found["rows"]
    plots: dict[str, Callable[[dict[str, Any]], Figure | None]] = {
        "throughput.svg": _throughput,
        "lag.svg": _lag,
        "freeze.svg": _freeze,
        "memory.svg": _memory,
    }
    for name, make in plots.items():
        figure = make(rows)
        if figure is not None:
            figure.tight_layout()
            FigureCanvasSVG(figure).print_svg(str(out / name), metadata={"Date": None})


def _throughput(rows: dict[str, Any]) -> Figure | None:
    shown = [r for key, r in rows.items() if key.startswith("throughput-") and r["detail"]]
    if not shown:
        return None
    figure = Figure(figsize=(3.0 * len(shown), 3.2))
    for place, row in enumerate(shown, 1):
        axes = figure.add_subplot(1, len(shown), place)
        rates = {tool: statistics.median(v) for tool, v in row["detail"]["rates"].items()}
        colours = [_OURS if tool == "mmload" else _THEIRS for tool in rates]
        bars = axes.bar(list(rates), list(rates.values()), color=colours)
        axes.bar_label(bars, [f"{v:,.0f}" for v in rates.values()], fontsize=7)
        axes.set_title(row["work"], fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if place == 1:
            axes.set_ylabel("answers per second, one core", fontsize=8)
    return figure


def _lag(rows: dict[str, Any]) -> Figure | None:
    shown = {int(k.split("-")[1]): r for k, r in rows.items() if k.startswith("schedule-")}
    if not shown:
        return None
    figure = Figure(figsize=(6, 3.4))
    axes = figure.add_subplot()
    points = [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9]
    for rate, row in sorted(shown.items()):
        axes.plot(
            [1 / (1 - p / 100) for p in points], row["detail"]["lag_ms"][: len(points)], label=f"{rate:,}/s"
        )
    axes.axhline(0.5, linestyle=":", color="grey")
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="send lag, ms")
    axes.set_xticks([2, 10, 100, 1000], ["50%", "90%", "99%", "99.9%"])
    axes.legend(fontsize=8, title="planned rate")
    return figure


def _freeze(rows: dict[str, Any]) -> Figure | None:
    row = rows.get("freeze")
    if row is None:
        return None
    detail = row["detail"]
    figure = Figure(figsize=(8, 3.2))
    axes = figure.add_subplot()
    axes.plot(detail["due_s"], detail["truth_ms"], color="#D55E00", linewidth=3, alpha=0.5, label="truth")
    axes.plot(detail["due_s"], detail["e2e_ms"], ".", color=_OURS, markersize=2, label="mmload e2e")
    axes.set(xlabel="seconds into the run, by due time", ylabel="latency, ms")
    axes.legend(fontsize=8, loc="upper right")
    return figure


def _memory(rows: dict[str, Any]) -> Figure | None:
    row = rows.get("memory")
    if row is None or not row["detail"]["requests"]:
        return None
    figure = Figure(figsize=(6, 3))
    axes = figure.add_subplot()
    axes.plot([n / 1e6 for n in row["detail"]["requests"]], row["detail"]["rss_mb"], color=_OURS)
    axes.set(xlabel="requests sent, millions", ylabel="resident memory of the worker, MB", ylim=(0, None))
    return figure
