"""The verdict, the gates and the trust that a run deserves, in sentences. For every writer of a report.

Decides nothing: it words what ``verdict.py`` decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmload.report.measured import Measured
from mmload.report.wording import (
    DASH,
    count,
    gate_direction,
    gate_title,
    gate_writer,
    interval,
    is_gate,
    known,
    ms,
    percent,
    rpm,
    usd,
    why_uncertified,
)

WORDS = {"go": "Go", "no-go": "No-go", "inconclusive": "Inconclusive", "invalid": "Invalid"}


@dataclass(frozen=True)
class GateLine:
    """One gate, worded."""

    name: str
    title: str
    dimension: str
    direction: str
    limit: str
    value: str
    interval: str
    verdict: str
    reason: str
    raw: Mapping[str, Any]

    @property
    def rule(self) -> str:
        return f"{self.direction} {self.limit}"


def gates(measured: Measured) -> list[GateLine]:
    lines = []
    for gate in measured.entries("gates"):
        write = gate_writer(gate["name"])
        lines.append(
            GateLine(
                name=gate["name"],
                title=gate_title(gate["name"]),
                dimension=str(gate.get("dimension") or ""),
                direction=gate_direction(gate["name"]),
                limit=write(gate.get("limit")),
                value=write(gate.get("value")),
                interval=interval(gate.get("low"), gate.get("high"), write),
                verdict=str(gate.get("verdict") or ""),
                reason=str(gate.get("reason") or ""),
                raw=gate,
            )
        )
    return lines


def word(measured: Measured) -> str:
    """``go``, ``no-go``, ``inconclusive`` or ``invalid``; what cannot be read is never a go."""
    found = str(measured.figures.get("verdict"))
    return found if found in WORDS else "invalid"


def sentence(measured: Measured) -> str:
    """Why the verdict is what it is, in one sentence."""
    lines, verdict = gates(measured), word(measured)
    failed = [g.title for g in lines if g.verdict == "fail"]
    open_ = [g.title for g in lines if g.verdict == "inconclusive"]
    if verdict == "invalid":
        reasons = measured.part("validity").get("reasons") or ["no reason was recorded"]
        return f"These figures say nothing about the target: {'; '.join(map(str, reasons))}."
    if verdict == "no-go":
        return f"{len(failed)} of {_gates(len(lines))} failed: {', '.join(failed)}."
    if verdict == "inconclusive":
        if not lines:
            return "The profile sets no gate, so there is nothing to pass."
        return (
            f"No gate failed, but the sample cannot settle {len(open_)} of {len(lines)}: {', '.join(open_)}."
        )
    return (
        "The profile sets no gate; the run itself is valid."
        if not lines
        else f"All {_gates(len(lines))} hold."
    )


def _gates(number: int) -> str:
    return f"{number} gate" if number == 1 else f"{number} gates"


@dataclass(frozen=True)
class Headline:
    """One of the few numbers of the first screen."""

    label: str
    value: str
    unit: str
    detail: str

    @property
    def figure(self) -> str:
        """Value and unit; what is not known has none."""
        return self.value if not self.unit or self.value == DASH else f"{self.value} {self.unit}"


def headlines(measured: Measured) -> list[Headline]:
    """Requests per minute at quality, cost per good query, p95, and whether to trust the run."""
    return [_at_quality(measured), _cost(measured), _tail(measured), _trust(measured)]


def _at_quality(measured: Measured) -> Headline:
    throughput, found = measured.part("throughput"), measured.part("throughput", "rpm_at_quality")
    between = _between(found.get("value"), found.get("low"), found.get("high"))
    said = [between] if between else []
    said.append(_limited(measured))
    alone = throughput.get("latency_only_rpm")
    if known(alone) and alone != found.get("value"):
        said.append(f"by latency alone it would be {rpm(alone)}")
    unit = "rpm" if known(found.get("value")) else ""
    return Headline("Requests per minute at quality", rpm(found.get("value")), unit, "; ".join(said))


def _between(value: Any, low: Any, high: Any) -> str:
    """Where the truth lies. A run brackets it: a load that held, and one that failed, are no interval."""
    if known(low) and known(high) and low == value:
        return f"{rpm(low)} held, {rpm(high)} failed"
    between = interval(low, high, rpm)
    return f"{between}, 95% interval" if known(low) and low != value else between


def _limited(measured: Measured) -> str:
    """What ended the climb: the first load that did not hold every gate, and the gate that gave way."""
    found = measured.part("throughput", "rpm_at_quality")
    limited = found.get("limited_by")
    if limited and not is_gate(limited):
        return str(limited)
    limit = gate_title(str(limited)) if limited else ""
    levels = sorted(measured.part("throughput").get("levels") or [], key=lambda level: level.get("rpm") or 0)
    beyond = next((level for level in levels if level.get("verdict") != "pass"), None)
    if beyond is not None and beyond.get("verdict") == "inconclusive":
        return f"at {rpm(beyond.get('rpm'))} rpm the sample cannot settle {limit or 'the gates'}"
    if beyond is not None and limit:
        return f"limited by {limit}, which gives way at {rpm(beyond.get('rpm'))} rpm"
    if not known(found.get("value")):
        return f"no load held every gate; limited by {limit}" if limit else "no load was tested for it"
    return f"limited by {limit}" if limit else "the highest load tested; nothing gave way"


def _cost(measured: Measured) -> Headline:
    cost = measured.part("cost")
    each = cost.get("per_query_usd")
    if known(cost.get("per_good_query_usd")):
        detail = f"{usd(each)} for each query, good or not; {usd(cost.get('total_usd'))} in all"
    elif known(each):
        detail = f"no good query to divide by; {usd(each)} for each query"
    else:
        detail = "the profile gives no price for what was used"
    return Headline("Cost per good query", usd(cost.get("per_good_query_usd")), "", detail)


def _tail(measured: Measured) -> Headline:
    e2e, service = measured.part("latency_ms", "e2e"), measured.part("latency_ms", "service")
    if known(e2e.get("p95")):
        detail = f"from the due time; objective {ms(measured.slo_ms)}; service {ms(service.get('p95'))}"
    else:
        detail = why_uncertified(e2e, "p95")
    return Headline("Latency p95, end to end", ms(e2e.get("p95")), "", detail)


def _trust(measured: Measured) -> Headline:
    validity = measured.part("validity")
    lag = measured.part("validity", "send_lag_ms")
    if "valid" not in validity:
        return Headline("Can this run be trusted?", "No", "", "no validity was recorded")
    warnings = validity.get("warnings") or []
    p99 = f", p99 {ms(lag['p99'])}" if known(lag.get("p99")) else ""
    detail = (
        f"sends at most {ms(lag.get('max'))} late{p99}; "
        f"generator at {percent(validity.get('generator_cpu_ratio'))} of a core"
    )
    noted = f"({len(warnings)} to note)" if warnings else ""
    return Headline("Can this run be trusted?", "Yes" if validity["valid"] else "No", noted, detail)


def partial(measured: Measured) -> str:
    """A warning when the run did not end by itself; empty when it did."""
    reason = str(measured.part("run").get("end_reason") or measured.run_info.get("end_reason") or "")
    if measured.run_info.get("cut") and reason in ("", "done"):
        reason = "cut"
    said = {
        "cut": "The run was cut short: this is a report of what had been written down by then.",
        "interrupted": "The run was interrupted: this is a report of what had been measured by then.",
        "budget": "The run stopped at its budget: later phases are missing or short.",
        "error_rate": "The run stopped as the target failed too often: later phases are missing or short.",
    }
    return said.get(reason, "" if reason in ("", "done") else f"The run ended early: {reason}.")


def counts_line(measured: Measured) -> str:
    """``planned = ok + failed + shed + not sent`` with its numbers."""
    found = measured.part("counts")
    if not found:
        return DASH
    parts = " + ".join(
        f"{count(found.get(k))} {k.replace('_', ' ')}" for k in ("ok", "failed", "shed", "not_sent")
    )
    return f"{count(found.get('planned'))} planned = {parts}"
