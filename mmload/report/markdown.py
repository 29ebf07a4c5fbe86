"""The report in short, for a pull request or the step summary of a CI job.

GitHub's dialect. Everything that came from outside is escaped for a table cell, so that a model's
answer can neither break a table nor mention a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmload.report import conversations, facts, scorecards, verdicts
from mmload.report.charts import cost, latency, pipeline, quality, server
from mmload.report.escape import markdown_cell
from mmload.report.measured import Measured
from mmload.report.table import Table

SIGNS = {"go": "✅", "no-go": "❌", "inconclusive": "❔", "invalid": "🚫", "pass": "✅", "fail": "❌"}
STEP_SUMMARY_LIMIT = 1024 * 1024
"""Bytes that GitHub accepts from one step."""


def render(measured: Measured, report_path: str = "report.html") -> str:
    """The verdict and the tables as Markdown. ``report_path`` is named as the place of the rest."""
    run, verdict = measured.part("run"), verdicts.word(measured)
    name = markdown_cell(str(run.get("profile") or measured.profile.name))
    parts = [f"## {SIGNS[verdict]} {verdicts.WORDS[verdict]} · mmload · {name}"]
    if verdicts.partial(measured):
        parts.append(f"> {verdicts.partial(measured)}")
    parts.append(f"**{markdown_cell(verdicts.sentence(measured))}**")
    parts.append(_headlines(measured))
    parts.append(_gates(measured))
    parts += [_section(table) for table in _tables(measured) if table.rows]
    parts.append(_trust(measured))
    parts.append(
        f"The whole report is in `{report_path}`, every figure in `summary.json`. A dash (–) stands for what "
        "was not measured or cannot be certified, never for zero."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _headlines(measured: Measured) -> str:
    lines = [[h.label, f"**{h.value}** {h.unit}".strip(), h.detail] for h in verdicts.headlines(measured)]
    return _table(["", "", ""], [[markdown_cell(a), b, markdown_cell(c)] for a, b, c in lines], text=3)


def _gates(measured: Measured) -> str:
    lines = verdicts.gates(measured)
    if not lines:
        return ""
    data = [
        [
            markdown_cell(g.title),
            g.rule,
            g.value,
            g.interval or "–",
            f"{SIGNS.get(g.verdict, '')} {g.verdict}",
            markdown_cell(g.reason) if g.verdict != "pass" else "",
        ]
        for g in lines
    ]
    return "### Gates\n\n" + _table(["Gate", "Limit", "Measured", "95% bounds", "Verdict", ""], data, text=1)


def _tables(measured: Measured) -> Iterable[Table]:
    yield scorecards.scorecard(measured)
    yield facts.levels(measured)
    yield latency.spectrum(measured).table
    yield conversations.by_turn(measured)
    yield server.compared(measured)
    yield quality.by_phase(measured).table
    yield cost.by_phase(measured).table
    yield pipeline.errors(measured).table
    yield scorecards.causes(measured)
    yield scorecards.models(measured)
    yield facts.judge(measured)


def _section(table: Table) -> str:
    rows = [[markdown_cell(cell) for cell in row] for row in table.rows]
    notes = "".join(f"\n\n<sub>{markdown_cell(note)}</sub>" for note in table.notes[:6])
    return (
        f"<details><summary>{table.caption}</summary>\n\n"
        f"{_table(table.head, rows, table.text_columns)}{notes}\n\n</details>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], text: int) -> str:
    rule = [":--" if index < text else "--:" for index in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *rows])


def _trust(measured: Measured) -> str:
    validity = measured.part("validity")
    notes = [*map(str, validity.get("reasons") or []), *map(str, validity.get("warnings") or [])]
    lines = [f"- {markdown_cell(note)}" for note in notes]
    heading = "The run is valid" if validity.get("valid") else "The run is **not valid**"
    return f"{heading}. {verdicts.counts_line(measured)}." + ("\n\n" + "\n".join(lines) if lines else "")
