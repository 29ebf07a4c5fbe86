"""The universal scalability law beside the measured points, and a fleet for a peak: projections, both.

Pure. Not aware of how the points were measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from mmload.model import counted


def fit(points: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """Gunther's law, X(N) = a N / (1 + s (N - 1) + k N (N - 1)), through (requests in flight, rate answered).

    N/X is linear in (1, N - 1, N (N - 1)), so that least squares find 1/a, s/a and k/a; none may be negative,
    so the best fit among those that leave none negative is taken (N. J. Gunther, Guerrilla Capacity Planning,
    2007, chapter 5). ``peak_rpm`` is where the curve turns, null if it does not. None from fewer than three
    points.
    """
    usable = [(n, x) for n, x in points if n > 0 and x > 0]
    if len({n for n, _ in usable}) < 3:
        return None
    n, x = np.array(usable).T
    # Weights of 1/(N/X): relative errors, as a rate is known to a share of itself.
    columns = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1) * (x / n)[:, None]
    best: tuple[float, list[float]] | None = None
    for chosen in chain.from_iterable(combinations((1, 2), k) for k in range(3)):
        names = [0, *chosen]
        found, *_ = np.linalg.lstsq(columns[:, names], np.ones_like(n), rcond=None)
        if (found < 0).any() or found[0] <= 0:
            continue
        error = float(((columns[:, names] @ found - 1) ** 2).mean())
        if best is None or error < best[0] - 1e-15:
            full = [0.0, 0.0, 0.0]
            for name, value in zip(names, found.tolist(), strict=True):
                full[name] = value
            best = error, full
    if best is None:
        return None
    base, sigma, kappa = best[1][0], best[1][1] / best[1][0], best[1][2] / best[1][0]
    at = math.sqrt((1 - sigma) / kappa) if kappa > 0 and sigma < 1 else None
    return {
        "rpm_of_one": round(1 / base, 3),
        "contention": round(sigma, 6),
        "coherency": round(kappa, 8),
        "peak_in_flight": None if at is None else round(at, 2),
        "peak_rpm": None if at is None else round(_law(at, 1 / base, sigma, kappa), 1),
        "relative_error": round(math.sqrt(best[0]), 4),
        "points": len(usable),
        "curve": [
            [round(float(v), 3), round(_law(float(v), 1 / base, sigma, kappa), 2)]
            for v in np.linspace(float(n.min()), float(n.max()), 40)
        ],
    }


def _law(n: float, one: float, sigma: float, kappa: float) -> float:
    return one * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def fleet(
    rpm: float, replicas: int, usd_per_hour: float | None, peaks: Sequence[float], headroom: float
) -> list[dict[str, Any]]:
    """Replicas and dollars an hour for each peak, if ``replicas`` answer ``rpm`` at quality and each further
    one adds as much. ``usd_per_hour`` is the price of one."""
    found: list[dict[str, Any]] = []
    for peak in peaks:
        count = math.ceil(peak * headroom * replicas / rpm - 1e-9)
        found.append(
            {
                "peak_rpm": peak,
                "replicas": count,
                "rpm": round(count * rpm / replicas, 1),
                "usd_per_hour": None if usd_per_hour is None else round(count * usd_per_hour, 4),
            }
        )
    return found


def fleet_assumptions(replicas: int, headroom: float, usd_per_hour: float | None) -> list[str]:
    """What must be so for the projection to come true."""
    price = "their price is unknown" if usd_per_hour is None else f"one costs ${usd_per_hour:.2f} an hour"
    return [
        f"The fleet is a projection from {counted(replicas, 'measured replica')}, not a "
        f"measurement; {price}, and a fleet answers {headroom:g} times its peak.",
        "It assumes that requests are spread evenly and that nothing is shared (database, quota, network) "
        "which all replicas would wait for.",
    ]


def knee(levels: Sequence[Mapping[str, Any]], loss: float) -> float | None:
    """Lowest rate whose quality is with 95% confidence more than ``loss`` below its unloaded level.

    Against the baseline phase on the same items where there is one, else against the lower bound at the
    lowest rate that was tried.
    """
    rising = sorted((lv for lv in levels if lv["valid"]), key=lambda lv: float(lv["rpm"]))
    base = next((lv["quality_low"] for lv in rising if lv["quality_low"] is not None), None)
    for level in rising:
        if level["quality_loss"] is not None:
            if level["quality_loss_low"] is not None and level["quality_loss_low"] > loss:
                return float(level["rpm"])
        elif base is not None and level["quality_high"] is not None and level["quality_high"] < base - loss:
            return float(level["rpm"])
    return None
