"""Plots of quality: by phase and load, over time, by slice, and what was made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmload.report.axes import Linear, up_to
from mmload.report.charts.backdrop import MOST_ROWS, burst_keys, over_time_plot, phase_of, stretch
from mmload.report.measured import Measured
from mmload.report.plot import Key
from mmload.report.row_plot import Row, rows
from mmload.report.scene import Scene
from mmload.report.table import Chart, Table
from mmload.report.wording import DASH, clock, count, interval, known, ms, percent, percent_tick, rpm, usd


def by_phase(measured: Measured) -> Chart:
    """Task-weighted quality of every phase with its interval, against the gate."""
    entries = [p for p in measured.entries("phases") if not p.get("warmup")]
    data = [_phase_row(p) for p in entries if known((p.get("quality") or {}).get("score"))]
    table = _phase_table(entries)
    title = "Quality by phase"
    if not data:
        return Chart("quality-phase", title, "", table, absent="No answer was scored")
    limit = measured.profile.gates.quality_min
    scale = _zoomed([v for r in data for v in (r.value, r.low, r.high)] + [limit])
    desc = "; ".join(f"{row.label} {percent(row.value)}" for row in data) + "."

    def draw(width: float) -> Scene:
        line = (limit, f"gate {percent(limit)}") if limit is not None else None
        return rows(width, data, scale, label=percent_tick, limit=line)

    note = (
        "Share of answers that passed, weighted by task, with 95% interval. The gate looks at the lower end."
    )
    return Chart("quality-phase", title, desc, table, draw, note=note)


def _phase_row(phase: Mapping[str, Any]) -> Row:
    found = phase["quality"]
    rate = (phase.get("throughput") or {}).get("achieved_rpm")
    return Row(
        f"{phase['name']} · {rpm(rate)} rpm",
        found["score"],
        found.get("low"),
        found.get("high"),
        f"{percent(found['score'])} · n {count(found.get('n_scored'))}",
    )


def _phase_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    data = []
    for phase in entries:
        found, latency = phase.get("quality") or {}, (phase.get("latency_ms") or {}).get("e2e") or {}
        counts, rate = phase.get("counts") or {}, phase.get("throughput") or {}
        lost = (counts.get("failed") or 0) + (counts.get("shed") or 0)
        planned = counts.get("planned")
        data.append(
            [
                str(phase["name"]),
                str(phase.get("shape") or ""),
                rpm(rate.get("achieved_rpm")),
                rpm(rate.get("good_rpm")),
                percent(found.get("score")),
                interval(found.get("low"), found.get("high"), percent) or DASH,
                count(found.get("n_scored")),
                ms(latency.get("p95")),
                percent(lost / planned) if planned else DASH,
            ]
        )
    head = [
        "Phase",
        "Shape",
        "Answered rpm",
        "Good rpm",
        "Quality",
        "95% interval",
        "Scored",
        "p95",
        "Failed or shed",
    ]
    return Table(
        "Phases",
        head,
        data,
        ["A dash stands where the sample certifies nothing, or nothing was scored."],
        text_columns=2,
    )


def _zoomed(values: Sequence[float | None]) -> Linear:
    """A range of ratios around the values that occur, on round ends; never beyond 0 and 1."""
    seen = [v for v in values if v is not None]
    low, high = min(seen), max(seen)
    pad = max(0.02, 0.08 * (high - low))
    return Linear(max(0.0, int((low - pad) * 20) / 20), min(1.0, -int(-(high + pad) * 20) / 20) or 1.0)


QUALITY = Key("quality", "green", shape="circle", width=2)
BAND = Key("95% interval", "green", fill=0.18, width=0)


def over_time(measured: Measured) -> Chart:
    """Quality in stretches of time that hold enough scored answers each, with intervals."""
    windows = _windows(measured)
    data = [
        [clock(start), name, percent(share), interval(low, high, percent), count(n)]
        for start, _, name, share, low, high, n in windows
    ]
    table = Table(
        "Quality over time", ["From", "Phase", "Passed", "95% interval", "Scored"], data, text_columns=2
    )
    title = "Quality over time"
    if not windows:
        return Chart("quality-time", title, "", table, absent="No answer was scored")
    limit = measured.profile.gates.quality_min
    scale = _zoomed([v for w in windows for v in (w[4], w[5])] + [limit])

    def draw(width: float) -> Scene:
        plot = over_time_plot(
            measured,
            width,
            250,
            scale,
            percent_tick,
            "answers that passed",
            [QUALITY, BAND, *burst_keys(measured)],
        )
        middles = [((w[0] + w[1]) / 2, w) for w in windows]
        plot.area([(x, w[4], w[5]) for x, w in middles], BAND)
        if limit is not None:
            plot.limit(limit, f"gate {percent(limit)}")
        plot.line([(x, w[3]) for x, w in middles], QUALITY)
        plot.zones([(w[0], w[1], f"{clock(w[0])} {w[2]}\n{percent(w[3])} of {w[6]} passed") for w in windows])
        return plot.scene

    desc = f"Passed between {percent(min(w[3] for w in windows))} and {percent(max(w[3] for w in windows))}."
    note = "Not weighted by task; the interval (Wilson) takes answers as independent and is for the eye only."
    return Chart("quality-time", title, desc, table, draw, note=note)


Window = tuple[float, float, str, float, float, float, int]


def _windows(measured: Measured) -> list[Window]:
    """At most 40 stretches of time, each with at least 20 scored answers where the run has them."""
    total = sum(n for n in measured.second("quality_n") if n)
    found: list[Window] = []
    for part in measured.bins(max(1, min(MOST_ROWS, total // 20))):
        pairs = zip(measured.second("quality")[part], measured.second("quality_n")[part], strict=True)
        scored = [(q, n) for q, n in pairs if known(q) and n]
        count_scored = sum(n for _, n in scored)
        if count_scored:
            share = sum(q * n for q, n in scored) / count_scored
            start, end = stretch(measured, part)
            found.append(
                (start, end, phase_of(measured, part), share, *_wilson(share, count_scored), count_scored)
            )
    return found


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a proportion, for the eye."""
    z2 = 1.959964**2
    middle, spread = share + z2 / (2 * n), 1.959964 * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5
    return max(0.0, (middle - spread) / (1 + z2 / n)), min(1.0, (middle + spread) / (1 + z2 / n))


TYPES = ("object", "attribute", "relation", "action", "code")


def hallucinations(measured: Measured) -> Chart:
    """Share of claims made up, by type; and of answers with a critical one."""
    found = measured.part("quality", "hallucination")
    data = [Row(t, found[t], note=percent(found[t]), role="purple") for t in TYPES if known(found.get(t))]
    critical = found.get("critical")
    if known(critical):
        data.append(
            Row(
                "critical, of answers",
                critical,
                found.get("critical_low"),
                found.get("critical_high"),
                percent(critical),
                role="red",
            )
        )
    names = {t: f"{t} claims" for t in TYPES} | {"critical": "answers with a critical claim"}
    text = [
        [
            label,
            percent(found.get(t)),
            interval(found.get(f"{t}_low"), found.get(f"{t}_high"), percent) or DASH,
        ]
        for t, label in names.items()
    ]
    text += _abstention(measured)
    missing = [names[t] for t in names if not known(found.get(t))]
    notes = [f"{', '.join(missing)}: no answer made such a claim that could be checked."] if missing else []
    table = Table("Made up, and when to be silent", ["What", "Share", "95% interval"], text, notes)
    title = "Hallucinations by type"
    if not data:
        return Chart("hallucination", title, "", table, absent="No claim could be checked")
    limit = measured.profile.gates.critical_hallucination_max
    scale = up_to(max([r.high or r.value or 0 for r in data] + [limit or 0, 0.005]))

    def draw(width: float) -> Scene:
        line = (limit, f"gate for critical {percent(limit)}") if limit is not None else None
        return rows(width, data, scale, label=percent_tick, bars=True, limit=line)

    desc = "; ".join(f"{row.label} {row.note}" for row in data) + "."
    return Chart("hallucination", title, desc, table, draw)


def _abstention(measured: Measured) -> list[list[str]]:
    found = measured.part("quality", "abstention")
    said = interval(found.get("overreach_low"), found.get("overreach_high"), percent) or DASH
    return [
        ["unanswerable, yet answered (overreach)", percent(found.get("overreach")), said],
        ["answerable, yet declined", percent(found.get("false_abstention")), DASH],
    ]


MOST_SLICES = 16
"""Drawn unless a reader chooses; the table has all."""


def _apart(entry: Mapping[str, Any]) -> str:
    """A slice's difference to the rest, if it is none of chance."""
    p, delta = entry.get("p_adjusted"), entry.get("delta")
    if not known(p) or not known(delta):
        return DASH
    return f"{100 * delta:+.3g} points".replace("-", "−") if p < 0.05 else "no"


def slices(measured: Measured) -> Chart:
    """Quality of every slice with its interval; the table adds tails and errors."""
    found = measured.series.get("slices") or []
    data = [
        Row(
            f"{s['by'].replace('_', ' ')} · {s['value']}",
            s["quality"],
            s.get("low"),
            s.get("high"),
            f"{percent(s['quality'])} · n {count(s.get('n_scored', s.get('n')))}",
            group=s["by"].replace("_", " "),
            order=order,
        )
        for order, s in enumerate(found)
        if known(s.get("quality"))
    ]
    text = [
        [
            s["by"].replace("_", " "),
            str(s["value"]),
            count(s.get("n")),
            percent(s.get("quality")),
            interval(s.get("low"), s.get("high"), percent) or DASH,
            _apart(s),
            ms(s.get("e2e_p95_ms")),
            percent(s.get("error_ratio")),
            usd(s.get("per_query_usd")),
        ]
        for s in found
    ]
    head = ["By", "Slice", "Requests", "Quality", "95% interval", "Apart"]
    head += ["p95", "Failed", "Per query"]
    notes = [
        "A dash: nothing scored there, or too few requests to certify the percentile.",
        "Apart: the difference to all other answers, where chance is ruled out with 95% "
        "confidence for all slices together (Holm). Cost without machines.",
    ]
    table = Table("Slices", head, text, notes, text_columns=2)
    title = "Slices"
    if not data:
        return Chart("slices", title, "", table, absent="No answer was scored")
    by_quality = sorted(data, key=lambda row: row.value or 0)
    shown = data if len(data) <= MOST_SLICES else by_quality[:MOST_SLICES]
    more = [] if shown is data else by_quality[MOST_SLICES:]
    scale = _zoomed([v for r in data for v in (r.value, r.low, r.high)])
    overall = measured.part("quality").get("score")

    def draw(width: float) -> Scene:
        line = (float(overall), f"all {percent(overall)}") if known(overall) else None
        return rows(width, shown, scale, label=percent_tick, limit=line, limit_role="ink", more=more)

    worst = by_quality[0]
    desc = f"Lowest: {worst.label} with {percent(worst.value)}."
    note = f"The {len(shown)} with the lowest quality of {len(data)}; all in the table." if more else ""
    return Chart("slices", title, desc, table, draw, note=note, scripts=("filter",))
