"""What every plot over time shares: its axis, its phases and burst bands, and its rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmload.report.axes import Scale, Seconds
from mmload.report.measured import Measured
from mmload.report.plot import Key, Plot
from mmload.report.scene import Line, Text, text_width
from mmload.report.wording import clock

MOST_POINTS = 240
"""More than a screen needs at once, so that narrowing a plot shows more than it did."""
STRIP = 20.0
"""Height above a plot over time in which the names of phases stand."""
MOST_ROWS = 40

BURST = Key("burst", "orange", fill=0.16, width=0)


def time_axis(measured: Measured) -> Seconds:
    times = measured.second("t_s")
    step = float(measured.series.get("bin_s") or 1)
    ends = [span.end_s for span in measured.phases()] + [float(t) + step for t in times[-1:]]
    return Seconds(0.0, max([*ends, 1.0]))


def burst_keys(measured: Measured) -> list[Key]:
    return [BURST] if measured.bursts() else []


def draw_phases(plot: Plot, measured: Measured) -> None:
    """Warm-up washed out, bursts tinted, borders between phases, names where they fit."""
    spans = measured.phases()
    end = plot.x.ticks(1)[-1] if not spans else spans[-1].end_s
    for window in measured.bursts():
        plot.span(window.start_s, min(window.end_s, end), "", BURST.role, BURST.fill)
    for span in spans:
        if span.warmup:
            plot.span(span.start_s, span.end_s, "")
        at = plot.px(span.start_s)
        plot.scene.add(Line([(at, plot.top - STRIP + 3), (at, plot.bottom)], "axis", 1))
        room = plot.px(span.end_s) - at - 6
        for text in (span.name, span.group, span.name[:4]):
            if text and text_width(text, plot.font - 1) <= room:
                plot.scene.add(Text(at + 5, plot.top - 6, text, size=plot.font - 1))
                break


def over_time_plot(
    measured: Measured,
    width: float,
    height: float,
    y: Scale,
    y_label: Callable[[float], str],
    y_title: str,
    keys: Sequence[Key] = (),
    y_ticks: int = 5,
) -> Plot:
    """A plot over the time of the run, with its phases and bursts behind all that is drawn from here on."""
    plot = Plot(
        width,
        height,
        time_axis(measured),
        y,
        x_label=clock,
        y_label=y_label,
        y_title=y_title,
        keys=keys,
        y_ticks=y_ticks,
        strip=STRIP,
    )
    draw_phases(plot, measured)
    return plot


def stretch(measured: Measured, part: slice) -> tuple[float, float]:
    """From when to when the seconds of ``part`` ran."""
    times = measured.second("t_s")
    step = float(measured.series.get("bin_s") or 1)
    return float(times[part.start]), float(times[part.stop - 1]) + step


def middles(measured: Measured, parts: Sequence[slice]) -> list[float]:
    """The middle second of each part."""
    return [sum(stretch(measured, part)) / 2 for part in parts]


def zones_of(
    measured: Measured, parts: Sequence[slice], texts: Sequence[str]
) -> list[tuple[float, float, str]]:
    """For a pointer: each part, with when it began and its text."""
    spans = [stretch(measured, part) for part in parts]
    return [(*span, f"{clock(span[0])}\n{text}") for span, text in zip(spans, texts, strict=True)]


def phase_of(measured: Measured, part: slice) -> str:
    """Name of the phase in which most of these seconds fall."""
    numbers = [n for n in measured.second("phase")[part] if n is not None]
    if not numbers:
        return ""
    common = max(set(numbers), key=numbers.count)
    spans = measured.phases()
    return spans[common].name if isinstance(common, int) and common < len(spans) else str(common)


def covered(measured: Measured, parts: Sequence[slice]) -> str:
    """``"1 s"``: how much time one point stands for."""
    if not parts:
        return ""
    start, end = stretch(measured, parts[0])
    return f"{end - start:g} s"
