"""Sessions of several turns: how far they came, and every figure by turn.

Not aware of gates. Only measured phases count; a session belongs to the phase in which it began.
"""

from __future__ import annotations

from typing import Any, Final

from mmload.histogram import Ints
from mmload.model import ErrorKind
from mmload.price import usd
from mmload.summary.measures import COST_COLUMNS, M
from mmload.summary.run_info import RunInfo
from mmload.summary.slices import weighted_wilson
from mmload.summary.turns import METRICS, TurnSums
from mmload.summary.view import percentiles, ratio, rounded

_NEVER_SENT: Final = (ErrorKind.SESSION_ENDED, ErrorKind.SESSION_CUT)


def session_figures(
    turns: TurnSums, errors: dict[str, int], info: RunInfo, design_effect: float
) -> dict[str, Any] | None:
    """``sessions`` of ``summary.json``; None where requests stand alone. ``errors`` of measured phases."""
    if info.scripts is None:
        return None
    first = turns.table.get(0)
    planned = 0 if first is None else int(first[M.PLANNED])
    begun = 0 if first is None else planned - int(first[M.NOT_SENT])
    asked = info.profile.sessions
    return {
        "planned": planned,
        "begun": begun,
        "completed": turns.completed,
        "completed_ratio": ratio(turns.completed, planned),
        "turns_mean": rounded(info.scripts.mean),
        "think_time_s": asked.think_time_s,
        "think": asked.think,
        "after_failure": asked.after_failure,
        "turns_not_sent": {kind.value: errors.get(kind, 0) for kind in _NEVER_SENT},
        "by_turn": [
            _turn(turns, number, row, design_effect)
            for number, row in zip(*turns.table.arrays(), strict=True)
            if row[M.PLANNED]
        ],
    }


def _turn(turns: TurnSums, number: int, row: Ints, design_effect: float) -> dict[str, Any]:
    sent = int(row[M.PLANNED] - row[M.NOT_SENT])
    share = weighted_wilson(int(row[M.W_PASS]), int(row[M.W]), int(row[M.W2]), design_effect)
    unpriced = row[M.UNPRICED_MODEL] + row[M.UNPRICED_RETRIES]
    cost = int(row[list(COST_COLUMNS)].sum())
    return {
        "turn": int(number) + 1,
        "planned": int(row[M.PLANNED]),
        "sent": sent,
        "ok": int(row[M.OK]),
        "failed": int(row[M.FAILED]),
        "shed": int(row[M.SHED]),
        "not_sent": int(row[M.NOT_SENT]),
        **{f"{metric}_ms": percentiles(turns.histogram(metric, int(number))) for metric in METRICS},
        "over_slo_ratio": ratio(sent - int(row[M.WITHIN_SLO]), sent),
        "score": rounded(share.value) if share else None,
        "low": rounded(share.low) if share else None,
        "high": rounded(share.high) if share else None,
        "n_scored": int(row[M.N_SCORED]),
        "tokens_in_mean": rounded(row[M.TOKENS_IN_OK] / row[M.OK]) if row[M.OK] else None,
        "cached_ratio": ratio(int(row[M.TOKENS_CACHED]), int(row[M.TOKENS_IN])),
        "per_query_usd": None if unpriced or not sent else round((usd(cost) or 0.0) / sent, 8),
    }
