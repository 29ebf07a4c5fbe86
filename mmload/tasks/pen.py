"""What a business paper says, and a pen that writes its values and remembers where they stand.

Not aware of how any one kind of paper is laid out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mmload.tasks.canvas import XHEIGHT, Canvas, Text, blend, wrap

Marks = dict[str, Text]
_TINY_XHEIGHT: Final = 3.6
"""Pixels; nobody reads that."""


@dataclass(slots=True)
class Row:
    sku: str
    what: str
    qty: int
    unit: str
    amount: str
    """Unit price and amount as printed."""


@dataclass(slots=True)
class Paper:
    kind: str
    labels: dict[str, str]
    vendor: str
    printed: dict[str, str]
    """Value of each field as printed."""
    rows: list[Row] = field(default_factory=list)
    plan: str = ""
    plans: tuple[str, ...] = ()
    log: list[tuple[str, ...]] = field(default_factory=list)
    """Rows of a log table: time, level, service, code, duration, message."""
    nonce: str = ""
    absent: str = ""
    """Field that is not printed at all."""
    tiny: str = ""
    """Field that is printed too small to read."""
    notice: str = ""
    """A further sentence printed at the foot, in a contrast of ``notice_contrast``."""
    notice_contrast: float = 1.0


class Pen:
    """Writes the values of one paper and remembers where they stand."""

    def __init__(self, canvas: Canvas, paper: Paper, face: str) -> None:
        self.canvas, self.paper, self.face = canvas, paper, face
        self.marks: Marks = {}

    def value(
        self,
        name: str,
        x: float,
        y: float,
        anchor: str,
        *,
        string: str = "",
        scale: float = 1.0,
        face: str = "",
    ) -> None:
        if name == self.paper.absent:
            return
        face = face or self.face
        if name == self.paper.tiny:
            scale = _TINY_XHEIGHT / XHEIGHT[face] / self.canvas.em
        drawn = self.canvas.text(
            x, y, string or self.paper.printed[name], anchor=anchor, scale=scale, face=face
        )
        self.marks[name] = drawn

    def pair(self, name: str, label: str, x: float, y: float, gap: float) -> None:
        """A muted label at (x, y) and its value ``gap`` pixels to the right."""
        if name != self.paper.absent:
            self.canvas.text(x, y, label, fill=self.canvas.theme.muted, face=self.face, anchor="lm")
        self.value(name, x + gap, y, "lm")

    def reference(self, x: float, y: float, anchor: str) -> None:
        """The nonce, a little larger than the rest."""
        if not self.paper.nonce:
            return
        self.canvas.text(x, y, "Ref", fill=self.canvas.theme.muted, anchor=anchor, scale=1.2)
        x += self.canvas.measure("Ref ", 1.2)
        self.marks["nonce"] = self.canvas.text(x, y, self.paper.nonce, face="bold", scale=1.2, anchor=anchor)

    def reference_right(self, x: float, y: float) -> None:
        width = self.canvas.measure("Ref ", 1.2) + self.canvas.measure(self.paper.nonce, 1.2, "bold")
        self.reference(x - width, y, "lm")

    def notice(self, x: float, y: float, room: float) -> None:
        """The extra sentence, wrapped; its first line is remembered."""
        if not self.paper.notice:
            return
        c = self.canvas
        ink = blend(c.theme.panel, c.theme.ink, self.paper.notice_contrast)
        for k, line in enumerate(wrap(c, self.paper.notice, room, 0.9)):
            drawn = c.text(x, y + k * 1.3 * c.em, line, scale=0.9, fill=ink, anchor="lm")
            self.marks.setdefault("notice", drawn)
