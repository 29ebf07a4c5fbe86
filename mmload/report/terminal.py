"""The result of a run in a few lines of plain text, for the end of a command.

Not aware of colour or of the terminal's width; every line is short enough for 80 columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from mmload.profile import Profile
from mmload.report.escape import terminal
from mmload.report.measured import Measured
from mmload.report.verdicts import WORDS, gates, sentence, word

_MARKS = {"pass": "ok  ", "fail": "FAIL", "inconclusive": "?   "}


def conclusion(figures: Mapping[str, Any], profile: Profile, run_dir: Path) -> str:
    """Verdict, gates, where the report is."""
    measured = Measured(figures, {}, profile)
    lines = [f"verdict: {WORDS[word(measured)]}"]
    lines += wrap(terminal(sentence(measured)), 78, initial_indent="  ", subsequent_indent="  ")
    for gate in gates(measured):
        lines.append(f"  {_MARKS.get(gate.verdict, '?   ')} {gate.title}: {gate.value} ({gate.rule})")
    lines.append(f"report: {run_dir / 'report.html'}")
    return "\n".join(lines)
