"""The result of a run in a few lines of plain text, for the end of a command.

No colour: the words carry the verdict. Not aware of the terminal itself; its width is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from mmload.profile import Profile
from mmload.report.escape import terminal
from mmload.report.measured import Measured
from mmload.report.verdicts import WORDS, GateLine, gates, headlines, partial, sentence, word
from mmload.report.wording import gate_title, ms, percent, rpm

_MARKS = {"pass": "ok  ", "fail": "FAIL", "inconclusive": "open"}


def conclusion(figures: Mapping[str, Any], profile: Profile, run_dir: Path, width: int = 80) -> str:
    """Verdict and why, the headline numbers, the gates, and where the report is.

    No line is wider than ``width``, save the last if the path itself is.
    """
    measured = Measured(figures, {}, profile)
    lines = [f"{WORDS[word(measured)].upper()}: {terminal(sentence(measured))}"]
    if partial(measured):
        lines.append(partial(measured))
    lines = [part for line in lines for part in wrap(line, width, subsequent_indent="  ")]
    lines.append("")
    for headline in headlines(measured):
        head = f"  {headline.label:<32} {headline.figure}"
        lines.append(head)
        lines += wrap(terminal(headline.detail), width, initial_indent=" " * 35, subsequent_indent=" " * 35)
    if gates(measured):
        lines += ["", *_gates(gates(measured), width)]
    lines += _noted(figures, width)
    return "\n".join([*lines, "", f"report: {run_dir / 'report.html'}"])


def _noted(figures: Mapping[str, Any], width: int) -> list[str]:
    """Kinds of errors, the most frequent first, and what there is to note."""
    errors = figures["counts"].get("errors") or {}
    most = sorted(errors.items(), key=lambda entry: (-entry[1], entry[0]))[:4]
    said = [f"errors: {', '.join(f'{kind} {n:,}' for kind, n in most)}"] if most else []
    said += map(str, figures["validity"].get("warnings") or [])
    notes = [wrap(terminal(text), width, initial_indent="  - ", subsequent_indent="    ") for text in said]
    return ["", *(line for note in notes for line in note)] if notes else []


def _gates(lines: list[GateLine], width: int) -> list[str]:
    names = max(len(gate.title) for gate in lines)
    values = max(len(gate.value) for gate in lines)
    rules = max(len(gate.rule) for gate in lines)
    written = []
    for gate in lines:
        head = f"  {_MARKS.get(gate.verdict, 'open')}  {gate.title:<{names}}  {gate.value:>{values}}"
        head += f"  {gate.rule:<{rules}}"
        between = f"  ({gate.interval})" if gate.interval else ""
        written.append((head + between if len(head + between) <= width else head).rstrip()[:width])
    return written


def capacity_conclusion(found: Mapping[str, Any], folder: Path, width: int = 80) -> str:
    """The answer of a capacity search, what stands beside it, its path, and where the report is."""
    from mmload.report.pages import capacity_headlines, capacity_sentence

    value = rpm((found.get("rpm_at_quality") or {}).get("value"))
    said = f"{WORDS[found['verdict']].upper()}: {value} {terminal(capacity_sentence(found))}"
    lines = [*wrap(said, width, subsequent_indent="  "), ""]
    for headline in capacity_headlines(found):
        lines.append(f"  {headline.label:<32} {headline.figure}")
        lines += wrap(terminal(headline.detail), width, initial_indent=" " * 35, subsequent_indent=" " * 35)
    lines += ["", *(_capacity_level(level)[:width] for level in found["levels"])]
    for note in found["notes"]:
        lines += wrap(terminal(note), width, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join([*lines, "", f"report: {folder / 'capacity.html'}"])


def _capacity_level(level: Mapping[str, Any]) -> str:
    rate = f"{level['step']:<8} {rpm(level['rpm']):>7} rpm"
    both = level.get("hysteresis")
    if both:
        # One figure over the rate, an overload and the rate again would say nothing of any.
        up, down = (percent(both[part]["quality"]) for part in ("before", "after"))
        return f"        {rate}  quality {up:>6}, after {rpm(both['over_rpm'])} rpm {down}"
    mark = _MARKS.get(str(level["verdict"]), "open") if level["valid"] else "void"
    said = f"  {mark}  {rate}  quality {percent(level['quality']):>6}"
    said += f"  p95 {ms(level['e2e_p95_ms']):>7}"
    return said + (f"  ({gate_title(level['limited_by'])})" if level["limited_by"] else "")
