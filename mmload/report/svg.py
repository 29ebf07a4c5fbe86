"""Renders a ``Scene`` as SVG: inline for the page (colours by CSS variable) or as a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby

from mmload.report.escape import visible
from mmload.report.scene import (
    DARK,
    LIGHT,
    Area,
    Boxes,
    Line,
    Mark,
    Marker,
    Point,
    RowFrame,
    Scene,
    Text,
    TimeFrame,
    polygon,
)


def inline(scene: Scene, *, uid: str, title: str, desc: str, css: str = "") -> str:
    """An ``<svg role="img">`` with title and description; colours are the page's variables.

    A plot over time has its time axis in ``g.ticks`` and what lies on it in a nested ``svg.moving``, which
    a script can stretch; one whose rows can be chosen has each in its ``g.row``. Without a script they look
    the same.
    """
    if scene.time is not None:
        body = _stretchable(scene, scene.time)
    else:
        body = _body(scene) if scene.choice is None else _choosable(scene, scene.choice)
    return _document(scene, uid, title, desc, f'class="plot {css}"', body)


def standalone(scene: Scene, *, title: str, desc: str) -> str:
    """A whole SVG file that follows the viewer's light or dark preference."""
    light = ";".join(f"--{role}:{value}" for role, value in LIGHT.items())
    dark = ";".join(f"--{role}:{value}" for role, value in DARK.items())
    style = (
        f"<style>svg{{{light};font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
        f"font-variant-numeric:tabular-nums}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
        f'<rect width="100%" height="100%" fill="var(--paper)"/>'
    )
    size = f'width="{scene.width:g}" height="{scene.height:g}"'
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _document(
        scene, "plot", title, desc, size, style + _body(scene)
    )


def _document(scene: Scene, uid: str, title: str, desc: str, attributes: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(scene.width)} {_n(scene.height)}" '
        f'{attributes} role="img" aria-labelledby="{uid}-t {uid}-d">'
        f'<title id="{uid}-t">{_t(title)}</title><desc id="{uid}-d">{_t(desc)}</desc>'
        f"{body}</svg>"
    )


def _body(scene: Scene, marks: bool = True) -> str:
    body = "".join(_mark(mark) for mark in scene.marks) if marks else ""
    zones = "".join(
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"><title>{_t(text)}</title></rect>'
        for x, y, w, h, text in scene.hover
    )
    return body + (f'<g class="zones" fill="transparent">{zones}</g>' if zones else "")


def _stretchable(scene: Scene, time: TimeFrame) -> str:
    first, last = time.ticks
    drawn = [_mark(mark) for mark in scene.marks]
    moving = "".join(m for i, m in enumerate(drawn[time.first :], time.first) if i not in time.still)
    wide, high = _n(time.right - time.left), _n(scene.height)
    return (
        "".join(drawn[:first])
        + f'<g class="ticks">{"".join(drawn[first:last])}</g>'
        + "".join(drawn[last : time.first])
        + f'<svg class="moving" x="{_n(time.left)}" y="0" width="{wide}" height="{high}" '
        f'viewBox="{_n(time.left)} 0 {wide} {high}" preserveAspectRatio="none" overflow="visible" '
        f'data-from="{time.start_s:g}" data-to="{time.end_s:g}">{moving}{_body(scene, marks=False)}</svg>'
        + "".join(drawn[i] for i in sorted(time.still))
    )


def _choosable(scene: Scene, choice: RowFrame) -> str:
    belongs = dict.fromkeys(choice.guides, '<g class="guides">')
    belongs |= dict.fromkeys(choice.foot, '<g class="foot">')
    aside = ""
    for row in choice.rows:
        told = f'data-group="{_t(row.group)}" data-order="{row.order}" data-at="{row.at}"'
        if isinstance(row.marks, set):
            belongs |= dict.fromkeys(row.marks, f'<g class="row" {told}>')
        else:
            aside += f'<g class="row more" {told}>{"".join(map(_mark, row.marks))}</g>'
    body = ""
    for opening, part in groupby(range(len(scene.marks)), lambda index: belongs.get(index, "")):
        drawn = "".join(_mark(scene.marks[index]) for index in part)
        body += f"{opening}{drawn}</g>" if opening else drawn
    frame = f'data-top="{_n(choice.top)}" data-bottom="{_n(choice.bottom)}" data-pitch="{_n(choice.pitch)}"'
    return f'<g class="choice" {frame}>{body}{aside}</g>'


def _mark(mark: Mark) -> str:
    match mark:
        case Line():
            return _line(mark)
        case Area():
            if len(mark.points) < 3:
                return ""
            fill = f'fill="var(--{mark.role})" fill-opacity="{_n(mark.opacity)}"'
            return f'<path d="{_path(mark.points)}Z" {fill}/>'
        case Boxes():
            return _boxes(mark)
        case Marker():
            return _marker(mark)
        case Text():
            weight = ' font-weight="600"' if mark.bold else ""
            weight += (
                ' paint-order="stroke" stroke="var(--paper)" stroke-width="4" stroke-linejoin="round"'
                * mark.halo
            )
            anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
            return (
                f'<text x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}"{anchor}{weight} '
                f'fill="var(--{mark.role})">{_t(mark.text)}</text>'
            )


def _line(line: Line) -> str:
    strokes = "".join(_path(run) for run in pen_runs(line.points))
    if not strokes:
        return ""
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    faint = f' stroke-opacity="{_n(line.opacity)}"' if line.opacity < 1 else ""
    return (
        f'<path d="{strokes}" fill="none" stroke="var(--{line.role})" stroke-width="{_n(line.width)}" '
        f'stroke-linejoin="round" stroke-linecap="round"{dash}{faint}/>'
    )


def pen_runs(points: Iterable[Point | None]) -> list[list[Point]]:
    """The stretches of a line between its gaps. A lone point becomes a short stroke, or it would vanish."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [
        run if len(run) > 1 else [(run[0][0] - 1, run[0][1]), (run[0][0] + 1, run[0][1])]
        for run in runs
        if run
    ]


def _boxes(boxes: Boxes) -> str:
    fill = f'fill="var(--{boxes.role})"' + (
        f' fill-opacity="{_n(boxes.opacity)}"' if boxes.opacity < 1 else ""
    )
    path = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z" for x, y, w, h in boxes.boxes)
    return f'<path d="{path}" {fill}/>' if path else ""


def _marker(marker: Marker) -> str:
    style = f'fill="var(--{marker.role})" stroke="var(--paper)" stroke-width="1"'
    corners = polygon(marker)
    if not corners:
        return f'<circle cx="{_n(marker.x)}" cy="{_n(marker.y)}" r="{_n(marker.size)}" {style}/>'
    return f'<path d="{_path(corners)}Z" {style}/>'


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _n(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _t(text: str) -> str:
    return escape(visible(text), quote=False)
