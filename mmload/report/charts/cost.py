"""Plots of money: what a query costs and what it is spent on."""

from __future__ import annotations

from mmload.report.axes import up_to
from mmload.report.measured import Measured
from mmload.report.plot import Key
from mmload.report.row_plot import Row, rows
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import DASH, count, known, percent, rpm, usd, usd_tick

COMPONENTS = {
    "model": "blue",
    "retries": "orange",
    "validators": "green",
    "tools": "sky",
    "fallback": "purple",
    "review": "red",
    "infrastructure": "axis",
}


def per_query(measured: Measured) -> Chart:
    """The whole bill of the run, component by component."""
    cost = measured.part("cost")
    found = cost.get("by_component") or {}
    total = cost.get("total_usd")
    data = [
        Row(name, found[name], note=f"{usd(found[name])}{_share(found[name], total)}", role=role)
        for name, role in COMPONENTS.items()
        if known(found.get(name)) and found[name] > 0
    ]
    text = [
        [name, usd(found.get(name)), _share(found.get(name), total).strip(" ·") or DASH]
        for name in COMPONENTS
    ]
    text += [
        ["total", usd(total), DASH],
        ["per query", usd(cost.get("per_query_usd")), DASH],
        ["per good query", usd(cost.get("per_good_query_usd")), DASH],
    ]
    table = Table("Cost by component", ["Component", "USD", "Of total"], text, _notes(measured))
    title = "What the money went to"
    if not data:
        return Chart("cost", title, "", table, absent=_why(measured))
    scale = up_to(max(row.value or 0 for row in data))

    def draw(width: float) -> Scene:
        return rows(width, data, scale, label=usd_tick, bars=True)

    return Chart(
        "cost", title, f"{usd(total)} in all; {usd(cost.get('per_query_usd'))} a query.", table, draw
    )


def _share(value: object, total: object) -> str:
    if not known(value) or not known(total) or not total:
        return ""
    return f" · {percent(float(str(value)) / float(str(total)))}"


def _why(measured: Measured) -> str:
    return "The profile gives no prices" if not measured.profile.cost.models else "Nothing was charged"


def _notes(measured: Measured) -> list[str]:
    cost, book = measured.part("cost"), measured.part("cost", "price_snapshot")
    notes = []
    if book.get("as_of") or book.get("source"):
        notes.append(
            f"Prices: {book.get('source') or 'profile'}, as of {book.get('as_of') or 'an unstated date'}."
        )
    if cost.get("unpriced"):
        models = ", ".join(map(str, cost.get("unpriced_models") or [])) or "a model"
        notes.append(
            f"{count(cost['unpriced'])} requests have no known price ({models}); totals leave them out."
        )
    if cost.get("total_usd") is None:
        notes.append(f"No total: {_why(measured)}.")
    return notes


GOOD = [Key("per query", "blue", fill=1.0, width=0), Key("more, per good query", "orange", fill=1.0, width=0)]


def by_phase(measured: Measured) -> Chart:
    """Cost per query and per good query under each load."""
    data, text = [], []
    for phase in measured.entries("phases"):
        if phase.get("warmup"):
            continue
        cost, rate = phase.get("cost") or {}, (phase.get("throughput") or {}).get("achieved_rpm")
        each, good = cost.get("per_query_usd"), cost.get("per_good_query_usd")
        text.append([str(phase["name"]), rpm(rate), usd(each), usd(good), usd(cost.get("total_usd"))])
        if known(each):
            top = good if known(good) else each
            parts = [(each, "blue"), (max(0.0, top - each), "orange")]
            data.append(
                Row(
                    f"{phase['name']} · {rpm(rate)} rpm",
                    top,
                    parts=parts,
                    note=f"{usd(each)} · good {usd(good)}",
                )
            )
    table = Table(
        "Cost by phase",
        ["Phase", "Answered rpm", "Per query", "Per good query", "Total"],
        (data and text) or text,
    )
    title = "Cost by phase"
    if not data:
        return Chart("cost-phase", title, "", table, absent=_why(measured))
    scale = up_to(max(row.value or 0 for row in data))

    def draw(width: float) -> Scene:
        return rows(width, data, scale, label=usd_tick, bars=True, keys=GOOD)

    note = "Cheaper under pressure is no saving if answers got worse: compare the cost per good query."
    desc = "; ".join(f"{row.label} {row.note}" for row in data) + "."
    return Chart("cost-phase", title, desc, table, draw, note=note)
