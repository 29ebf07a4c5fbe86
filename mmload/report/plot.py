"""A framed plot: axes, grid, legend, and marks placed by value. Every chart of a report is one of these.

Not aware of latency, load or quality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmload.report.axes import Scale, Seconds
from mmload.report.scene import Area, Boxes, Line, Marker, Scene, Text, TimeFrame, text_width

NARROW = 560
"""Below this width a scene is for a phone: fewer ticks, larger letters."""


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: the way a series is drawn."""

    label: str
    role: str
    dash: str = ""
    shape: str = ""
    fill: float = 0.0
    """Above 0 the series is an area of that opacity."""
    width: float = 1.75


class Plot:
    """Marks are added by value; ``scene`` is what came of it."""

    def __init__(
        self,
        width: float,
        height: float,
        x: Scale,
        y: Scale,
        *,
        x_label: Callable[[float], str],
        y_label: Callable[[float], str],
        x_title: str = "",
        y_title: str = "",
        keys: Sequence[Key] = (),
        left: float | None = None,
        y_ticks: int = 5,
        strip: float = 0.0,
    ) -> None:
        self.x, self.y = x, y
        self.font = 12.0 if width >= NARROW else 13.0
        self.narrow = width < NARROW
        self.scene = Scene(width, height)
        ticks = [y_label(v) for v in y.ticks(y_ticks)]
        self.left = (
            left if left is not None else 10 + max((text_width(t, self.font) for t in ticks), default=20)
        )
        self.right = width - 14
        self.top = self._legend(keys) + (self.font + 12 if y_title else 6) + strip
        self.bottom = height - self.font - 12 - (self.font + 6 if x_title else 0)
        if y_title:
            self.scene.add(Text(0, self.top - strip - 10, y_title, size=self.font, role="soft"))
        self._grid(x_label, y_label, x_title, y_ticks)

    def px(self, value: float) -> float:
        return self.left + self.x(value) * (self.right - self.left)

    def py(self, value: float) -> float:
        return self.bottom - self.y(value) * (self.bottom - self.top)

    def _legend(self, keys: Sequence[Key]) -> float:
        """Draw it in rows at the top; return where it ends."""
        x, y, row = 0.0, self.font, self.font + 10
        for key in keys:
            wide = 30 + text_width(key.label, self.font) + 16
            if x > 0 and x + wide > self.scene.width:
                x, y = 0.0, y + row
            self._key(key, x, y - self.font * 0.35)
            self.scene.add(Text(x + 30, y, key.label, role="ink", size=self.font))
            x += wide
        return y + 10 if keys else 0.0

    def _key(self, key: Key, x: float, y: float) -> None:
        if key.fill:
            self.scene.add(Boxes([(x, y - 5, 22, 10)], key.role, key.fill))
        if key.width and not (key.fill and key.fill >= 0.6):
            self.scene.add(Line([(x, y), (x + 22, y)], key.role, max(key.width, 1.5), key.dash))
        if key.shape:
            self.scene.add(Marker(x + 11, y, key.role, key.shape))

    def _grid(
        self, x_label: Callable[[float], str], y_label: Callable[[float], str], x_title: str, n: int
    ) -> None:
        for value in self.y.ticks(n):
            at = self.py(value)
            self.scene.add(Line([(self.left, at), (self.right, at)], "grid", 1))
            self.scene.add(
                Text(self.left - 8, at + self.font * 0.36, y_label(value), anchor="end", size=self.font)
            )
        base = self.bottom + self.font + 6
        free_from, first_tick = 0.0, len(self.scene.marks)
        for value in self.x.ticks(5 if self.narrow else 10):
            at, label = self.px(value), x_label(value)
            half = text_width(label, self.font) / 2
            self.scene.add(Line([(at, self.bottom), (at, self.bottom + 4)], "axis", 1))
            centre = min(at, self.scene.width - half)
            if centre - half >= free_from:
                self.scene.add(Text(centre, base, label, anchor="middle", size=self.font))
                free_from = centre + half + 14
        ticks = (first_tick, len(self.scene.marks))
        self.scene.add(Line([(self.left, self.bottom), (self.right, self.bottom)], "axis", 1))
        if x_title:
            self.scene.add(Text(self.right, base + self.font + 6, x_title, anchor="end", size=self.font))
        if isinstance(self.x, Seconds):
            self.scene.time = TimeFrame(
                self.left, self.right, self.x.low, self.x.high, ticks, first=len(self.scene.marks)
            )

    def line(self, points: Sequence[tuple[float, float | None]], key: Key) -> None:
        """A line through (x, y); ``None`` for y is a gap. Markers stand at a few of its points."""
        placed = [None if y is None else (self.px(x), self.py(y)) for x, y in points]
        self.scene.add(Line(placed, key.role, key.width, key.dash))
        seen = [p for p in placed if p is not None]
        if key.shape and seen:
            stride = max(1, len(seen) // (5 if self.narrow else 9))
            for px, py in seen[stride // 2 :: stride]:
                self.scene.add(Marker(px, py, key.role, key.shape))

    def area(self, points: Sequence[tuple[float, float, float]], key: Key) -> None:
        """Fill between low and high of (x, low, high)."""
        if not points:
            return
        upper = [(self.px(x), self.py(high)) for x, _, high in points]
        lower = [(self.px(x), self.py(low)) for x, low, _ in reversed(points)]
        self.scene.add(Area(upper + lower, key.role, key.fill or 0.2))

    def span(self, start: float, end: float, label: str, role: str = "wash", opacity: float = 1.0) -> None:
        """A vertical band behind the marks that follow, with its label inside at the top."""
        a, b = self.px(start), self.px(end)
        self.scene.add(Boxes([(a, self.top, b - a, self.bottom - self.top)], role, opacity))
        if label and text_width(label, self.font - 1) + 8 <= b - a:
            self.scene.add(Text(a + 5, self.top + self.font + 2, label, role="soft", size=self.font - 1))

    def limit(self, value: float, label: str) -> None:
        """A horizontal line at a limit, labelled at its right end."""
        at = self.py(value)
        if not self.top - 1 <= at <= self.bottom + 1:
            return
        if self.scene.time is not None:
            self.scene.time.still |= {len(self.scene.marks), len(self.scene.marks) + 1}
        self.scene.add(Line([(self.left, at), (self.right, at)], "red", 1.5, "7 4"))
        below = at - self.top < self.font + 6
        self.scene.add(
            Text(
                self.right - 4,
                at + self.font + 3 if below else at - 6,
                label,
                role="red",
                anchor="end",
                size=self.font,
                halo=True,
            )
        )

    def zones(self, texts: Sequence[tuple[float, float, str]]) -> None:
        """For a pointer: (from x, to x, what to say) over the height of the plot."""
        height = self.bottom - self.top
        for start, end, text in texts:
            a, b = self.px(start), self.px(end)
            self.scene.hover.append((a, self.top, max(b - a, 0.5), height, text))
