"""Figures and gates -> checks and one verdict. Not aware of how anything was measured.

A gate passes only if the cautious bound of its figure meets the limit, fails only if even the hopeful
bound misses it, and is inconclusive between. Worse data can so never turn a failed gate into a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from mmload.model import Check, CheckVerdict, Verdict, counted
from mmload.profile import Gates
from mmload.summary.evidence import GATES, UNKNOWN, Evidence, Gate, from_dict

_UNITS: Final = (("_ms", "ms"), ("_s_max", "s"), ("_usd_max", "USD"), ("rpm_at_quality_min", "rpm"))
_COUNTS: Final = frozenset({"cross_talk_max", "safety_violations_max"})
"""All other figures without a unit are shares."""


def checks(figures: dict[str, Any], gates: Gates) -> list[Check]:
    """One check per gate that the profile sets, in the order of ``GATES``."""
    limits = gates.model_dump(exclude_none=True)
    evidence = {name: from_dict(e) for name, e in figures["evidence"].items()}
    return [
        check(name, gate, float(limits[name]), evidence.get(name, UNKNOWN))
        for name, gate in GATES.items()
        if name in limits
    ]


def check(name: str, gate: Gate, limit: float, evidence: Evidence) -> Check:
    """One gate held against the evidence for it."""
    found = evidence.against(limit, gate.upper)
    return Check(
        name=name,
        dimension=gate.dimension,
        limit=limit,
        value=evidence.value,
        low=evidence.low,
        high=evidence.high,
        verdict=found,
        reason=_reason(name, gate, limit, evidence, found),
    )


def decide(valid: bool, found: Sequence[Check]) -> Verdict:
    """Invalid before no-go before inconclusive before go. A run without gates passes them all."""
    if not valid:
        return Verdict.INVALID
    verdicts = {c.verdict for c in found}
    if CheckVerdict.FAIL in verdicts:
        return Verdict.NO_GO
    if CheckVerdict.INCONCLUSIVE in verdicts:
        return Verdict.INCONCLUSIVE
    return Verdict.GO


def conclude(
    figures: dict[str, Any], gates: Gates, more: Sequence[Check] = ()
) -> tuple[dict[str, Any], list[Check], Verdict]:
    """The figures with ``gates`` and ``verdict`` filled in, the checks, and the verdict.

    ``more`` are checks that weigh as gates do (regressions against a baseline).
    """
    found = [*checks(figures, gates), *more]
    verdict = decide(bool(figures["validity"]["valid"]), found)
    rows = [{**asdict(c), "verdict": c.verdict.value} for c in found]
    return {**figures, "gates": rows, "verdict": verdict.value}, found, verdict


def _reason(name: str, gate: Gate, limit: float, evidence: Evidence, found: CheckVerdict) -> str:
    side = "at most" if gate.upper else "at least"
    bound = evidence.low if (found == CheckVerdict.FAIL) == gate.upper else evidence.high
    if found == CheckVerdict.PASS:
        return f"with 95% confidence {side} {_show(name, bound)}, limit {_show(name, limit)}"
    if found == CheckVerdict.FAIL:
        opposite = "at least" if gate.upper else "at most"
        return f"with 95% confidence {opposite} {_show(name, bound)}, limit {_show(name, limit)}"
    return _unsettled(name, gate, limit, evidence)


def _unsettled(name: str, gate: Gate, limit: float, evidence: Evidence) -> str:
    if evidence.n == 0 and evidence.low is None and evidence.high is None:
        return "nothing was measured that could tell"
    more = evidence.more_needed(limit, gate.upper)
    if more is not None and not evidence.enough:
        return f"{counted(evidence.n, 'request')} cannot certify this percentile; {more:,} more would"
    if more is not None:
        return f"about {counted(more, 'more request')} would settle it, if the figure stays as it is"
    if evidence.value is not None:
        return f"the limit {_show(name, limit)} lies within the interval; a longer run would narrow it"
    return "too little was measured to tell"


def _show(name: str, x: float | None) -> str:
    if x is None:
        return "unknown"
    for ending, unit in _UNITS:
        if name.endswith(ending):
            return f"{x:,.6g} {unit}"
    return f"{x:.4g}" if name in _COUNTS else f"{100 * x:.4g}%"
