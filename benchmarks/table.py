"""The table of figures as Markdown. Not aware of how they were measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_BEGIN = "<!-- table: written by benchmarks/bench.py -->"
_END = "<!-- end of table -->"
_ORDER = ("throughput", "schedule", "accuracy", "freeze", "memory", "startup")


def _rank(row: dict[str, Any]) -> int:
    return _ORDER.index(row["id"].split("-")[0])


def markdown(found: dict[str, Any]) -> str:
    """``found`` as results.json holds it."""
    m = found.get("machine", {})
    lines = [
        "# Figures",
        "",
        f"{m.get('cores')} cores of {m.get('cpu')}, Linux {m.get('kernel')}, Python {m.get('python')}. "
        "Generator on one core, reference server on the other, loopback; medians of interleaved runs.",
        "",
        "| work | to reach | mmload | met | beside, in the same run | measured |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(found["rows"].values(), key=_rank):
        beside = "<br>".join(f"{tool}: {said}" for tool, said in row["beside"].items()).replace("|", "/")
        met = {True: "yes", False: "**no**", None: ""}[row["met"]] + (
            f" ({row['why']})" if row["why"] else ""
        )
        cells = (row["work"], row["target"], row["mmload"], met, beside, row["measured"])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def embed(page: Path, table: str) -> None:
    """Put the table (without its heading) between the two marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{table.partition(chr(10))[2].strip()}\n{_END}{after}")
