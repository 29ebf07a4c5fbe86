"""Requests per minute at quality, and what follows a burst."""

import pytest
from synthetic import Stretch, make_profile, synthetic_run

from mmload.model import NS_PER_S, PhasePlan
from mmload.summary import Ending, RunInfo, RunReader, figures
from mmload.summary.bursts import peak_backlog
from mmload.summary.levels import rpm_at_quality

GATES = {"quality_min": 0.85, "error_max": 0.02, "over_slo_max": 0.05}


def throughput(tmp_path, *stretches, gates=GATES, **more):
    run = synthetic_run(tmp_path, stretches, gates=gates, **more)
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    return figures(reader.summary, reader.plan, Ending(reader.end, reader.events, reader.last_ns))[
        "throughput"
    ]


def test_the_highest_level_that_holds_every_gate_wins(tmp_path):
    found = throughput(
        tmp_path,
        Stretch("low", 600, 40, quality=0.97),
        Stretch("mid", 1200, 40, quality=0.95),
        Stretch("high", 2400, 40, quality=0.6),
    )
    assert [level["verdict"] for level in found["levels"]] == ["pass", "pass", "fail"]
    at = found["rpm_at_quality"]
    assert at["value"] == at["low"] == pytest.approx(1200, rel=0.01)
    assert at["high"] == pytest.approx(2400, rel=0.01)
    assert at["limited_by"] == "quality_min"


def test_a_fast_wrong_answer_is_not_throughput(tmp_path):
    found = throughput(
        tmp_path, Stretch("low", 600, 40, quality=0.97), Stretch("high", 2400, 40, quality=0.5)
    )
    assert found["latency_only_rpm"] == pytest.approx(2400, rel=0.01)
    assert found["rpm_at_quality"]["value"] == pytest.approx(600, rel=0.01)


def test_a_level_does_not_count_if_a_lower_one_fails(tmp_path):
    found = throughput(
        tmp_path, Stretch("low", 600, 40, quality=0.5), Stretch("high", 1200, 40, quality=0.99)
    )
    assert found["rpm_at_quality"]["value"] is None
    assert found["rpm_at_quality"]["high"] == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"fail": 0.1}, "error_max"),
        ({"shed": 0.1}, "error_max"),
        ({"e2e_ms": 3900}, "over_slo_max"),
        ({"quality": 0.5}, "quality_min"),
    ],
)
def test_what_gave_way_first_is_named(tmp_path, change, gate):
    found = throughput(
        tmp_path, Stretch("a", 600, 40, quality=0.97), Stretch("b", 1200, 40, **({"quality": 0.97} | change))
    )
    assert found["rpm_at_quality"]["limited_by"] in (gate, "over_slo_max")
    by_name = {level["name"]: level for level in found["levels"]}
    assert by_name["a"]["verdict"] == "pass"
    assert by_name["b"]["verdict"] == "fail"


def test_without_a_failing_level_the_upper_end_is_open(tmp_path):
    found = throughput(tmp_path, Stretch("a", 900, 40, quality=0.97))
    at = found["rpm_at_quality"]
    assert (at["value"], at["high"], at["limited_by"]) == (pytest.approx(900, rel=0.01), None, None)


def test_too_few_answers_are_no_pass(tmp_path):
    found = throughput(tmp_path, Stretch("a", 60, 10, quality=1.0))
    assert found["rpm_at_quality"]["value"] is None
    assert found["levels"][0]["verdict"] == "inconclusive"


def test_without_a_quality_gate_there_is_no_number(tmp_path):
    found = throughput(tmp_path, Stretch("a", 900, 20), gates={"error_max": 0.1})
    assert found["rpm_at_quality"]["limited_by"] == "no quality gate is set"
    assert rpm_at_quality([], make_profile().gates)["value"] is None


def test_replicates_of_one_load_are_one_level(tmp_path):
    found = throughput(tmp_path, Stretch("a", 600, 20, quality=0.97, repeats=5))
    assert len(found["levels"]) == 1
    assert found["levels"][0]["replicates"] == 5
    assert found["levels"][0]["duration_s"] == 100


def test_warm_up_is_no_level(tmp_path):
    found = throughput(tmp_path, Stretch("w", 3000, 10, warmup=True), Stretch("a", 900, 20, quality=0.99))
    assert [level["name"] for level in found["levels"]] == ["a"]


def plan_of(phase, **fields):
    profile = make_profile((Stretch(phase["name"], 60, 60),), phase=[phase])
    end = round(profile.phase[0].duration_s * NS_PER_S)
    name, shape = phase["name"], phase["shape"]
    plan = PhasePlan(0, name, shape, True, False, 0, end, 0, 0, 10, 0, name)
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    from synthetic import make_items

    return RunInfo.from_header(header, make_items(3)), plan


def test_steps_are_levels_of_their_own():
    info, _ = plan_of({"name": "s", "shape": "steps", "duration_s": 60, "rpm": [60, 120, 180]})
    assert [(w.first, w.last) for level in info.levels() for w in level.windows] == [
        (0, 20),
        (20, 40),
        (40, 60),
    ]


def test_a_ramp_is_cut_into_equal_parts_of_ten_seconds_or_more():
    info, _ = plan_of({"name": "r", "shape": "ramp", "duration_s": 45, "from_rpm": 1, "to_rpm": 100})
    assert [level.name for level in info.levels()] == ["r: 1 of 4", "r: 2 of 4", "r: 3 of 4", "r: 4 of 4"]


def test_a_burst_phase_holds_a_base_and_a_burst_and_its_recovery_is_no_level():
    burst = {"name": "b", "shape": "burst", "duration_s": 60, "rpm": 60, "peak_rpm": 600, "burst_start_s": 15}
    info, plan = plan_of({**burst, "burst_s": 10})
    assert info.bursts(plan) == [(15.0, 25.0)]
    assert [(level.name, *level.windows[0][1:]) for level in info.levels()] == [
        ("b: base", 0, 15),
        ("b: burst", 15, 25),
    ]
    again, plan = plan_of({**burst, "burst_s": 5, "burst_every_s": 20})
    assert again.bursts(plan) == [(15.0, 20.0), (35.0, 40.0), (55.0, 60.0)]


def burst_run(tmp_path, slow_until_s, duration=60):
    """A burst from 20 s to 30 s, after which answers stay beyond their objective until ``slow_until_s``."""
    stretch = Stretch("b", 600, duration, shape="burst", e2e_ms=500)
    run = synthetic_run(tmp_path, (stretch,), gates=GATES)
    from mmload.summary import Summary

    info = RunInfo.from_header(run.header, run.items)
    summary = Summary()
    slowed = [
        r._replace(end_ns=r.due_ns + 5 * NS_PER_S) if 20 <= r.due_ns / NS_PER_S < slow_until_s else r
        for r in run.records
    ]
    summary.add_records(slowed, info)
    return summary, info


@pytest.mark.parametrize(("slow_until_s", "expected"), [(25, 0.0), (34, 4.0), (39, 9.0)])
def test_recovery_is_the_time_until_the_objective_holds_again(tmp_path, slow_until_s, expected):
    summary, info = burst_run(tmp_path, slow_until_s)
    found = figures(summary, info, Ending({"reason": "done"}))
    assert found["phases"][0]["recovery_s"] == pytest.approx(expected, abs=1.0)
    assert found["evidence"]["recovery_s_max"]["value"] == found["phases"][0]["recovery_s"]


def test_a_burst_that_is_never_recovered_from_has_no_recovery_time_and_fails_its_gate(tmp_path):
    from mmload.model import CheckVerdict
    from mmload.summary.evidence import from_dict

    summary, info = burst_run(tmp_path, 60)
    found = figures(summary, info, Ending({"reason": "done"}))
    assert found["phases"][0]["recovery_s"] is None
    evidence = from_dict(found["evidence"]["recovery_s_max"])
    assert evidence.against(20.0, upper=True) == CheckVerdict.FAIL
    assert evidence.against(100.0, upper=True) == CheckVerdict.INCONCLUSIVE


def test_peak_backlog_is_the_most_that_was_due_and_not_answered(tmp_path):
    summary, info = burst_run(tmp_path, 34)
    exact = 0
    stretch = synthetic_run(tmp_path / "again", (Stretch("b", 600, 60, shape="burst", e2e_ms=500),)).records
    slowed = [
        (r.due_ns, r.due_ns + 5 * NS_PER_S if 20 <= r.due_ns / NS_PER_S < 34 else r.end_ns) for r in stretch
    ]
    for t in range(1, 61):
        now = t * NS_PER_S
        exact = max(exact, sum(due < now <= end for due, end in slowed))
    assert abs(peak_backlog(summary, 0, 60) - exact) <= 1
    assert figures(summary, info, Ending({"reason": "done"}))["phases"][0]["peak_backlog"] == peak_backlog(
        summary, 0, 60
    )
