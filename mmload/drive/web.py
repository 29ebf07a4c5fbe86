"""Locust's own web page, for those who know it: the lanes, the counts, and where the exact figures are.

Locust rounds to two digits and knows nothing of the due time: its numbers are for the eye. Filled from
batches of records, never in the sending path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from locust.env import Environment

from mmload.model import NS_PER_MS, Outcome, Record

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>mmload {run}</title>
<style>body{{font:16px/1.5 system-ui;margin:3rem auto;max-width:40rem;padding:0 1rem}}</style>
<h1>mmload: {run}</h1>
<p>Locust's table rounds to two digits and counts from the actual send. Quality, cost, validity and
latency from the due time are here:</p>
<ul><li><a href="{metrics}">live metrics (Prometheus)</a></li><li>run folder: <code>{folder}</code></li></ul>
<p><a href="/">Locust's page</a></p></html>"""


def add_page(environment: Environment, host: str, port: int, order: Mapping[str, Any]) -> None:
    """Serve Locust's page, with one of ours at ``/mmload``. ``order`` is the launcher's ``plan.json``."""
    page = environment.create_web_ui(host=host, port=port)
    text = _PAGE.format(
        run=escape(order["run_frame"]["run_id"]),
        metrics=escape(order["metrics_url"]),
        folder=escape(order["run_dir"]),
    )

    assert page.app is not None
    page.app.add_url_rule("/mmload", "mmload", lambda: text)


def show(environment: Environment, records: Sequence[Record], names: Sequence[str]) -> None:
    """Count a batch in Locust's statistics. ``names`` by item."""
    stats = environment.stats
    for record in records:
        if record.sent_ns is None or record.end_ns is None:
            continue
        name = names[record.item]
        took_ms = (record.end_ns - record.sent_ns) // NS_PER_MS
        stats.log_request("POST", name, took_ms, record.response_bytes)
        if record.outcome != Outcome.OK:
            stats.log_error("POST", name, record.error)
