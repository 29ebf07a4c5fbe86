"""What is said of a search: the number, what stands beside it, its verdict, and projections as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline import GATES, Bench, profile_of, settings

from mmload.model import Verdict
from mmload.profile import Profile, to_toml_dict
from mmload.report.pages import capacity_page
from mmload.report.terminal import capacity_conclusion
from mmload.search.answer import answer
from mmload.search.level import hysteresis, needed
from mmload.search.scalability import fit, fleet, knee
from mmload.search.steps import Kind, Step, Stop

ABOUT = {"target": "sim", "started_at": "2026-11-25T12:00:00Z", "quick": False, "interrupted": False}


def with_keys(profile: Profile, **more: object) -> Profile:
    return Profile.model_validate(to_toml_dict(profile) | more)


@pytest.fixture(scope="module")
def bench() -> Bench:
    made = Bench(4)
    made.search(settings())
    return made


def told(bench: Bench, profile: Profile | None = None, levels: int | None = None) -> dict[str, Any]:
    ended = Stop("found", complete=True) if levels is None else None
    return answer(profile or bench.profile, settings(), bench.levels[:levels], ended, ABOUT)


def test_the_answer_has_its_interval_and_latency_alone_beside_it(bench: Bench, tmp_path: Path) -> None:
    found = told(bench)
    at = found["rpm_at_quality"]
    assert at["low"] == at["value"] < at["high"] and at["limited_by"] == "quality_min"
    assert found["latency_only_rpm"] > 1.5 * at["value"]
    assert found["silent_degradation_ratio"] == round(found["latency_only_rpm"] / at["value"], 3)
    assert at["value"] < found["knee_rpm"] * 1.3
    assert found["verdict"] == "go"
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    text = capacity_conclusion(found, tmp_path, 80)
    assert text.startswith("GO: ") and "quality gives way first" in " ".join(text.split())
    assert "bought an interval as wide as" in " ".join(text.split())
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert "quality gives way first" in capacity_page(found)


def test_after_a_cut_what_was_seen_is_told_and_nothing_is_claimed(bench: Bench) -> None:
    found = told(bench, levels=3)
    assert found["rpm_at_quality"]["value"] is None and found["verdict"] == "inconclusive"
    assert found["headroom_ratio"] is None and found["fleet"] == [] and found["ended"] is None
    assert told(bench, levels=0)["spent"]["requests"] == 0


def test_a_gate_on_the_headroom_passes_fails_or_stays_open(bench: Bench) -> None:
    at = told(bench)["rpm_at_quality"]
    for peak, verdict in (
        (at["low"] * 0.9, Verdict.GO),
        (at["high"] * 1.1, Verdict.NO_GO),
        ((at["low"] + at["high"]) / 2, Verdict.INCONCLUSIVE),
    ):
        profile = with_keys(bench.profile, expected_peak_rpm=peak, capacity={"headroom_min": 1.0})
        found = told(bench, profile)
        assert found["verdict"] == verdict
        assert found["headroom_ratio"] == round(at["value"] / peak, 3)


def test_where_even_the_lowest_rate_fails_for_certain_it_is_no_go() -> None:
    bench = Bench(1, {**GATES, "quality_min": 0.9999})
    bench.search(settings(step_s=1500, max_requests=10**6, max_minutes=10**4))
    found = answer(bench.profile, settings(), bench.levels, Stop("no rate that was tried holds", True), ABOUT)
    assert found["rpm_at_quality"]["value"] is None and found["verdict"] == "no-go"


def test_where_latency_never_gave_way_its_rate_is_a_lower_bound(bench: Bench) -> None:
    slow = min(lv["rpm"] for lv in bench.levels if not lv["fast"])
    fast = [lv for lv in bench.levels if lv["rpm"] < slow]
    found = answer(bench.profile, settings(), fast, Stop("found", complete=True), ABOUT)
    assert found["latency_only"]["high"] is None
    assert "or more: latency gave way at no rate that was tried" in capacity_page(found)
    assert "or more: latency gave way" not in capacity_page(told(bench))


def test_a_baseline_that_disagrees_with_itself_is_told_of_the_search_too(bench: Bench) -> None:
    levels = [{**lv, "baseline_findings": ["the unloaded baseline is too noisy"]} for lv in bench.levels]
    found = answer(bench.profile, settings(), levels, Stop("found", complete=True), ABOUT)
    assert any("first in step 1: the unloaded baseline is too noisy." in note for note in found["notes"])
    assert not any("unloaded baseline" in note for note in told(bench)["notes"])


@pytest.mark.parametrize(
    ("up", "down", "said"),
    [
        (0.95, 0.94, "600 rpm holds coming down as going up"),
        (0.95, 0.80, "600 rpm holds going up and misses quality coming down"),
        (0.85, 0.93, "600 rpm holds coming down, and misses quality going up"),
        (0.85, 0.80, "600 rpm misses quality going up and quality coming down"),
    ],
)
def test_capacity_going_up_stands_against_capacity_coming_down(
    bench: Bench, up: float, down: float, said: str
) -> None:
    def stretch(quality: float) -> dict[str, float | None]:
        return {"quality": quality, "error_ratio": 0.0, "over_slo_ratio": 0.0, "e2e_p95_ms": None}

    burst = {"before": stretch(up), "during": stretch(0.5), "after": stretch(down)}
    phases = [{"warmup": False, "recovery_s": 0.0, "peak_backlog": 3, "burst": burst}]
    step = Step(Kind.DOWN, 600, 1, 15, over_rpm=1200)
    found = hysteresis({"phases": phases}, step, bench.profile.gates)
    assert (found["missed_up"] == [], found["missed_down"] == []) == (up > 0.9, down > 0.9)
    assert said in capacity_page({"hysteresis": found})


def test_a_generator_that_was_the_limit_makes_it_invalid(bench: Bench) -> None:
    levels = [{**lv, "valid": False, "reasons": ["the generator was busy"]} for lv in bench.levels[:2]]
    found = answer(bench.profile, settings(), levels, Stop("the generator was the limit", False), ABOUT)
    assert found["verdict"] == "invalid"


def test_the_scalability_law_finds_what_was_planted() -> None:
    def law(n: float) -> float:
        return 100 * n / (1 + 0.05 * (n - 1) + 0.002 * n * (n - 1))

    found = fit([(n, law(n)) for n in (1, 2, 4, 8, 16, 32)])
    assert found is not None
    assert found["contention"] == pytest.approx(0.05, rel=1e-3)
    assert found["coherency"] == pytest.approx(0.002, rel=1e-3)
    assert found["peak_in_flight"] == pytest.approx((0.95 / 0.002) ** 0.5, rel=1e-2)
    assert found["relative_error"] < 1e-6


def test_the_law_has_no_negative_parameters_and_needs_three_points() -> None:
    faster = fit([(1, 100), (2, 230), (4, 500), (8, 1100)])
    assert faster is not None and faster["contention"] >= 0 and faster["coherency"] >= 0
    assert faster["peak_rpm"] is None and faster["relative_error"] > 0.05
    assert fit([(1, 100), (2, 190)]) is None and fit([(1, 1), (1, 1), (0, 5), (1, 2)]) is None


def test_a_fleet_is_rounded_up_with_its_headroom() -> None:
    rows = fleet(150.0, 2, 3.0, [100.0, 1000.0], 1.5)
    assert [r["replicas"] for r in rows] == [2, 20]
    assert [r["usd_per_hour"] for r in rows] == [6.0, 60.0]
    assert all(r["rpm"] >= 1.5 * r["peak_rpm"] for r in rows)
    assert fleet(150.0, 1, None, [100.0], 1.0)[0]["usd_per_hour"] is None


def level(rpm: float, low: float, high: float, loss: tuple[float, float] | None = None) -> dict[str, Any]:
    return {
        "valid": True, "rpm": rpm, "quality_low": low, "quality_high": high,
        "quality_loss": loss and loss[0], "quality_loss_low": loss and loss[1],
    }  # fmt: skip


def test_the_knee_is_where_quality_has_left_its_unloaded_level_for_certain() -> None:
    plain = [level(60, 0.95, 0.99), level(120, 0.92, 0.97), level(240, 0.85, 0.91)]
    assert knee(plain, 0.02) == 240
    paired = [level(60, 0.95, 0.99, (0.0, -0.01)), level(120, 0.92, 0.97, (0.05, 0.03)), level(240, 0.5, 0.6)]
    assert knee(paired, 0.02) == 120
    assert knee([], 0.02) is None and knee(plain[:2], 0.02) is None


def test_gates_say_how_many_requests_they_need() -> None:
    assert needed(profile_of({"error_max": 0.02}).gates) == 149
    assert needed(profile_of({"over_slo_max": 0.05, "quality_min": 0.9}).gates) == 59
    assert needed(profile_of({"e2e_p99_ms": 100.0}).gates) == 662
