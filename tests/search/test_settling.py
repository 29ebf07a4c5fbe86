"""A step may be ended early because it has failed for certain, and seldom else."""

from __future__ import annotations

import numpy as np
import pytest

from mmload.intervals import against_mean
from mmload.profile import Gates
from mmload.search.settling import Settling

ALPHA = 0.025


def ever(rng: np.random.Generator, mean: float, limit: float, upper: bool, blocks: int, each: int) -> bool:
    """Whether a look after any block would have settled it; blocks of ``each`` answers vary beyond chance."""
    a = mean * 8
    chance = rng.beta(a, 8 - a, blocks)
    values = rng.binomial(each, chance) / each
    return any(against_mean(values[:k], limit, upper, ALPHA) >= 1 / ALPHA for k in range(4, blocks + 1))


@pytest.mark.parametrize(("limit", "upper"), [(0.90, False), (0.80, False), (0.05, True), (0.02, True)])
def test_a_level_at_its_limit_is_seldom_given_up_however_often_one_looks(limit: float, upper: bool) -> None:
    rng = np.random.default_rng(1)
    wrong = sum(ever(rng, limit, limit, upper, 60, 20) for _ in range(400))
    assert wrong / 400 <= ALPHA + 0.02


@pytest.mark.parametrize(
    ("mean", "limit", "upper"), [(0.70, 0.90, False), (0.30, 0.05, True), (0.6, 0.8, False)]
)
def test_a_level_far_beyond_its_limit_is_given_up_within_its_time(
    mean: float, limit: float, upper: bool
) -> None:
    rng = np.random.default_rng(2)
    assert sum(ever(rng, mean, limit, upper, 45, 20) for _ in range(100)) >= 90


def test_there_is_nothing_to_win_against_a_limit_that_cannot_be_missed() -> None:
    assert against_mean([0.0, 0.2, 0.9], 1.0, True) == 1.0
    assert against_mean([1.0, 0.2, 0.9], 0.0, False) == 1.0
    assert against_mean([], 0.5, True) == 1.0


def test_the_gate_that_settled_it_is_named() -> None:
    watch = Settling(Gates(quality_min=0.9, error_max=0.02))
    calm = {
        "quality_min": [1.0] * 9,
        "schema_valid_min": [0.0] * 9,
        "error_max": [0.0] * 9,
        "over_slo_max": [1.0] * 9,
    }
    assert watch.look(calm) is None and watch.gate is None
    assert "0.02" in (watch.look(calm | {"error_max": [0.5] * 9}) or "")
    assert watch.gate == "error_max"
    few = {name: means[:3] for name, means in (calm | {"error_max": [0.5] * 9}).items()}
    assert Settling(Gates(error_max=0.02)).look(few) is None
