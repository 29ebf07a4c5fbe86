"""What a capacity search and a comparison might have found, for the pages that show them."""

from __future__ import annotations

from typing import Any

CURVE = [
    (60, 0.972, 1900, 0.0, 0.0124, "pass"),
    (120, 0.961, 2050, 0.0, 0.0121, "pass"),
    (180, 0.931, 2210, 0.001, 0.0108, "pass"),
    (240, 0.874, 2380, 0.002, 0.0083, "fail"),
    (210, 0.905, 2300, 0.001, 0.0094, "inconclusive"),
    (195, 0.921, 2260, 0.001, 0.0101, "pass"),
    (360, 0.759, 2950, 0.012, 0.0041, "fail"),
]


def capacity() -> dict[str, Any]:
    levels = [
        {
            "step": "climb" if index < 4 else "bisect" if index < 6 else "beyond",
            "rpm": float(rate),
            "achieved_rpm": rate * (1 - errors),
            "quality": quality,
            "quality_low": quality - 0.018,
            "quality_high": quality + 0.015,
            "e2e_p95_ms": float(p95),
            "error_ratio": errors,
            "per_good_query_usd": cost,
            "verdict": verdict,
            "limited_by": "quality_min" if verdict != "pass" else None,
            "in_flight": rate * p95 / 120_000,
        }
        for index, (rate, quality, p95, errors, cost, verdict) in enumerate(CURVE)
    ]
    return {
        "profile": "capacity",
        "target": "sim",
        "started_at": "2026-11-25T12:00:00Z",
        "rpm_at_quality": {"value": 195.0, "low": 187.0, "high": 206.0, "limited_by": "quality_min"},
        "latency_only_rpm": 356.0,
        "expected_peak_rpm": 150.0,
        "headroom_ratio": 1.3,
        "knee_rpm": 170.0,
        "limits": {"quality_min": 0.9, "e2e_p95_ms": 4000.0, "error_max": 0.01},
        "levels": levels,
        "spent": {"requests": 3120, "minutes": 9.4, "usd": 31.2},
        "budget": {"requests": 5000},
        "fleet": [{"peak_rpm": 600.0, "replicas": 4, "rpm": 780.0, "usd_per_hour": 9.6}],
        "scalability": {"curve": [[0.5, 50.0], [3.0, 240.0], [9.0, 410.0]]},
        "hysteresis": {
            "rpm": 195.0,
            "over_rpm": 360.0,
            "recovery_s": 14.0,
            "peak_backlog": 31,
            "before": _part(0.92, 2260.0),
            "during": _part(0.76, 2900.0),
            "after": _part(0.87, 2300.0),
            "quality_change": {"value": -0.05, "low": -0.09, "high": -0.01},
        },
        "verdict": "go",
        "notes": ["Levels above 360 rpm were not tried: the budget of minutes ended."],
    }


def _part(quality: float, p95: float) -> dict[str, Any]:
    return {
        "quality": quality,
        "quality_low": quality - 0.03,
        "quality_high": quality + 0.02,
        "e2e_p95_ms": p95,
        "error_ratio": 0.0,
        "over_slo_ratio": 0.01,
    }


def comparison() -> dict[str, Any]:
    def candidate(
        name: str, rank: int | None, quality: float, cost: float, rate: float, p95: float
    ) -> dict[str, Any]:
        return {
            "name": name,
            "run": f"reports/{name}",
            "verdict": "go" if rank else "no-go",
            "rank": rank,
            "rank_stability": 0.93 if rank == 1 else None,
            "quality": quality,
            "quality_low": quality - 0.02,
            "quality_high": quality + 0.018,
            "e2e_p95_ms": p95,
            "rpm_at_quality": rate if rank else None,
            "per_good_query_usd": cost,
            "error_ratio": 0.002,
            "failed_gates": [] if rank else ["quality_min"],
        }

    candidates = [
        candidate("large", 2, 0.955, 0.0124, 195, 2260),
        candidate("large-cached", 1, 0.953, 0.0083, 260, 1710),
        candidate("small", None, 0.871, 0.0031, 420, 980),
    ]
    return {
        "baseline": "large",
        "refused": "",
        "matrix_version": "1.0.0",
        "candidates": candidates,
        "gates": [
            {
                "name": "quality_min",
                "limit": 0.9,
                "by_candidate": {
                    c["name"]: {"value": c["quality"], "verdict": "pass" if c["rank"] else "fail"}
                    for c in candidates
                },
            },
            {
                "name": "e2e_p95_ms",
                "limit": 4000.0,
                "by_candidate": {"large": {"value": 2260.0, "verdict": "pass"}},
            },
        ],
        "differences": [
            {
                "candidate": "large-cached",
                "metric": "quality",
                "value": -0.002,
                "low": -0.011,
                "high": 0.007,
                "verdict": "no difference",
            },
            {
                "candidate": "small",
                "metric": "quality",
                "value": -0.084,
                "low": -0.103,
                "high": -0.065,
                "verdict": "worse",
            },
            {
                "candidate": "large-cached",
                "metric": "per_good_query_usd",
                "value": -0.0041,
                "low": -0.0044,
                "high": -0.0038,
                "verdict": "better",
            },
            {
                "candidate": "small",
                "metric": "per_good_query_usd",
                "value": -0.0093,
                "low": -0.0096,
                "high": -0.009,
                "verdict": "better",
            },
        ],
        "notes": [],
    }
