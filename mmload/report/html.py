"""The report as one HTML file: no network, no font, no library; complete without its script.

Lays out what ``charts`` draw and ``verdicts`` word. Everything that came from outside passes through
the template's escaping; only SVG made here is inserted as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmload.report import conversations, evidence, facts, scorecards, svg, verdicts
from mmload.report.charts import draw_all, server
from mmload.report.definitions import definitions
from mmload.report.escape import visible
from mmload.report.measured import Measured
from mmload.report.table import Chart
from mmload.report.wording import REGRESSION

WIDE, PHONE = 1000.0, 400.0
_MOST_SPANS = 60
_RUN = "run.html.j2"
_HERE = Path(__file__).parent / "templates"


@cache
def _engine() -> Environment:
    engine = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters["plot"] = both_widths
    return engine


def prepare() -> None:
    """Compile the templates of a run's page."""
    _engine().get_template(_RUN)


def _shown(value: Any) -> Any:
    """Whatever is printed loses its control characters; what is SVG of ours stays as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def both_widths(chart: Chart) -> Markup:
    """The chart drawn for a desk and for a phone; style shows the one that fits."""
    if chart.draw is None:
        return Markup("")
    drawn = (
        svg.inline(chart.draw(width), uid=f"{chart.key}-{css}", title=chart.title, desc=chart.desc, css=css)
        for width, css in ((WIDE, "wide"), (PHONE, "phone"))
    )
    return Markup("".join(drawn))


def render(template: str, **values: Any) -> str:
    """A whole page of the report's look. ``template`` extends ``page.html.j2``."""
    style, script = ((_HERE / name).read_text("utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _engine()
        .get_template(template)
        .render(
            style=Markup(style),
            script=Markup(script),
            script_hash=digest,
            **values,
        )
    )


def page(measured: Measured, charts: Mapping[str, Chart] | None = None) -> str:
    """The report of one run."""
    run = measured.part("run")
    return render(
        _RUN,
        title=f"{run.get('profile') or measured.profile.name}: {verdicts.WORDS[verdicts.word(measured)]}",
        run=run,
        spans=_spans(measured),
        verdict=verdicts.word(measured),
        verdict_word=verdicts.WORDS[verdicts.word(measured)],
        sentence=verdicts.sentence(measured),
        partial=verdicts.partial(measured),
        headlines=verdicts.headlines(measured),
        gates=verdicts.gates(measured),
        against_baseline=any(g.name.endswith(REGRESSION) for g in verdicts.gates(measured)),
        gate_plots={g.name: _gate_plot(g) for g in verdicts.gates(measured)},
        server=server.compared(measured),
        server_statement=server.statement(measured),
        counts=verdicts.counts_line(measured),
        charts=charts if charts is not None else draw_all(measured),
        evidence=evidence.of_gates(measured),
        dimensions=scorecards.dimensions(measured),
        scorecard_line=scorecards.summary_line(measured),
        friction=scorecards.friction(measured),
        causes=scorecards.causes(measured),
        models=scorecards.models(measured),
        turns=conversations.by_turn(measured),
        sessions=conversations.sentences(measured),
        worst=evidence.worst(measured, 6),
        levels=facts.levels(measured),
        bursts=facts.bursts(measured),
        validity=facts.validity(measured),
        remarks=facts.remarks(measured),
        answers=facts.answers(measured),
        features=facts.features(measured),
        environment=facts.environment(measured),
        method=definitions(measured),
        facts=facts.run(measured),
    )


def _spans(measured: Measured) -> str:
    """Phases and bursts as JSON ``[[name, from s, to s]...]``: to narrow the plots over time to."""
    bursts = measured.bursts()
    named = [
        *[(span.name, span) for span in measured.phases()],
        *[(f"burst {n}" if len(bursts) > 1 else "the burst", span) for n, span in enumerate(bursts, 1)],
    ]
    return json.dumps([[name, span.start_s, span.end_s] for name, span in named[:_MOST_SPANS]])


def _gate_plot(gate: verdicts.GateLine) -> Markup:
    scene = facts.gate_scene(gate)
    if scene is None:
        return Markup("")
    drawn = svg.inline(
        scene,
        uid=f"gate-{gate.name}",
        title=f"{gate.title} against its limit",
        desc=f"{gate.value}, {gate.interval or 'no interval'}; {gate.rule}",
        css="mini",
    )
    return Markup(drawn)
