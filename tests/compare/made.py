"""Candidates made without a run: outcomes drawn from item difficulty and the state of the moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from synthetic import make_profile

from mmload.compare.runs import Candidate, Rows
from mmload.model import NS_PER_S

TASKS = np.array(["extract", "ui", "chart"])


def rows(
    seed: int,
    n: int = 360,
    items: int = 60,
    quality: float = 0.9,
    slow_ms: float = 800.0,
    usd: float = 0.004,
    fail: float = 0.01,
    episodes: float = 0.25,
) -> Rows:
    """``n`` requests in 60 s. In episodes of 4 s the pipeline is worse by 0.3; hard items fail more often."""
    fixed = np.random.default_rng(99)
    hard = fixed.normal(0, 0.08, items)
    item = np.concatenate([fixed.permutation(items) for _ in range(-(-n // items))])[:n]
    due = np.sort(fixed.integers(0, 60 * NS_PER_S, n))
    rng = np.random.default_rng(seed)
    bad = (rng.random(15) < episodes)[due // (4 * NS_PER_S)]
    ok = rng.random(n) >= fail
    passed = (rng.random(n) < np.clip(quality - hard[item] - 0.3 * bad, 0, 1)) & ok
    e2e = slow_ms * np.exp(rng.normal(0, 0.3, n)) * np.where(bad, 1.3, 1.0)
    return Rows(
        seq=np.arange(n),
        phase=np.zeros(n, np.int64),
        item=item,
        due_ns=due,
        task=TASKS[item % 3],
        ok=ok,
        sent=np.ones(n, bool),
        judged=np.ones(n, bool),
        passed=passed,
        wrong=ok & ~passed,
        in_time=ok & (e2e < 4000),
        pi=np.ones(n),
        e2e_ms=np.where(ok, e2e, np.nan),
        cost_usd=np.where(ok, usd * np.exp(rng.normal(0, 0.1, n)), 0.0),
    )


def candidate(name: str, found: Rows, **run: Any) -> Candidate:
    figures = {
        "cost": {"by_component": {"infrastructure": 0.02}, "price_snapshot": {"models": {}, "as_of": ""}},
        "counts": {"sent": len(found.seq)},
        "run": {"workload_fingerprint": "5" * 64, "matrix_version": "1.1.0"} | run,
    }
    return Candidate(name, Path(name), figures, {}, make_profile(), found)
