"""Renders a ``Scene`` as PNG by matplotlib's Agg canvas; the same marks as the SVG, in the light colours.

No pyplot: its global state and its second of import have no place in a library.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import Normal, Stroke
from matplotlib.transforms import Affine2D

from mmload.report.scene import LIGHT, Area, Boxes, Line, Mark, Marker, Scene, Text, polygon
from mmload.report.svg import pen_runs

SCALE = 2.0
"""Pixels of the file per unit of the scene."""
_DPI = 72.0


def png(scene: Scene) -> bytes:
    """The scene as a PNG file whose bytes depend on the scene alone (no date, no version)."""
    inches = (scene.width * SCALE / _DPI, scene.height * SCALE / _DPI)
    figure = Figure(figsize=inches, dpi=_DPI, facecolor=LIGHT["paper"])
    FigureCanvasAgg(figure)
    place = Affine2D().scale(SCALE, -SCALE).translate(0, scene.height * SCALE)
    for order, mark in enumerate(scene.marks):
        for artist in _artists(mark, place):
            artist.set_zorder(order)
            figure.add_artist(artist, clip=False)
    out = io.BytesIO()
    figure.savefig(
        out,
        format="png",
        metadata={"Software": None},
        facecolor=LIGHT["paper"],
        pil_kwargs={"compress_level": 3},
    )
    return out.getvalue()


def _artists(mark: Mark, place: Any) -> list[Any]:
    match mark:
        case Line():
            return [_line(mark, run, place) for run in pen_runs(mark.points)]
        case Area():
            if len(mark.points) < 3:
                return []
            return [_filled(list(mark.points), mark.role, place, alpha=mark.opacity)]
        case Boxes():
            return [_boxes(mark, place)] if mark.boxes else []
        case Marker():
            corners = polygon(mark)
            if corners:
                return [_filled(corners, mark.role, place, edge=SCALE)]
            return [
                Circle(
                    (mark.x, mark.y),
                    mark.size,
                    facecolor=LIGHT[mark.role],
                    edgecolor=LIGHT["paper"],
                    linewidth=SCALE,
                    transform=place,
                )
            ]
        case Text():
            return [_text(mark, place)]


def _line(line: Line, run: list[tuple[float, float]], place: Any) -> Line2D:
    dash = tuple(float(part) / line.width for part in line.dash.split()) if line.dash else None
    return Line2D(
        [x for x, _ in run],
        [y for _, y in run],
        color=LIGHT[line.role],
        linewidth=line.width * SCALE,
        linestyle=(0, dash) if dash else "solid",
        alpha=line.opacity,
        solid_joinstyle="round",
        transform=place,
    )


def _filled(
    corners: list[tuple[float, float]], role: str, place: Any, alpha: float = 1, edge: float = 0
) -> Polygon:
    border = LIGHT["paper"] if edge else "none"
    return Polygon(
        corners,
        closed=True,
        facecolor=LIGHT[role],
        edgecolor=border,
        linewidth=edge,
        alpha=alpha,
        transform=place,
    )


def _boxes(boxes: Boxes, place: Any) -> PolyCollection:
    corners = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h)] for x, y, w, h in boxes.boxes]
    return PolyCollection(
        corners,
        facecolors=LIGHT[boxes.role],
        alpha=boxes.opacity,
        linewidths=0,
        antialiaseds=False,
        transform=place,
    )


def _text(text: Text, place: Any) -> Any:
    from matplotlib.text import Text as Label

    anchor = {"start": "left", "middle": "center", "end": "right"}[text.anchor]
    halo = [Stroke(linewidth=4 * SCALE, foreground=LIGHT["paper"]), Normal()] if text.halo else None
    return Label(
        text.x,
        text.y,
        text.text.replace("$", r"\$"),
        color=LIGHT[text.role],
        fontsize=text.size * SCALE * 0.94,
        ha=anchor,
        va="baseline",
        fontweight="bold" if text.bold else "normal",
        fontfamily="DejaVu Sans",
        path_effects=halo,
        transform=place,
    )
