"""Painters of the devices on a control panel. Not aware of what is asked about them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from mmload.tasks.canvas import Box, Canvas, Colour, blend


def disc(c: Canvas, x: float, y: float, r: float, fill: Colour, line: Colour | None = None) -> None:
    c.draw.ellipse(
        (round(x - r), round(y - r), round(x + r), round(y + r)),
        fill=fill,
        outline=line,
        width=max(1, round(r / 8)),
    )


def _line(c: Canvas, x0: float, y0: float, x1: float, y1: float, fill: Colour, width: float) -> None:
    c.draw.line((round(x0), round(y0), round(x1), round(y1)), fill=fill, width=max(2, round(width)))


_DARK: Final = (34, 36, 42)


def _lit(colour: Colour, state: str) -> Colour:
    return colour if state != "off" else blend(colour, (24, 24, 28), 0.45)


def _lamp(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    if state == "on":
        for k in range(8):
            a = k * math.pi / 4
            _line(
                c,
                x + math.cos(a) * b.width * 0.36,
                y + math.sin(a) * b.width * 0.36 - b.height * 0.08,
                x + math.cos(a) * b.width * 0.48,
                y + math.sin(a) * b.width * 0.48 - b.height * 0.08,
                colour,
                b.width / 26,
            )
    disc(c, x, y - b.height * 0.08, b.width * 0.28, _lit(colour, state), _DARK)
    c.rect((x - b.width * 0.14, y + b.height * 0.18, x + b.width * 0.14, y + b.height * 0.42), _DARK)


def _switch(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x = b.centre[0]
    c.rect(
        (x - b.width * 0.22, b.y0, x + b.width * 0.22, b.y1), (240, 240, 240), _DARK, radius=b.width * 0.06
    )
    top = b.y0 + b.height * (0.08 if state == "on" else 0.5)
    c.rect((x - b.width * 0.15, top, x + b.width * 0.15, top + b.height * 0.42), _lit(colour, state), _DARK)


def _gauge(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    disc(c, x, y, b.width * 0.46, (246, 246, 246), _DARK)
    box = (
        round(x - b.width * 0.36),
        round(y - b.width * 0.36),
        round(x + b.width * 0.36),
        round(y + b.width * 0.36),
    )
    c.draw.arc(box, 150, 390, fill=_lit(colour, state), width=max(3, round(b.width * 0.1)))
    angle = math.radians(330 if state == "on" else 165)
    _line(
        c, x, y, x + math.cos(angle) * b.width * 0.3, y + math.sin(angle) * b.width * 0.3, _DARK, b.width / 20
    )


def _knob(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    for k in range(11):
        a = math.radians(150 + k * 24)
        _line(
            c,
            x + math.cos(a) * b.width * 0.4,
            y + math.sin(a) * b.width * 0.4,
            x + math.cos(a) * b.width * 0.48,
            y + math.sin(a) * b.width * 0.48,
            _DARK,
            b.width / 40,
        )
    disc(c, x, y, b.width * 0.34, _lit(colour, state), _DARK)
    a = math.radians(-50 if state == "on" else -130)
    _line(
        c,
        x,
        y,
        x + math.cos(a) * b.width * 0.3,
        y + math.sin(a) * b.width * 0.3,
        (250, 250, 250),
        b.width / 16,
    )


def _button(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    c.rect(
        Box(x - b.width * 0.44, y - b.width * 0.44, x + b.width * 0.44, y + b.width * 0.44),
        (70, 74, 82),
        _DARK,
        radius=b.width * 0.08,
    )
    disc(c, x, y, b.width * 0.32, _lit(colour, state), (250, 250, 250) if state == "on" else _DARK)


def _slider(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    y = b.centre[1]
    c.rect((b.x0, y - b.height * 0.07, b.x1, y + b.height * 0.07), _DARK, radius=b.height * 0.06)
    at = b.x0 + b.width * (0.74 if state == "on" else 0.1)
    c.rect((at, y - b.height * 0.24, at + b.width * 0.16, y + b.height * 0.24), _lit(colour, state), _DARK)


def _display(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    y = b.centre[1]
    c.rect(
        (b.x0, y - b.height * 0.32, b.x1, y + b.height * 0.32),
        _lit(colour, state),
        _DARK,
        radius=b.height * 0.05,
    )
    for k in range(3):
        left = b.x0 + b.width * (0.14 + 0.27 * k)
        fill = (250, 250, 250) if state == "on" else (60, 62, 68)
        c.rect(
            (left, y - b.height * 0.18, left + b.width * 0.18, y + b.height * 0.18),
            None,
            fill,
            width=max(2, round(b.width / 30)),
        )


def _socket(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    c.rect(b, _lit(colour, state), _DARK, radius=b.width * 0.1)
    disc(c, x, y, b.width * 0.34, (242, 242, 242), _DARK)
    for k in (-1, 1):
        disc(c, x + k * b.width * 0.14, y, b.width * 0.06, _DARK)


def _fan(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    disc(c, x, y, b.width * 0.46, (232, 234, 238), _DARK)
    for k in range(4):
        start = k * 90 + (20 if state == "on" else 0)
        r = b.width * 0.4
        c.draw.pieslice(
            (round(x - r), round(y - r), round(x + r), round(y + r)),
            start,
            start + 46,
            fill=_lit(colour, state),
        )
    disc(c, x, y, b.width * 0.08, _DARK)


def _key(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    y = b.centre[1]
    shade = _lit(colour, state)
    disc(c, b.x0 + b.width * 0.24, y, b.width * 0.22, shade, _DARK)
    disc(c, b.x0 + b.width * 0.24, y, b.width * 0.09, (236, 238, 240), _DARK)
    c.rect((b.x0 + b.width * 0.44, y - b.height * 0.06, b.x1, y + b.height * 0.06), shade, _DARK)
    for k in (0.72, 0.88):
        c.rect((b.x0 + b.width * k, y, b.x0 + b.width * (k + 0.07), y + b.height * 0.2), shade, _DARK)


def _valve(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    shade = _lit(colour, state)
    for k in range(3):
        a = math.radians(k * 60 + (30 if state == "on" else 0))
        dx, dy = math.cos(a) * b.width * 0.42, math.sin(a) * b.width * 0.42
        _line(c, x - dx, y - dy, x + dx, y + dy, shade, b.width / 12)
    r = b.width * 0.44
    c.draw.ellipse(
        (round(x - r), round(y - r), round(x + r), round(y + r)),
        outline=shade,
        width=max(3, round(b.width / 10)),
    )
    disc(c, x, y, b.width * 0.1, _DARK)


def _bell(c: Canvas, b: Box, colour: Colour, state: str) -> None:
    x, y = b.centre
    shade = _lit(colour, state)
    r = b.width * 0.34
    c.draw.pieslice(
        (round(x - r), round(b.y0 + b.height * 0.1), round(x + r), round(b.y0 + b.height * 0.1 + 2 * r)),
        180,
        360,
        fill=shade,
        outline=_DARK,
    )
    c.draw.polygon(
        [
            (round(x - r), round(y - b.height * 0.06)),
            (round(x + r), round(y - b.height * 0.06)),
            (round(b.x1 - b.width * 0.06), round(y + b.height * 0.26)),
            (round(b.x0 + b.width * 0.06), round(y + b.height * 0.26)),
        ],
        fill=shade,
        outline=_DARK,
    )
    disc(c, x, y + b.height * 0.34, b.width * 0.08, _DARK)


def padlock(c: Canvas, b: Box) -> None:
    w = b.width * 0.26
    x0, y0 = b.x1 - w, b.y1 - w
    c.draw.arc(
        (round(x0 + w * 0.2), round(y0 - w * 0.45), round(x0 + w * 0.8), round(y0 + w * 0.5)),
        180,
        360,
        fill=_DARK,
        width=max(2, round(w / 8)),
    )
    c.rect((x0, y0, x0 + w, y0 + w * 0.8), (232, 190, 60), _DARK, radius=w * 0.1)


Painter = Callable[[Canvas, Box, Colour, str], None]
DEVICES: Final[dict[str, Painter]] = {
    "lamp": _lamp,
    "switch": _switch,
    "gauge": _gauge,
    "knob": _knob,
    "button": _button,
    "slider": _slider,
    "display": _display,
    "socket": _socket,
    "fan": _fan,
    "key": _key,
    "valve": _valve,
    "bell": _bell,
}
