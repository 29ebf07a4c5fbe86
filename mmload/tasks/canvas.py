"""A drawing surface that knows where each string stands, in which size, and that its glyphs exist.

Not aware of what a task asks, of truth, or of files.

Lengths are given in *ems* of the canvas (the pixel size of its main font), so a layout is written once
for every resolution. Rasters depend on Pillow and FreeType versions; layout engine is always BASIC.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageDraw, ImageFont

XHEIGHT: Final = {"sans": 0.547, "bold": 0.547, "mono": 0.547, "serif": 0.519}
"""Height of a lower-case x by font size, of the DejaVu faces (1120/2048; Serif 1063/2048)."""
_FILES: Final = {
    "sans": "DejaVuSans.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
    "serif": "DejaVuSerif.ttf",
}
_MISSING: Final = "\U0010fffd"
"""A private character that no font draws: its raster is the font's 'missing glyph' box."""

Font = ImageFont.FreeTypeFont
Colour = tuple[int, int, int]


class GlyphError(ValueError):
    """A string has a character that the font cannot draw: an image of it would hold no truth."""


class LayoutError(ValueError):
    """Text left the canvas, or two texts overlap."""


class Box(NamedTuple):
    """Pixels, half-open: ``x0 <= x < x1``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def grown(self, by: float) -> Box:
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def meets(self, other: Box) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


class Text(NamedTuple):
    """One string as drawn."""

    string: str
    box: Box
    xheight: float
    """Pixels."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a screen or a page."""

    name: str
    desk: Colour
    panel: Colour
    bar: Colour
    bar_ink: Colour
    ink: Colour
    muted: Colour
    line: Colour
    accent: Colour
    accent_ink: Colour
    field: Colour
    danger: Colour
    series: tuple[Colour, ...]


_CALM: Final = (
    (38, 105, 184),
    (222, 129, 30),
    (40, 148, 106),
    (178, 62, 110),
    (110, 90, 178),
    (120, 120, 40),
)
_BRIGHT: Final = (
    (96, 165, 250),
    (251, 176, 64),
    (82, 206, 160),
    (240, 128, 170),
    (176, 158, 246),
    (214, 214, 110),
)
THEMES: Final = (
    Theme(
        "light",
        (228, 231, 236),
        (255, 255, 255),
        (246, 247, 249),
        (40, 44, 52),
        (28, 32, 40),
        (90, 97, 109),
        (208, 213, 221),
        (29, 99, 196),
        (255, 255, 255),
        (255, 255, 255),
        (185, 35, 35),
        _CALM,
    ),
    Theme(
        "dark",
        (18, 20, 26),
        (32, 35, 43),
        (24, 26, 33),
        (222, 226, 234),
        (232, 235, 241),
        (164, 171, 184),
        (66, 71, 84),
        (84, 148, 255),
        (10, 14, 22),
        (22, 24, 31),
        (255, 118, 110),
        _BRIGHT,
    ),
    Theme(
        "warm",
        (236, 229, 217),
        (253, 251, 246),
        (92, 64, 51),
        (255, 248, 238),
        (48, 38, 32),
        (112, 95, 82),
        (216, 203, 186),
        (150, 70, 28),
        (255, 255, 255),
        (255, 255, 255),
        (170, 30, 40),
        _CALM,
    ),
    Theme(
        "ocean",
        (214, 228, 234),
        (250, 253, 254),
        (13, 71, 92),
        (236, 248, 252),
        (16, 42, 54),
        (74, 104, 118),
        (184, 208, 217),
        (0, 110, 128),
        (255, 255, 255),
        (255, 255, 255),
        (180, 40, 50),
        _CALM,
    ),
)


@lru_cache(maxsize=1)
def font_folder() -> Path:
    """Folder of the DejaVu faces that matplotlib carries, found without importing it (0.3 s)."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise LayoutError("the DejaVu fonts come with matplotlib, which is not installed")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@lru_cache(maxsize=512)
def font(face: str, size: int) -> Font:
    return ImageFont.truetype(str(font_folder() / _FILES[face]), size, layout_engine=ImageFont.Layout.BASIC)


def _raster(loaded: Font | ImageFont.ImageFont, character: str) -> bytes:
    mask = loaded.getmask(character)
    return bytes(mask) + repr(mask.size).encode()


def assert_glyphs(loaded: Font | ImageFont.ImageFont, string: str) -> None:
    """Raises ``GlyphError`` unless the font draws every character of ``string`` as itself."""
    tofu = _raster(loaded, _MISSING)
    missing = sorted({c for c in string if not c.isspace() and _raster(loaded, c) == tofu})
    if missing:
        raise GlyphError(f"font has no glyph for {''.join(missing)!r} of {string!r}")


@lru_cache(maxsize=8192)
def _known_glyph(face: str, character: str) -> bool:
    assert_glyphs(font(face, 24), character)
    return True


@lru_cache(maxsize=16384)
def _advance(face: str, size: int, string: str) -> float:
    return float(font(face, size).getlength(string))


class Canvas:
    """An RGB image of ``width`` x ``height`` pixels whose main font is ``em`` pixels high."""

    def __init__(
        self, width: int, height: int, em: int, theme: Theme, *, faces: Mapping[str, str] | None = None
    ) -> None:
        """``faces`` names faces to be drawn in another one."""
        self.theme = theme
        self._faces = faces or {}
        self.em = em
        self.image = Image.new("RGB", (width, height), theme.desk)
        self.draw = ImageDraw.Draw(self.image)
        self.texts: list[Text] = []
        """Every string drawn so far that is still visible."""

    def blank(self) -> Canvas:
        """Another one of the same size, font size and skin."""
        return Canvas(self.width, self.height, self.em, self.theme, faces=self._faces)

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def size(self, ems: float) -> int:
        return max(1, round(ems * self.em))

    def measure(self, string: str, scale: float = 1.0, face: str = "sans") -> float:
        """Width in pixels."""
        face = self._faces.get(face, face)
        return _advance(face, self.size(scale), string)

    def fit(self, string: str, room: float, scale: float = 1.0, face: str = "sans") -> str:
        """``string``, shortened with an ellipsis if it is wider than ``room`` pixels. Never for evidence."""
        if self.measure(string, scale, face) <= room:
            return string
        while string and self.measure(string.rstrip() + "…", scale, face) > room:
            string = string[:-1]
        return string.rstrip() + "…" if string else ""

    def text(
        self,
        x: float,
        y: float,
        string: str,
        *,
        scale: float = 1.0,
        face: str = "sans",
        fill: Colour | None = None,
        anchor: str = "la",
    ) -> Text:
        """Draw one line with its anchor (as Pillow's, ``la``, ``rm``, ``mm``...) at pixel (x, y).

        Raises ``GlyphError`` for a character without a glyph, ``LayoutError`` if the line would leave
        the canvas or cover an earlier one.
        """
        face = self._faces.get(face, face)
        for character in set(string):
            if not character.isspace():
                _known_glyph(face, character)
        size = self.size(scale)
        loaded = font(face, size)
        at = (round(x), round(y))
        box = Box(*self.draw.textbbox(at, string, font=loaded, anchor=anchor))
        drawn = Text(string, box, round(size * XHEIGHT[face], 2))
        if string.strip():
            self._check(drawn)
            self.draw.text(at, string, font=loaded, fill=fill or self.theme.ink, anchor=anchor)
            self.texts.append(drawn)
        return drawn

    def _check(self, drawn: Text) -> None:
        box = drawn.box
        if box.x0 < 0 or box.y0 < 0 or box.x1 > self.width or box.y1 > self.height:
            raise LayoutError(f"{drawn.string!r} at {tuple(box)} leaves {self.width}x{self.height}")
        for other in self.texts:
            if box.meets(other.box):
                raise LayoutError(
                    f"{drawn.string!r} at {tuple(box)} covers {other.string!r} at {tuple(other.box)}"
                )

    def hide(self, box: Box) -> None:
        """Forget the texts that something drawn over ``box`` has covered."""
        self.texts = [t for t in self.texts if not t.box.meets(box)]

    def rect(
        self,
        box: Sequence[float],
        fill: Colour | None = None,
        line: Colour | None = None,
        radius: float = 0.0,
        width: int = 0,
    ) -> None:
        """A rectangle; ``radius`` and line ``width`` in pixels (default a hair line of the em)."""
        x0, y0, x1, y1 = (round(v) for v in box)
        if x1 <= x0 or y1 <= y0:
            return
        stroke = (width or max(1, round(self.em / 14))) if line else 0
        self.draw.rounded_rectangle(
            (x0, y0, x1 - 1, y1 - 1), radius=max(0, round(radius)), fill=fill, outline=line, width=stroke
        )

    def rule(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None = None) -> None:
        ends = (round(x0), round(y0), round(x1), round(y1))
        self.draw.line(ends, fill=fill or self.theme.line, width=max(1, round(self.em / 14)))


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """``a`` with ``share`` of ``b`` in it."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def wrap(canvas: Canvas, string: str, room: float, scale: float = 1.0) -> list[str]:
    """Lines of at most ``room`` pixels, broken at spaces."""
    lines: list[str] = []
    for word in string.split():
        if lines and canvas.measure(f"{lines[-1]} {word}", scale) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
