"""A table as data: what stands beside every plot, and alone where no plot is worth drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mmload.report.scene import Scene

Draw = Callable[[float], Scene]


@dataclass(frozen=True)
class Table:
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Why cells are empty, one sentence each."""
    text_columns: int = 1
    """So many columns from the left hold words; the rest hold figures, set flush right."""


@dataclass(frozen=True)
class Chart:
    key: str
    """Name of its files and its place in the page."""
    title: str
    desc: str
    """One sentence: what there is to see, for whoever cannot."""
    table: Table
    draw: Draw | None = None
    """Width -> scene. ``None`` when there is nothing to draw; then ``absent`` says why."""
    absent: str = ""
    note: str = ""
    """A caption under the plot."""
    scripts: Sequence[str] = field(default_factory=tuple)
    """What the page's script may do with it: ``filter``."""
