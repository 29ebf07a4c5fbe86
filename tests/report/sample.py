"""A run that never was, in full: figures and series as the contract has them, from one seed.

A warm-up, a sustained phase in two replicates and a burst that overwhelms the target for 20 s: every
plot has something to show. Not aware of how figures are computed from records.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mmload.model import NS_PER_S, PhasePlan
from mmload.profile import Profile

PHASES = [
    ("warm-up", "warm-up", True, 0, 20),
    ("base-1", "base", False, 20, 60),
    ("base-2", "base", False, 60, 100),
    ("burst", "burst", False, 100, 180),
]
STAGES = {
    "preprocess": 14.0,
    "retrieval": 22.0,
    "policy": 0.6,
    "queue": 210.0,
    "model": 640.0,
    "validate": 0.3,
}
SERVER = {
    "sources": [{"url": "http://127.0.0.1:8000/metrics", "kind": "vllm", "scrapes": 180, "failed": 0}],
    "running": {"mean": 1.4, "max": 4.0},
    "waiting": {"mean": 6.1, "max": 60.0},
    "cache_use_ratio": {"mean": 0.38, "max": 0.9},
    "cache_hit_ratio": {"mean": 0.31, "max": 0.31},
    "gpu_use_ratio": {"mean": None, "max": None},
    "preempted": 2.0,
    "e2e_ms": {
        "n": 1180,
        "mean": 640.0,
        "p50": {"low": 500.0, "high": 800.0},
        "p95": {"low": 1000.0, "high": 1500.0},
        "p99": {"low": 2500.0, "high": None},
    },
    "ttft_ms": None,
    "queued_ms": None,
    "compared": [
        {
            "figure": "answers",
            "client": 1180,
            "server": 1180,
            "agrees": True,
            "reading": "as many as arrived here",
        },
        {
            "figure": "e2e p95",
            "client": 2300.0,
            "server": {"low": 1000.0, "high": 1500.0},
            "agrees": False,
            "reading": "longer here: time passes before the server begins to count",
        },
    ],
}


def profile(**gates: float) -> Profile:
    limits = gates or {
        "quality_min": 0.9,
        "e2e_p95_ms": 2500,
        "e2e_p99_ms": 4000,
        "error_max": 0.02,
        "critical_hallucination_max": 0.02,
        "per_good_query_usd_max": 0.02,
    }
    return Profile.model_validate(
        {
            "name": "burst",
            "seed": 7,
            "target": {"engine": "sim"},
            "phase": [
                {"name": "warm-up", "shape": "sustained", "duration_s": 20, "rpm": 240, "warmup": True},
                {"name": "base", "shape": "sustained", "duration_s": 40, "rpm": 300, "repeats": 2},
                {
                    "name": "burst",
                    "shape": "burst",
                    "duration_s": 80,
                    "rpm": 300,
                    "peak_rpm": 1200,
                    "burst_start_s": 25,
                    "burst_s": 20,
                },
            ],
            "slo": {"default": {"e2e_ms": 2500}},
            "cost": {
                "as_of": "2026-11-01",
                "source": "price list",
                "models": {"sim-large": {"input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10.0}},
            },
            "gates": limits,
        }
    )


def run_info(suite_dir: str = "") -> dict[str, Any]:
    plans = [
        PhasePlan(
            number,
            name,
            "burst" if group == "burst" else "sustained",
            True,
            warm,
            start * NS_PER_S,
            end * NS_PER_S,
            0,
            0,
            0,
            1 if name == "base-2" else 0,
            group,
        )
        for number, (name, group, warm, start, end) in enumerate(PHASES)
    ]
    return {
        "run_id": "r-7f3a",
        "phases": [list(plan) for plan in plans],
        "suite_dir": suite_dir,
        "workers": 2,
        "target": "sim",
        "started_at": "2026-11-25T12:00:00+00:00",
    }


def figures_and_series(requests: int = 0, seed: int = 7) -> tuple[dict[str, Any], dict[str, Any]]:
    """``requests`` above 0 asks for a longer run of about that many."""
    rng = np.random.default_rng(seed)
    length = 180 if not requests else max(180, requests // 9)
    t = np.arange(length)
    in_burst = (t % 180 >= 125) & (t % 180 < 145)
    planned = np.where(t < 20, 240.0, np.where(in_burst, 1200.0, 300.0))
    arrived = rng.poisson(planned / 60)
    pressure = np.convolve(in_burst.astype(float), np.exp(-np.arange(40) / 9), "full")[:length]
    pressure = pressure / max(pressure.max(), 1)
    latency = [
        np.sort(620 * (1 + 4.2 * p) * rng.lognormal(0, 0.34, max(n, 1)))
        for p, n in zip(pressure, arrived, strict=True)
    ]
    shed = np.where(pressure > 0.55, rng.binomial(arrived, 0.16), 0)
    failed = np.where(pressure > 0.4, rng.binomial(arrived, 0.02), 0)
    ok = np.maximum(arrived - shed - failed, 0)
    passing = 0.972 - 0.3 * pressure
    passed = rng.binomial(ok, passing)
    names = [next((n for n, _, _, a, b in PHASES if a <= s % 180 < b), "burst") for s in t]
    seconds = {
        "t_s": t.tolist(),
        "phase": names,
        "planned_rpm": planned.tolist(),
        "sent_rpm": (arrived * 60.0).tolist(),
        "ok_rpm": (ok * 60.0).tolist(),
        "failed_rpm": (failed * 60.0).tolist(),
        "shed_rpm": (shed * 60.0).tolist(),
        "in_flight": np.rint(planned / 60 * (0.62 * (1 + 4.2 * pressure))).astype(int).tolist(),
        "e2e_p50_ms": [float(np.median(v)) for v in latency],
        "e2e_p95_ms": [float(np.quantile(v, 0.95)) for v in latency],
        "e2e_p99_ms": [None] * length,
        "e2e_max_ms": [float(v[-1]) for v in latency],
        "quality": [float(a / b) if b else None for a, b in zip(passed, ok, strict=True)],
        "quality_n": ok.tolist(),
        "send_lag_max_ms": (0.2 + rng.gamma(1.2, 0.22, length)).tolist(),
        "generator_cpu_ratio": np.clip(
            0.12 + planned / 6000 + rng.normal(0, 0.015, length), 0.02, 1
        ).tolist(),
    }
    everything = np.sort(np.concatenate(latency))
    series = {
        "seconds": seconds,
        "bin_s": 1,
        "spectrum": {
            "e2e": _spectrum(everything),
            "service": _spectrum(everything * (1 - 0.3 * (everything > 1500))),
        },
        "spectrum_by_phase": {
            name: {"e2e": _spectrum(np.sort(np.concatenate(latency[start:end])))}
            for name, _, _, start, end in PHASES
        },
        "server": {
            "t_s": (t + 0.5).tolist(),
            "running": [4.0 if s else 1.0 for s in in_burst],
            "waiting": np.rint(60 * pressure).tolist(),
            "cache_use_ratio": (0.3 + 0.6 * pressure).tolist(),
            "cache_hit_ratio": [None, *[0.31] * (length - 1)],
            "gpu_use_ratio": [None] * length,
        },
        "heat": _heat(latency),
        "slices": _slices(rng),
        "worst": worst(),
        "error_examples": [
            {"kind": "http_429", "count": int(shed.sum()), "example": "status 429, Retry-After: 2"},
            {"kind": "first_byte_timeout", "count": int(failed.sum()), "example": "no byte within 60 s"},
        ],
    }
    return _figures(everything, arrived, ok, failed, shed, passed, t, pressure), series


def _spectrum(values: np.ndarray) -> list[list[float]]:
    points, step = [[0.0, float(values[0]), 1]], 0.5
    tail = 1.0
    while tail * len(values) > 0.5:
        q = 1 - tail
        at = min(int(np.ceil(q * len(values))), len(values) - 1)
        points.append([100 * q, float(values[at]), at + 1])
        tail *= step**0.2
    return [*points, [100.0, float(values[-1]), len(values)]]


def _heat(latency: list[np.ndarray]) -> dict[str, Any]:
    edges = np.geomspace(100, 20000, 41)
    step = max(1, len(latency) // 120)
    starts = range(0, len(latency), step)
    counts = [np.histogram(np.concatenate(latency[a : a + step]), edges)[0].tolist() for a in starts]
    return {"t_s": list(starts), "edges_ms": edges.tolist(), "counts": counts}


def _slices(rng: np.random.Generator) -> list[dict[str, Any]]:
    cuts = {
        "task": ["extract", "ui", "chart"],
        "image_size": ["xs", "s", "m", "l", "xl"],
        "prompt_size": ["64", "256", "1024", "4096", "8000"],
        "variant": ["clean", "jpeg@3"],
    }
    found = []
    for by, values in cuts.items():
        for index, value in enumerate(values):
            share, n = 0.96 - 0.022 * index - float(rng.uniform(0, 0.01)), int(rng.integers(80, 420))
            half = 1.96 * (share * (1 - share) / n) ** 0.5
            found.append(
                {
                    "by": by,
                    "value": value,
                    "n": n,
                    "n_scored": n - 4,
                    "quality": share,
                    "low": share - half,
                    "high": min(1.0, share + half),
                    "e2e_p95_ms": 1500 + 260 * index if n > 130 else None,
                    "error_ratio": 0.01 * index,
                    "delta": None,
                    "p_adjusted": None,
                }
            )
    return found


def worst() -> list[dict[str, Any]]:
    cases = []
    for index in range(8):
        failed = index in (2, 5)
        cases.append(
            {
                "seq": 900 + 37 * index,
                "lists": ["error:first_byte_timeout", "slow"] if failed else ["poor", "slow", "critical"],
                "phase": "burst",
                "task": ["extract", "ui", "chart"][index % 3],
                "image": f"images/{index:05d}.png",
                "prompt": "Read the total of this invoice. Answer as JSON by the schema.",
                "answer": ""
                if failed
                else '{"status":"answered","answer":{"total":"1,204.50"},"evidence":[],"confidence":0.93}',
                "expected": '{"total": "1,264.50"}',
                "score": None if failed else 0.1 * index,
                "passed": None if failed else False,
                "reason": "" if failed else "total: 1,204.50 is not 1,264.50",
                "e2e_ms": 7100.0 - 430 * index,
                "error": "first_byte_timeout" if failed else "",
            }
        )
    return cases


def draw_images(suite: Path) -> None:
    (suite / "images").mkdir(parents=True, exist_ok=True)
    for index in range(8):
        image = Image.new("RGB", (640, 420), "white")
        pen = ImageDraw.Draw(image)
        for row in range(9):
            pen.rectangle(
                (40, 40 + row * 40, 200 + 37 * ((row * 7 + index) % 9), 56 + row * 40), fill=(60, 70, 90)
            )
        image.save(suite / "images" / f"{index:05d}.png")


def _percentiles(values: np.ndarray) -> dict[str, Any]:
    need = {"p50": 1, "p90": 64, "p95": 130, "p99": 662, "p999": 6636}
    share = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
    found: dict[str, Any] = {"n": len(values), "mean": float(values.mean()), "max": float(values.max())}
    found |= {p: float(np.quantile(values, q)) if len(values) >= need[p] else None for p, q in share.items()}
    return found | {"uncertified": [p for p in need if found[p] is None]}


def _latency(values: np.ndarray) -> dict[str, Any]:
    ttft = values[::2] * 0.31
    return {
        "e2e": _percentiles(values),
        "service": _percentiles(values * (1 - 0.3 * (values > 1500))),
        "ttft": _percentiles(ttft),
        "inter_token": {
            "n": 0,
            "mean": None,
            "p50": None,
            "p90": None,
            "p95": None,
            "p99": None,
            "p999": None,
            "max": None,
            "uncertified": [],
        },
    }


def _quality(score: float, n: int) -> dict[str, Any]:
    half = 1.96 * (score * (1 - score) / max(n, 1)) ** 0.5
    task = {
        "score": score,
        "low": score - half * 1.7,
        "high": min(1.0, score + half * 1.7),
        "n_scored": n // 3,
    }
    return {
        "score": score,
        "low": score - half,
        "high": min(1.0, score + half),
        "n_scored": n,
        "n_eligible": n + 3,
        "by_task": dict.fromkeys(("extract", "ui", "chart"), task),
        "by_slice": {},
        "hallucination": {
            "object": 0.008,
            "attribute": 0.021,
            "relation": None,
            "action": 0.013,
            "code": None,
            "critical": 0.016,
            "critical_low": 0.01,
            "critical_high": 0.026,
            "n": n,
        },
        "abstention": {
            "overreach": 0.08,
            "overreach_low": 0.05,
            "overreach_high": 0.13,
            "false_abstention": 0.01,
        },
        "schema_valid_ratio": 0.995,
        "safety": {"violations": 0, "cross_talk": 0},
        "baseline_delta": {"value": None, "low": None, "high": None},
    }


def _cost(n: int, good: int) -> dict[str, Any]:
    parts = {
        "model": 0.0031 * n,
        "retries": 0.00001 * n,
        "validators": 0.0002 * n,
        "tools": 0.0004 * n,
        "fallback": 0.0007 * n,
        "review": 0.0058 * n,
        "infrastructure": 0.0009 * n,
    }
    total = math.fsum(parts.values())
    return {
        "total_usd": total,
        "per_query_usd": total / max(n, 1),
        "per_good_query_usd": total / good if good else None,
        "by_component": parts,
        "by_feature": {"extract": total * 0.4, "ui": total * 0.3, "chart": total * 0.3},
        "price_snapshot": {"source": "price list", "as_of": "2026-11-01", "models": {}},
    }


def _figures(
    everything: np.ndarray,
    arrived: np.ndarray,
    ok: np.ndarray,
    failed: np.ndarray,
    shed: np.ndarray,
    passed: np.ndarray,
    t: np.ndarray,
    pressure: np.ndarray,
) -> dict[str, Any]:
    length, planned = len(t), int(arrived.sum())

    def counts(mask: np.ndarray) -> dict[str, Any]:
        return {
            "planned": int(arrived[mask].sum()),
            "sent": int(arrived[mask].sum()),
            "completed": int((ok + shed)[mask].sum()),
            "ok": int(ok[mask].sum()),
            "failed": int(failed[mask].sum()),
            "shed": int(shed[mask].sum()),
            "not_sent": 0,
            "errors": {"http_429": int(shed[mask].sum()), "first_byte_timeout": int(failed[mask].sum())},
        }

    phases = []
    for name, group, warm, start, end in PHASES:
        mask = (t % 180 >= start) & (t % 180 < end)
        part, minutes = counts(mask), (end - start) / 60 * (length / 180)
        good = int(passed[mask].sum())
        values = everything[:: max(1, len(everything) // max(part["ok"], 2))] * (
            1.25 if group == "burst" else 0.8
        )
        phases.append(
            {
                "name": name,
                "group": group,
                "replicate": int(name == "base-2"),
                "shape": group,
                "open_loop": True,
                "warmup": warm,
                "start_s": float(start),
                "duration_s": float(end - start),
                "counts": part,
                "latency_ms": _latency(values),
                "quality": _quality(good / max(part["ok"], 1), part["ok"]),
                "throughput": {
                    "offered_rpm": part["planned"] / minutes,
                    "achieved_rpm": part["ok"] / minutes,
                    "slo_rpm": part["ok"] / minutes * 0.93,
                    "good_rpm": good / minutes * 0.93,
                },
                "cost": _cost(part["planned"], good),
                "recovery_s": 14.0 if group == "burst" else None,
                "peak_backlog": 41 if group == "burst" else None,
            }
        )
    minutes = length / 60
    score = float(passed.sum() / ok.sum())
    return {
        "schema_version": "1.0.0",
        "run": {
            "id": "r-7f3a",
            "profile": "burst",
            "target": "sim",
            "seed": 7,
            "started_at": "2026-11-25T12:00:00+00:00",
            "duration_s": float(length),
            "workers": 2,
            "workload_fingerprint": "5a" * 32,
            "matrix_version": "1.0.0",
            "end_reason": "done",
            "mmload_version": "0.1.0",
        },
        "validity": {
            "valid": True,
            "reasons": [],
            "warnings": [],
            "send_lag_ms": {"p50": 0.11, "p99": 0.7, "max": 1.4},
            "generator_cpu_ratio": 0.32,
            "loop_lag_max_ms": 0.8,
            "open_fds_max": 140,
            "clamped": 0,
            "offered_rpm": planned / minutes,
            "sent_rpm": planned / minutes,
            "timestamp_source": "kernel",
        },
        "counts": counts(np.ones(length, bool)),
        "latency_ms": _latency(everything),
        "throughput": {
            "offered_rpm": planned / minutes,
            "achieved_rpm": ok.sum() / minutes,
            "slo_rpm": ok.sum() / minutes * 0.93,
            "good_rpm": passed.sum() / minutes * 0.93,
            "over_slo_ratio": 0.07,
            "rpm_at_quality": {"value": 300.0, "low": 288.0, "high": 311.0, "limited_by": "quality_min"},
            "levels": [
                {
                    "name": "base",
                    "rpm": 300.0,
                    "achieved_rpm": 298.0,
                    "verdict": "pass",
                    "limited_by": None,
                    "replicates": 2,
                    "quality": 0.968,
                    "quality_low": 0.94,
                    "quality_high": 0.985,
                    "e2e_p95_ms": 1207.2,
                    "error_ratio": 0.0,
                    "over_slo_ratio": 0.0,
                },
                {
                    "name": "burst",
                    "rpm": 525.0,
                    "achieved_rpm": 471.0,
                    "verdict": "fail",
                    "limited_by": "quality_min",
                    "replicates": 1,
                    "quality": 0.84,
                    "quality_low": 0.8,
                    "quality_high": 0.87,
                    "e2e_p95_ms": 3961.9,
                    "error_ratio": 0.08,
                    "over_slo_ratio": 0.17,
                },
            ],
        },
        "quality": _quality(score, int(ok.sum())),
        "cost": _cost(planned, int(passed.sum())),
        "stages": {
            name: {"n": int(ok.sum()), "p50": v, "p95": v * 2.4, "p99": v * 4.1, "share": v / 887}
            for name, v in STAGES.items()
        },
        "server": SERVER,
        "phases": phases,
        "gates": [
            {
                "name": "quality_min",
                "dimension": "accuracy",
                "limit": 0.9,
                "value": score,
                "low": score - 0.017,
                "high": score + 0.016,
                "verdict": "inconclusive",
                "reason": "about 640 more answers would settle it",
            },
            {
                "name": "e2e_p95_ms",
                "dimension": "latency",
                "limit": 2500.0,
                "value": 2911.0,
                "low": 2680.0,
                "high": 3105.0,
                "verdict": "fail",
                "reason": "",
            },
            {
                "name": "e2e_p99_ms",
                "dimension": "latency",
                "limit": 4000.0,
                "value": 3820.0,
                "low": 3510.0,
                "high": 4480.0,
                "verdict": "inconclusive",
                "reason": "1,410 more requests would settle it",
            },
            {
                "name": "error_max",
                "dimension": "throughput",
                "limit": 0.02,
                "value": 0.061,
                "low": 0.049,
                "high": 0.075,
                "verdict": "fail",
                "reason": "mostly http_429 during the burst",
            },
            {
                "name": "critical_hallucination_max",
                "dimension": "hallucination",
                "limit": 0.03,
                "value": 0.016,
                "low": 0.01,
                "high": 0.026,
                "verdict": "pass",
                "reason": "",
            },
            {
                "name": "per_good_query_usd_max",
                "dimension": "cost",
                "limit": 0.02,
                "value": 0.0119,
                "low": None,
                "high": None,
                "verdict": "pass",
                "reason": "",
            },
        ],
        "verdict": "no-go",
    }
