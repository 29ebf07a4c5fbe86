"""How figures are written for people: units, digits, intervals, and the dash for what is absent.

Not aware of HTML, Markdown or XML: it returns plain text that every writer escapes in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from mmload.model import counted
from mmload.profile import Gates

DASH = "–"
"""Stands for a figure that is absent. Never 0."""

MIN_SAMPLES = {"p50": 1, "p90": 64, "p95": 130, "p99": 662, "p999": 6636}
"""Requests that certify a percentile at 99% confidence (MLPerf's early-stopping rule)."""

PERCENTILE_NAMES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9"}

LATENCY_NAMES = {
    "e2e": "End to end (due)",
    "service": "Service (sent)",
    "ttft": "First token",
    "inter_token": "Between tokens",
}


def known(value: Any) -> TypeGuard[float]:
    """Whether it is a number that may be shown: neither ``None`` nor NaN nor infinite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def significant(value: float, digits: int = 3) -> str:
    """Plain decimal notation with so many significant digits, thousands separated."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 9)}f}"


def count(value: Any, noun: str = "") -> str:
    """A whole number, with its noun (``1 request``, ``2,104 requests``) if there is one."""
    if not known(value):
        return f"{DASH} {noun}s" if noun else DASH
    return counted(round(value), noun) if noun else f"{round(value):,}"


def rpm(value: Any) -> str:
    """Requests per minute, without unit."""
    if not known(value):
        return DASH
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.1f}"


def ms(value: Any) -> str:
    """A duration given in milliseconds, in the unit that reads best."""
    if not known(value):
        return DASH
    if value == 0:
        return "0 ms"
    if abs(value) < 0.1:
        return f"{value * 1000:,.0f} µs"
    if abs(value) < 1000:
        return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f} ms"
    if abs(value) < 60_000:
        return f"{value / 1000:,.2f} s"
    return seconds(value / 1000)


def ms_tick(value: float) -> str:
    """A round value of an axis in milliseconds, without needless zeros."""
    if value < 1000:
        return f"{value:g} ms" if value else "0"
    return f"{value / 1000:g} s" if value < 60_000 else f"{value / 60_000:g} min"


def usd_tick(value: float) -> str:
    return f"${value:g}"


def percent_tick(value: float) -> str:
    return f"{100 * value:.4g}%"


def seconds(value: Any) -> str:
    if not known(value):
        return DASH
    if value < 60:
        return f"{value:.0f} s" if value == round(value) or value >= 10 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def clock(value: float) -> str:
    """Seconds from the start of the run as ``m:ss``."""
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def usd(value: Any) -> str:
    if not known(value):
        return DASH
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if abs(value) >= 1 else f"${significant(value, 3)}"


def percent(value: Any) -> str:
    """A ratio in 0..1 as a percentage; more digits near 0 and near 1, where they matter."""
    if not known(value):
        return DASH
    shown = 100 * value
    edge = min(abs(shown), abs(100 - shown))
    digits = 0 if abs(shown - round(shown)) < 1e-9 else 1 if edge >= 1 else 2
    return f"{shown:.{digits}f}%"


def size(value: Any) -> str:
    """Bytes in binary units."""
    if not known(value):
        return DASH
    left = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if left < 1024 or unit == "GiB":
            break
        left /= 1024
    return f"{left:.0f} B" if unit == "B" else f"{left:.1f} {unit}"


def interval(low: Any, high: Any, write: Any) -> str:
    """``low to high`` in the unit of ``write``, or the one bound that is known; else empty."""
    if not known(low) and not known(high):
        return ""
    if not known(high):
        return f"at least {write(low)}"
    if not known(low):
        return f"at most {write(high)}"
    return f"{write(low)} to {write(high)}"


def why_uncertified(latency: Mapping[str, Any], percentile: str) -> str:
    """Why ``latency[percentile]`` is null: how many samples there are, and how many it takes."""
    have = latency.get("n")
    need = MIN_SAMPLES[percentile]
    if not known(have) or have == 0:
        return "not measured"
    return f"{count(have)} of the {need:,} samples it takes"


def gate_writer(name: str) -> Any:
    """How the limit and the value of the gate ``name`` are written."""
    if name.endswith("_ms") or "_ms" in name:
        return ms
    if "usd" in name:
        return usd
    if "gain" in name:
        return lambda value: DASH if not known(value) else points(value)
    if "rpm" in name:
        return lambda value: DASH if not known(value) else f"{rpm(value)} rpm"
    if "recovery_s" in name:
        return seconds
    if "cross_talk" in name or "violations" in name:
        return count
    return percent


REGRESSION = "_regression"
"""Ends the name of a check against a baseline; before it stands the gate's."""


def is_gate(name: Any) -> bool:
    """Whether it is a key of ``[gates]``; what limits a rate may also be said in words."""
    return str(name) in Gates.model_fields


def gate_direction(name: str) -> str:
    """``at least`` or ``at most``; of a check against a baseline, which fails only where the whole interval
    is worse, ``not surely below`` or ``not surely above``."""
    lower = name.removesuffix(REGRESSION).endswith("_min")
    if name.endswith(REGRESSION):
        return "not surely below" if lower else "not surely above"
    return "at least" if lower else "at most"


def gate_title(name: str) -> str:
    """A gate's name as words: ``e2e_p95_ms`` -> ``e2e p95``."""
    if name.endswith(REGRESSION):
        return f"{gate_title(name.removesuffix(REGRESSION))}, against the baseline"
    words = name.removesuffix("_min").removesuffix("_max").removesuffix("_ms").removesuffix("_s")
    words = words.replace("p999", "p99.9").replace("rpm_at_quality", "rpm at quality")
    words = words.replace("per_good_query_usd", "cost per good query")
    words = words.replace("per_query_usd", "cost per query").replace("over_slo", "beyond objective")
    return {"error": "failed or shed"}.get(words, words.replace("_", " "))


def points(value: float) -> str:
    """A difference of two ratios: percentage points, not percent."""
    written = f"{100 * value:.3g}"
    return f"{written} point" if written == "1" else f"{written} points"


def signed(value: Any, write: Callable[[float], str]) -> str:
    """A difference with its sign; ``write`` is given its size."""
    if not known(value):
        return DASH
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{write(abs(value))}"
