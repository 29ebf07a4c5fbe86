"""Renders a ``Scene`` as PNG by matplotlib's Agg renderer; the same marks as the SVG, in the light colours.

No pyplot, whose global state and second of import have no place in a library; and no figure of axes and
artists either: marks are paths and texts already, and each report is spared a tenth of a second.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from PIL import Image

from mmload.report.scene import LIGHT, Area, Boxes, Line, Mark, Marker, Point, Scene, Text, polygon
from mmload.report.svg import pen_runs

SCALE: Final = 2.0
"""Pixels of the file per unit of the scene."""
_DPI: Final = 72.0
"""A point of Agg is then a pixel."""


def png(scene: Scene) -> bytes:
    """The scene as a PNG file whose bytes depend on the scene alone (no date, no version)."""
    width, height = round(scene.width * SCALE), round(scene.height * SCALE)
    agg: Any = RendererAgg
    page = _Page(agg(width, height, _DPI), height)
    page.fill(Path.unit_rectangle(), "paper", Affine2D().scale(width, height))
    for mark in scene.marks:
        page.draw(mark)
    out = io.BytesIO()
    Image.frombuffer("RGBA", (width, height), page.agg.buffer_rgba()).convert("RGB").save(
        out, "png", compress_level=3, dpi=(_DPI, _DPI)
    )
    return out.getvalue()


class _Page:
    def __init__(self, agg: Any, height: int) -> None:
        self.agg = agg
        self.height = height
        self.place = Affine2D().scale(SCALE, -SCALE).translate(0, height)

    def draw(self, mark: Mark) -> None:
        match mark:
            case Line():
                for run in pen_runs(mark.points):
                    self._stroke(Path(run), mark)
            case Area():
                if len(mark.points) > 2:
                    self.fill(_closed(mark.points), mark.role, self.place, mark.opacity)
            case Boxes():
                if mark.boxes:
                    self.fill(_boxes(mark.boxes), mark.role, self.place, mark.opacity, smooth=False)
            case Marker():
                corners_of = polygon(mark)
                shape = _closed(corners_of) if corners_of else Path.circle((mark.x, mark.y), mark.size)
                self.fill(shape, mark.role, self.place, edge=SCALE)
            case Text():
                self._write(mark)

    def fill(
        self, path: Path, role: str, place: Any, opacity: float = 1, edge: float = 0, smooth: bool = True
    ) -> None:
        pen = self.agg.new_gc()
        pen.set_linewidth(edge)
        pen.set_foreground(LIGHT["paper"])
        pen.set_alpha(opacity)
        pen.set_antialiased(smooth)
        self.agg.draw_path(pen, path, place, to_rgb(LIGHT[role]))

    def _stroke(self, path: Path, line: Line) -> None:
        pen = self.agg.new_gc()
        pen.set_linewidth(line.width * SCALE)
        pen.set_foreground(LIGHT[line.role])
        pen.set_alpha(line.opacity)
        pen.set_joinstyle("round")
        pen.set_capstyle("butt" if line.dash else "projecting")
        if line.dash:
            pen.set_dashes(0, [float(part) * SCALE for part in line.dash.split()])
        self.agg.draw_path(pen, path, self.place)

    def _write(self, text: Text) -> None:
        font = _font(text.size * SCALE * 0.94, text.bold)
        width, _, _ = self.agg.get_text_width_height_descent(text.text, font, ismath=False)
        x = text.x * SCALE - width * {"start": 0, "middle": 0.5, "end": 1}[text.anchor]
        y = text.y * SCALE
        if text.halo:
            # An unescaped pair of dollars would be mathematics to it.
            outline = TextPath((x, self.height - y), text.text.replace("$", r"\$"), prop=font)
            self._halo(outline)
            self.fill(outline, text.role, Affine2D())
            return
        pen = self.agg.new_gc()
        pen.set_foreground(LIGHT[text.role])
        self.agg.draw_text(pen, x, y, text.text, font, 0)

    def _halo(self, outline: Path) -> None:
        pen = self.agg.new_gc()
        pen.set_linewidth(4 * SCALE)
        pen.set_foreground(LIGHT["paper"])
        self.agg.draw_path(pen, outline, Affine2D())


def _boxes(boxes: Sequence[tuple[float, float, float, float]]) -> Path:
    corners = [_closed([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]) for x, y, w, h in boxes]
    return Path.make_compound_path(*corners)


def _closed(corners: Sequence[Point]) -> Path:
    return Path([*corners, corners[0]], closed=True)


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
