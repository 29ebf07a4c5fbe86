"""Figures of an earlier run kept in the repository, and whether a later one is worse.

A baseline is a small JSON file: the evidence behind every gate, with its interval. A figure has regressed
if the intervals lie apart on the worse side: even the hopeful bound of now is worse than the cautious bound
of then. Two one-sided 95% bounds that lie apart are a difference at about 99% where both are as certain.
What is not shown to be worse passes; absolute limits are what gates are for. Not aware of reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mmload.model import Check, CheckVerdict, InputError
from mmload.summary.evidence import GATES, Evidence, Gate, from_dict

BASELINE_VERSION: Final = 1
FILE: Final = "baseline.json"
"""Name within a run folder: the baseline that the run was held against."""
SUFFIX: Final = "_regression"
"""A check of this name without the suffix is the gate that it belongs to."""


class Baseline(NamedTuple):
    fingerprint: str
    run_id: str
    started_at: str
    evidence: Mapping[str, Evidence]


def made_from(figures: Mapping[str, Any]) -> str:
    """The text of a baseline file. ``figures``: ``summary.json`` of a valid run."""
    run = figures["run"]
    kept = {name: e for name, e in figures["evidence"].items() if e["value"] is not None}
    about = ("profile", "target", "workload_fingerprint", "matrix_version", "mmload_version", "started_at")
    document = {
        "baseline_version": BASELINE_VERSION,
        "run_id": run["id"],
        **{key: run.get(key) for key in about},
        "evidence": kept,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> Baseline:
    """Raises ``InputError`` for a file that is not there or is no baseline."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as e:
        raise InputError(
            f"{path}: the baseline cannot be read ({e.strerror}); make one with --save-baseline"
        ) from None
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: no JSON ({e})") from None
    version = found.get("baseline_version") if isinstance(found, dict) else None
    if version != BASELINE_VERSION:
        raise InputError(
            f"{path}: baseline_version is {version!r}, allowed is {BASELINE_VERSION}; "
            "make it anew with --save-baseline"
        )
    try:
        evidence = {str(name): from_dict(e) for name, e in found["evidence"].items()}
        return Baseline(
            str(found["workload_fingerprint"]), str(found["run_id"]), str(found.get("started_at")), evidence
        )
    except (KeyError, TypeError, AttributeError) as e:
        raise InputError(f"{path}: no baseline of mmload ({type(e).__name__}: {e})") from None


def same_work(baseline: Baseline, fingerprint: str, path: Path) -> None:
    """Raises ``InputError`` if the baseline was made with another workload."""
    if baseline.fingerprint != fingerprint:
        raise InputError(
            f"{path}: the baseline was made with another workload ({baseline.fingerprint[:12]}, now "
            f"{fingerprint[:12]}): profile, seed or suite have changed; make it anew with --save-baseline"
        )


def regressions(figures: Mapping[str, Any], baseline: Baseline, gated: Mapping[str, Any]) -> list[Check]:
    """One check per gate that the profile sets and the baseline knows, in the order of ``GATES``.

    ``gated``: limits by gate name, null where none is set.
    """
    now = {name: from_dict(e) for name, e in figures["evidence"].items()}
    return [
        _check(name, gate, now.get(name), baseline.evidence[name])
        for name, gate in GATES.items()
        if gated.get(name) is not None and name in baseline.evidence
    ]


def _check(name: str, gate: Gate, now: Evidence | None, then: Evidence) -> Check:
    limit = then.high if gate.upper else then.low
    limit = then.value if limit is None else limit
    assert limit is not None  # a baseline keeps no figure without a value
    found = CheckVerdict.INCONCLUSIVE
    hopeful = None if now is None else (now.low if gate.upper else now.high)
    if now is not None and now.value is not None:
        hopeful = now.value if hopeful is None else hopeful
        worse = hopeful > limit if gate.upper else hopeful < limit
        found = CheckVerdict.FAIL if worse else CheckVerdict.PASS
    return Check(
        name=name + SUFFIX,
        dimension=gate.dimension,
        limit=limit,
        value=None if now is None else now.value,
        low=None if now is None else now.low,
        high=None if now is None else now.high,
        verdict=found,
        reason=_reason(found, gate, then),
    )


def _reason(found: CheckVerdict, gate: Gate, then: Evidence) -> str:
    was = f"{then.value:.6g}"
    if then.low is not None and then.high is not None and then.low != then.high:
        was += f" ({then.low:.6g} to {then.high:.6g})"
    if found == CheckVerdict.INCONCLUSIVE:
        return f"the baseline had {was}; this run measured nothing that could tell"
    if found == CheckVerdict.PASS:
        return f"not shown to be worse than the baseline's {was}"
    side = "above" if gate.upper else "below"
    return f"the whole interval lies {side} the baseline's {was}"
