"""What a person sees while a run runs: a small standing picture in a terminal, plain lines elsewhere.

Goes to stderr, so that stdout holds nothing but results. Is given a ``LiveState`` now and then; not
aware of where its numbers come from, and keeps no clock but the one that it is handed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mmload.report.escape import terminal
from mmload.report.wording import DASH, clock, count, interval, known, ms, percent, rpm, usd

PLAIN_EVERY_S = 5.0
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class LiveState:
    """A run at one moment. ``None`` is 'not known yet', and is shown as a dash."""

    profile: str = ""
    target: str = ""
    phase: str = ""
    phase_number: int = 0
    """From 1; 0 before the first phase."""
    phase_count: int = 0
    elapsed_s: float = 0.0
    total_s: float = 0.0
    """Planned length of the traffic; ``elapsed_s`` beyond it is the drain."""
    offered_rpm: float | None = None
    """Planned rate now."""
    achieved_rpm: float | None = None
    """Rate of answers that ended as ok over the last seconds."""
    offered_history: Sequence[float] = ()
    """Planned rate of equal stretches up to now, oldest first; any length."""
    achieved_history: Sequence[float] = ()
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    slo_ms: float | None = None
    quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    n_scored: int = 0
    planned: int | None = None
    """Requests of the whole plan; ``None`` in a closed loop."""
    sent: int = 0
    ok: int = 0
    failed: int = 0
    shed: int = 0
    in_flight: int | None = None
    users: int | None = None
    """Lanes standing."""
    errors: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float | None = None
    per_good_query_usd: float | None = None
    send_lag_p99_ms: float | None = None
    generator_cpu_ratio: float | None = None
    workers: int | None = None
    warnings: Sequence[str] = ()

    @property
    def left_s(self) -> float:
        return max(0.0, self.total_s - self.elapsed_s)


def spark(values: Sequence[float], width: int, top: float) -> str:
    """The last ``width`` values as a row of bars, on a scale from 0 to ``top``."""
    if top <= 0:
        return ""
    return "".join(_BARS[max(0, min(7, int(8 * value / top)))] for value in list(values)[-width:])


def picture(state: LiveState, width: int = 80) -> list[Text]:
    """The standing picture, at most ``width`` columns wide, one ``Text`` a line."""
    width = max(40, width)
    lines = [_head(state, width), _progress(state, width), Text("")]
    top = max([*state.offered_history, *state.achieved_history, state.offered_rpm or 0, 1])
    room = max(0, width - 58)
    for label, value, history, style in (
        ("offered", state.offered_rpm, state.offered_history, "dim"),
        ("answered", state.achieved_rpm, state.achieved_history, "cyan"),
    ):
        beside = f"in flight {count(state.in_flight)}" if label == "offered" else _sent(state)
        bars = spark(history, room, top)
        lines.append(_row(label, f"{rpm(value):>7} rpm ", (f"{bars:<{room}} ", style), (f" {beside}", "")))
    lines.append(_row("latency", "", (_latency(state), _over(state))))
    lines.append(_row("quality", "", (_quality(state), "green" if state.n_scored else "")))
    lines.append(_row("errors", "", (_errors(state), "red" if state.errors else "")))
    lines.append(_row("cost", "", (_cost(state), "")))
    lines.append(_row("generator", "", (_generator(state), "")))
    lines += [Text(f"! {terminal(warning)}", style="yellow") for warning in state.warnings[-2:]]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def plain(state: LiveState) -> str:
    """One line for a log: everything that matters, without colour or movement."""
    parts = [
        clock(state.elapsed_s),
        f"{terminal(state.phase) or 'starting'} {state.phase_number}/{state.phase_count}",
        f"offered {rpm(state.offered_rpm)} rpm",
        f"answered {rpm(state.achieved_rpm)} rpm",
        _latency(state).split("   objective")[0].replace("   ", " "),
        f"quality {percent(state.quality)}",
        f"errors {count(sum(state.errors.values()))}",
        f"cost {usd(state.cost_usd)}",
        f"left {clock(state.left_s)}",
    ]
    return " | ".join(parts)


def _row(label: str, head: str, *rest: tuple[str, str]) -> Text:
    line = Text(f"{label:<10}", style="bold")
    line.append(head, style="not bold")
    for text, style in rest:
        line.append(text, style=f"not bold {style}".strip())
    return line


def _head(state: LiveState, width: int) -> Text:
    left = f"mmload  {terminal(state.profile)} on {terminal(state.target)}"
    draining = state.total_s > 0 and state.elapsed_s > state.total_s
    right = (
        "draining"
        if draining
        else f"{clock(state.elapsed_s)} of {clock(state.total_s)}, left {clock(state.left_s)}"
    )
    gap = max(2, width - len(left) - len(right))
    if len(left) + gap + len(right) > width:
        left = left[: max(0, width - len(right) - 3)] + "…"
        gap = 2
    return Text.assemble((left, "bold"), " " * gap, (right, "dim"))


def _progress(state: LiveState, width: int) -> Text:
    name = f"{terminal(state.phase) or 'starting'}  {state.phase_number}/{state.phase_count}  "
    room = max(10, width - len(name))
    done = round(room * min(1.0, state.elapsed_s / state.total_s)) if state.total_s else 0
    return Text.assemble((name, "bold"), ("━" * done, "cyan"), ("─" * (room - done), "dim"))


def _sent(state: LiveState) -> str:
    return f"sent {count(state.sent)}" + (f" of {count(state.planned)}" if state.planned is not None else "")


def _latency(state: LiveState) -> str:
    shown = f"p50 {ms(state.p50_ms)}   p95 {ms(state.p95_ms)}   p99 {ms(state.p99_ms)}"
    return shown + (f"   objective {ms(state.slo_ms)}" if known(state.slo_ms) else "")


def _over(state: LiveState) -> str:
    return (
        "red"
        if known(state.p95_ms) and known(state.slo_ms) and (state.p95_ms or 0) > (state.slo_ms or 0)
        else ""
    )


def _quality(state: LiveState) -> str:
    if not state.n_scored:
        return f"{DASH} nothing scored yet"
    between = interval(state.quality_low, state.quality_high, percent)
    return (
        f"{percent(state.quality)}"
        + (f"   {between}" if between else "")
        + f"   {count(state.n_scored)} scored"
    )


def _errors(state: LiveState) -> str:
    if not state.errors:
        return "none"
    kinds = sorted(state.errors.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"{kind} {count(n)}" for kind, n in kinds[:3])
    more = f", and {len(kinds) - 3} more kinds" if len(kinds) > 3 else ""
    return f"{count(sum(state.errors.values()))}: {shown}{more}"


def _cost(state: LiveState) -> str:
    if not known(state.cost_usd):
        return f"{DASH} no price known yet"
    return f"{usd(state.cost_usd)} so far   {usd(state.per_good_query_usd)} per good query"


def _generator(state: LiveState) -> str:
    workers = f"{count(state.workers)} worker{'s' * (state.workers > 1)}   " if state.workers else ""
    busy = percent(state.generator_cpu_ratio)
    return f"{workers}{busy} of a core   sends {ms(state.send_lag_p99_ms)} late at p99"


class LiveView:
    """Shows states as they come. A context manager: leaving it leaves the last picture standing."""

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        show: bool = True,
        now: Callable[[], float] = time.monotonic,
        plain_every_s: float = PLAIN_EVERY_S,
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._console = Console(file=self._stream, highlight=False, emoji=False, markup=False)
        self._show, self._now, self._every = show, now, plain_every_s
        self._live: Live | None = None
        self._last = float("-inf")

    def __enter__(self) -> LiveView:
        if self._show and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def update(self, state: LiveState) -> None:
        """Show ``state``: at once in a terminal, as a line when the last one is old enough elsewhere."""
        if not self._show:
            return
        if self._live is not None:
            self._live.update(_stack(picture(state, self._console.width)), refresh=True)
        elif self._now() - self._last >= self._every:
            self._last = self._now()
            self.say(plain(state))

    def say(self, text: str) -> None:
        """A line that stays: above the picture in a terminal."""
        if self._live is not None:
            self._console.print(terminal(text))
        elif self._show:
            self._stream.write(text + "\n")
            self._stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def _stack(lines: Sequence[Text]) -> Any:
    return Text("\n").join(lines)
