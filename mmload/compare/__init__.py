"""Candidates side by side on the same work: gates first, then a ranking, and differences request by request.

Reads finished run folders; how they came about is not its business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mmload import verdict
from mmload.compare.fallbacks import DoingWithout, triage_gain
from mmload.compare.pairing import Difference, described, differences
from mmload.compare.ranking import Ranked, pareto_front, rank
from mmload.compare.runs import Candidate, read_candidate
from mmload.model import CheckVerdict, InputError, Verdict
from mmload.profile import Gates
from mmload.scorecard import TRIAGE_GAIN, Matrix, matrix, scorecard
from mmload.summary import Evidence

__all__ = ["SCHEMA_VERSION", "Candidate", "comparable", "compare", "exit_code", "read_candidate"]

SCHEMA_VERSION: Final = "1.0.0"
_NONE_SURVIVES, _UNSETTLED = 3, 4
_OPEN: Final = CheckVerdict.INCONCLUSIVE.value


def comparable(candidates: Sequence[Candidate]) -> None:
    """Raises ``InputError`` unless all did the same work by the same rules."""
    first = candidates[0]
    for other in candidates[1:]:
        mine, theirs = _work(first), _work(other)
        if not mine & theirs:
            raise InputError(
                f"{other.folder}: another workload than {first.folder} "
                f"({_short(other)}, there {_short(first)}): profile, seed or suite differ, so that "
                "differences would be of the work and not of the candidates. Run both with the same profile "
                "and seed; only [target], [cost] and [gates] may differ"
            )
        a, b = (str(c.figures["run"].get("matrix_version") or "0") for c in (first, other))
        if a.split(".")[0] != b.split(".")[0]:
            raise InputError(
                f"{other.folder}: scored by matrix {b}, {first.folder} by {a}: measures of different major "
                f"versions do not compare; `mmload rescore` replays the stored answers under this version's"
            )


def _work(c: Candidate) -> set[str]:
    run = c.figures["run"]
    return {str(run[key]) for key in ("content_fingerprint", "workload_fingerprint") if run.get(key)}


def _short(c: Candidate) -> str:
    run = c.figures["run"]
    return str(run.get("content_fingerprint") or run.get("workload_fingerprint"))[:12]


def compare(
    candidates: Sequence[Candidate],
    baseline: str | None = None,
    gates_of_matrix: bool = False,
    without: DoingWithout | None = None,
) -> dict[str, Any]:
    """``compare.json`` but ``fallbacks``. All are held against the gates of the baseline's profile (default:
    the first's).

    ``gates_of_matrix``: every limit of the scorecard is a gate too. ``without``: what one would do instead;
    whoever does not beat the usual answer and rules on triage fails, whatever the gates. Raises
    ``InputError`` for candidates that do not compare, or share a name.
    """
    by = matrix()
    base = _named(candidates, baseline)
    comparable(candidates)
    gains = {c.name: triage_gain(c, without) if without else None for c in candidates}
    judged = {c.name: _judge(c, base.profile.gates, by, gates_of_matrix, gains[c.name]) for c in candidates}
    survivors = [n for n, j in judged.items() if j["verdict"] == Verdict.GO.value]
    ranked = rank({n: judged[n]["scorecard"]["rank_figures"] for n in survivors}, by)
    others = [c for c in candidates if c is not base]
    apart = {c.name: _prices_differ(base, c) for c in others}
    weights = _task_weights(base)
    found: dict[str, list[Difference]] = {
        c.name: differences(base, c, weights, costs=not apart[c.name]) for c in others
    }
    rows = [_row(c, judged[c.name], ranked) for c in candidates]
    front = pareto_front([r for r in rows if r["rank"] is not None])
    for row in rows:
        row["pareto"] = row["name"] in front
    return {
        "schema_version": SCHEMA_VERSION,
        "baseline": base.name,
        "refused": "",
        "matrix": by.identity,
        "matrix_version": by.version,
        "matrix_id": by.id,
        "workload_fingerprint": base.figures["run"].get("workload_fingerprint"),
        "content_fingerprint": base.figures["run"].get("content_fingerprint"),
        "candidates": rows,
        "gates": _gates(judged),
        "scorecards": _scorecards(judged),
        "differences": described(found, by),
        "weights": {d.name: d.weight for d in by.dimension},
        "dimensions_left_out": list(ranked.left_out) if survivors else [],
        "notes": [
            *_notes(candidates, base, apart, ranked, bool(survivors)),
            *(
                f"{name}: too few triage items to say whether it beats the usual answer and rules there."
                for name, j in judged.items()
                if j["triage_open"] and not gates_of_matrix
            ),
        ],
    }


def _named(candidates: Sequence[Candidate], baseline: str | None) -> Candidate:
    names = [c.name for c in candidates]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f'two candidates are called "{twice}": name one with NAME=RUN')
    if len(candidates) < 2:
        raise InputError("a comparison takes two candidates or more")
    if baseline is None:
        return candidates[0]
    if baseline not in names:
        raise InputError(f"--baseline {baseline}: there is no such candidate; there are {', '.join(names)}")
    return candidates[names.index(baseline)]


def _judge(
    c: Candidate, gates: Gates, by: Matrix, gates_of_matrix: bool, gain: Evidence | None
) -> dict[str, Any]:
    checks = verdict.checks(dict(c.figures), gates)
    decided = verdict.decide(bool(c.figures["validity"]["valid"]), checks)
    held = c.profile.model_copy(update={"gates": gates})
    card = scorecard(c.figures, held, by, {TRIAGE_GAIN: gain} if gain else None)
    rows = {k.name: {"limit": k.limit, "value": k.value, "verdict": k.verdict.value} for k in checks}
    measured = [row for d in card["dimensions"] for row in d["criteria"] if row["verdict"] is not None]
    # Too few triage items say nothing against a candidate, unless every limit of the matrix is asked for.
    more = [r for r in measured if gates_of_matrix or (r["name"] == TRIAGE_GAIN and r["verdict"] != _OPEN)]
    if more and decided != Verdict.INVALID:
        rows |= {r["name"]: {k: r[k] for k in ("limit", "value", "verdict")} for r in more}
        decided = _decide(r["verdict"] for r in rows.values())
    open_ = any(r["name"] == TRIAGE_GAIN and r["verdict"] == _OPEN for r in measured)
    return {"verdict": decided.value, "checks": rows, "scorecard": card, "triage_open": open_}


def _decide(verdicts: Any) -> Verdict:
    found = set(verdicts)
    if "fail" in found:
        return Verdict.NO_GO
    return Verdict.INCONCLUSIVE if "inconclusive" in found else Verdict.GO


def _task_weights(c: Candidate) -> Mapping[str, float]:
    declared = c.profile.quality.task_weights or c.header.get("task_weights") or c.profile.mix.tasks
    return {str(task): float(weight) for task, weight in declared.items()}


def _row(c: Candidate, judged: Mapping[str, Any], ranked: Ranked) -> dict[str, Any]:
    f = c.figures
    quality, e2e, counts = f["quality"], f["latency_ms"]["e2e"], f["counts"]
    place = ranked.order.index(c.name) + 1 if c.name in ranked.order else None
    by_verdict = {
        kind: [name for name, check in judged["checks"].items() if check["verdict"] == kind]
        for kind in ("fail", "inconclusive")
    }
    return {
        "name": c.name,
        "run": str(c.folder),
        "target": f["run"].get("target"),
        "model": c.profile.target.model,
        "verdict": judged["verdict"],
        "rank": place,
        "rank_score": ranked.score.get(c.name),
        "rank_stability": ranked.first_share.get(c.name),
        "utilities": ranked.utilities.get(c.name),
        "quality": quality.get("score"),
        "quality_low": quality.get("low"),
        "quality_high": quality.get("high"),
        "by_model": {m: v["share"] for m, v in (quality.get("by_model") or {}).items()},
        "e2e_p95_ms": e2e.get("p95"),
        "rpm_at_quality": f["throughput"]["rpm_at_quality"].get("value"),
        "good_rpm": f["throughput"].get("good_rpm"),
        "per_query_usd": f["cost"].get("per_query_usd"),
        "per_good_query_usd": f["cost"].get("per_good_query_usd"),
        "error_ratio": round((counts["failed"] + counts["shed"]) / counts["sent"], 6)
        if counts["sent"]
        else None,
        "failed_gates": by_verdict["fail"],
        "open_gates": by_verdict["inconclusive"],
    }


def _gates(judged: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for j in judged.values() for name in j["checks"]))
    rows = []
    for name in names:
        by = {c: j["checks"][name] for c, j in judged.items() if name in j["checks"]}
        limit = next(iter(by.values()))["limit"]
        rows.append(
            {
                "name": name,
                "limit": limit,
                "by_candidate": {c: {k: v[k] for k in ("value", "verdict")} for c, v in by.items()},
            }
        )
    return rows


def _scorecards(judged: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a dimension: verdict, and the figure that ranks it, by candidate."""
    out: dict[str, dict[str, Any]] = {}
    for name, j in judged.items():
        for d in j["scorecard"]["dimensions"]:
            row = out.setdefault(
                d["name"], {"dimension": d["name"], "weight": d["weight"], "by_candidate": {}}
            )
            row["by_candidate"][name] = d["verdict"]
    return list(out.values())


def _prices_differ(a: Candidate, b: Candidate) -> str:
    """Why costs of two runs may not be compared; empty if they may: each price that both used is the same."""
    mine, theirs = (c.figures["cost"]["price_snapshot"] for c in (a, b))
    for name in mine["models"].keys() & theirs["models"].keys():
        if mine["models"][name] != theirs["models"][name]:
            return f"the price of {name} differs"
    return "" if mine["as_of"] == theirs["as_of"] else "their prices are of different dates"


def _notes(
    candidates: Sequence[Candidate], base: Candidate, apart: Mapping[str, str], ranked: Ranked, survived: bool
) -> list[str]:
    notes = [
        f"{name}: costs are not compared with {base.name}: {why}. `mmload reprice` puts both under one book."
        for name, why in apart.items()
        if why
    ]
    gates = base.profile.gates.model_dump(exclude_none=True)
    if not gates:
        notes.append(f"The profile of {base.name} sets no gate: every valid run survives.")
    notes += [
        f"{c.name}: its own profile sets other gates; it is held against those of {base.name}."
        for c in candidates
        if c.profile.gates != base.profile.gates
    ]
    notes += [
        f"{c.name}: the run is invalid ({'; '.join(c.figures['validity']['reasons'][:2])})."
        for c in candidates
        if not c.figures["validity"]["valid"]
    ]
    if ranked.left_out and survived:
        notes.append(f"Not in the ranking, as not every survivor has a figure: {', '.join(ranked.left_out)}.")
    return notes


def exit_code(found: Mapping[str, Any]) -> int:
    """0 if someone survives; 4 if nobody does but for want of samples; else 3."""
    verdicts = [c["verdict"] for c in found["candidates"]]
    if Verdict.GO.value in verdicts:
        return 0
    return _UNSETTLED if Verdict.INCONCLUSIVE.value in verdicts else _NONE_SURVIVES
