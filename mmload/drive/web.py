"""Locust's own web page, for those who know it: lanes, counts, and a tab with what Locust cannot know.

Locust rounds to two digits and knows nothing of the due time: its numbers are for the eye. Its table is
filled from batches of records, never in the sending path; the tab from the state that the launcher sums up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flask import Response, request
from locust.env import Environment

from mmload.model import NS_PER_MS, Outcome, Record

_KEY: Final = "mmload"
_TITLE: Final = "Quality, cost, validity"
_COLUMNS: Final = (("what", "What"), ("value", "So far"), ("more", "More"))
_STATS: Final = "/stats/requests"
_DASH: Final = "–"


def add_page(environment: Environment, host: str, port: int, order: Mapping[str, Any]) -> None:
    """Serve Locust's page with a tab of ours. ``order`` is the launcher's ``plan.json``."""
    page = environment.create_web_ui(host=host, port=port)
    page.template_args |= {
        "extended_tabs": [{"title": _TITLE, "key": _KEY}],
        "extended_tables": [{"key": _KEY, "structure": [{"key": k, "title": t} for k, t in _COLUMNS]}],
    }
    live = Path(order["run_dir"]) / "journal" / "live.json"
    about = [
        _row("Run", str(order["run_frame"]["run_id"]), str(order["run_dir"])),
        _row("Exact metrics", str(order["metrics_url"] or _DASH), "Prometheus"),
    ]

    def extend(response: Response) -> Response:
        # Locust's page asks for its table every two seconds; ours goes with it.
        if request.path == _STATS and response.is_json:
            data = {
                **response.get_json(),
                "extended_stats": [{"key": _KEY, "data": [*rows(_read(live)), *about]}],
            }
            response.set_data(json.dumps(data))
        return response

    assert page.app is not None
    page.app.after_request(extend)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _row(what: str, value: str, more: str = "") -> dict[str, str]:
    return {"what": what, "value": value, "more": more}


def rows(live: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of the tab from a ``LiveState`` as JSON; a dash for what is not known yet, never 0."""
    errors = live.get("errors") or {}
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(errors.items(), key=lambda e: -e[1]))
    warnings = list(live.get("warnings") or [])
    between = _between(live.get("quality_low"), live.get("quality_high"))
    begun = bool(live.get("phase"))
    return [
        _row("Phase", live.get("phase") or _DASH, f"{live.get('phase_number') or _DASH} of "
             f"{live.get('phase_count') or _DASH}"),
        _row("Quality", _percent(live.get("quality")), f"{between}{live.get('n_scored') or 0} scored"),
        _row("Cost so far", _usd(live.get("cost_usd")), ""),
        _row("Cost per good query", _usd(live.get("per_good_query_usd")), ""),
        _row("Latency from the due time", _ms(live.get("p95_ms"), "p95"),
             f"{_ms(live.get('p50_ms'), 'p50')}, {_ms(live.get('p99_ms'), 'p99')}, "
             f"objective {_ms(live.get('slo_ms'), '')}"),
        _row("Failed or shed", str(sum(errors.values())) if begun else _DASH, kinds),
        _row("Run valid so far", ("no" if warnings else "yes") if begun else _DASH, "; ".join(warnings)),
        _row("Generator", _percent(live.get("generator_cpu_ratio")),
             f"of a core; sends {_ms(live.get('send_lag_p99_ms'), '')} late at p99"),
    ]  # fmt: skip


def _percent(value: Any) -> str:
    return _DASH if value is None else f"{100 * value:.1f}%"


def _between(low: Any, high: Any) -> str:
    return "" if low is None or high is None else f"{_percent(low)} to {_percent(high)}, "


def _usd(value: Any) -> str:
    return _DASH if value is None else f"${value:.4g}"


def _ms(value: Any, name: str) -> str:
    return f"{name} {_DASH if value is None else f'{value:,.0f} ms'}".strip()


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
