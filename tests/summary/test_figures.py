"""Figures of runs with known latencies, errors, scores and prices."""

import json

import numpy as np
import pytest
from synthetic import DEFAULT_STRETCHES, LOG_SIGMA, Stretch, gaps_of, synthetic_run

from mmload import verdict
from mmload.model import Outcome
from mmload.summary import (
    Ending,
    RunReader,
    Summary,
    answers_of,
    figures,
    intervals_for_log,
    scores_of,
    series,
    worst_seqs,
)
from mmload.summary.server_timing import timings

PERCENTILES = {"n", "mean", "p50", "p90", "p95", "p99", "p999", "max", "uncertified"}


def read(run):
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    return reader


def figures_of(run, live=False):
    reader = read(run)
    ending = Ending(reader.end, reader.events, reader.last_ns, reader.damaged, live=live)
    return figures(reader.summary, reader.plan, ending)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return synthetic_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def found(run):
    return figures_of(run)


def measured(run):
    warm = {p[0] for p in run.header["phases"] if p[4]}
    return [r for r in run.records if r.phase not in warm]


def test_every_key_of_the_contract_is_there(found):
    assert set(found) >= {
        "schema_version", "run", "validity", "counts", "latency_ms", "throughput", "quality", "cost",
        "stages", "phases", "gates", "verdict",
    }  # fmt: skip
    assert set(found["run"]) >= {
        "id", "profile", "target", "seed", "started_at", "duration_s", "workers", "workload_fingerprint",
        "matrix_version",
    }  # fmt: skip
    assert set(found["validity"]) >= {
        "valid", "reasons", "send_lag_ms", "generator_cpu_ratio", "offered_rpm", "sent_rpm",
        "timestamp_source",
    }  # fmt: skip
    assert set(found["validity"]["send_lag_ms"]) == {"p50", "p99", "max"}
    counts = {"planned", "sent", "completed", "ok", "failed", "shed", "not_sent", "errors"}
    assert set(found["counts"]) >= counts
    assert set(found["latency_ms"]) == {"e2e", "service", "ttft", "inter_token"}
    assert all(set(metric) >= PERCENTILES for metric in found["latency_ms"].values())
    assert set(found["throughput"]) >= {"achieved_rpm", "slo_rpm", "good_rpm", "rpm_at_quality"}
    assert set(found["throughput"]["rpm_at_quality"]) == {"value", "low", "high", "limited_by"}
    assert set(found["quality"]) >= {
        "score", "low", "high", "n_scored", "n_eligible", "by_task", "by_slice", "hallucination",
        "abstention", "schema_valid_ratio", "safety", "baseline_delta",
    }  # fmt: skip
    assert set(found["quality"]["hallucination"]) >= {
        "object", "attribute", "relation", "action", "code", "critical",
    }  # fmt: skip
    assert set(found["cost"]) >= {
        "total_usd", "per_query_usd", "per_good_query_usd", "by_component", "by_feature", "price_snapshot",
    }  # fmt: skip
    components = {"model", "retries", "validators", "tools", "fallback", "review", "infrastructure"}
    assert set(found["cost"]["by_component"]) == components
    assert all(set(stage) == {"n", "p50", "p95", "p99", "share"} for stage in found["stages"].values())
    phase = {
        "name",
        "shape",
        "counts",
        "latency_ms",
        "throughput",
        "quality",
        "cost",
        "recovery_s",
        "peak_backlog",
    }
    assert all(set(entry) >= phase for entry in found["phases"])
    json.dumps(found, allow_nan=False)


def test_every_planned_request_ends_as_exactly_one_thing(run, found):
    for counts in (found["counts"], *(p["counts"] for p in found["phases"])):
        assert counts["planned"] == counts["ok"] + counts["failed"] + counts["shed"] + counts["not_sent"]
        assert counts["sent"] == counts["planned"] - counts["not_sent"]
        assert sum(counts["errors"].values()) == counts["planned"] - counts["ok"]
    assert found["counts"]["planned"] == len(measured(run))
    assert sum(p["counts"]["planned"] for p in found["phases"]) == len(run.records)


def test_warm_up_is_listed_but_not_counted(run, found):
    assert [p["name"] for p in found["phases"]] == ["warm", "base-1", "base-2", "burst"]
    assert [p["warmup"] for p in found["phases"]] == [True, False, False, False]
    without = sum(p["counts"]["ok"] for p in found["phases"] if not p["warmup"])
    assert found["counts"]["ok"] == without < sum(p["counts"]["ok"] for p in found["phases"])


def test_latency_runs_from_due_and_service_from_sent(run, found):
    timed = [r for r in measured(run) if r.outcome == "ok" or r.error == "first_byte_timeout"]
    e2e = np.array([(r.end_ns - r.due_ns) / 1e6 for r in timed])
    service = np.array([(r.end_ns - r.sent_ns) / 1e6 for r in timed])
    for name, values in (("e2e", e2e), ("service", service)):
        metric = found["latency_ms"][name]
        assert metric["n"] == len(values)
        assert metric["mean"] == pytest.approx(values.mean(), abs=0.001)
        assert metric["max"] == pytest.approx(values.max(), abs=0.001)
        for p in (50, 90, 95):
            expected = np.percentile(values, p, method="inverted_cdf")
            assert metric[f"p{p}"] == pytest.approx(expected, rel=1e-3)


def test_a_stall_shows_in_e2e_and_not_in_service(tmp_path):
    late = synthetic_run(tmp_path, (Stretch("a", 600, 30, lag_us=500_000),))
    latency = figures_of(late)["latency_ms"]
    planted = 800 * np.exp(LOG_SIGMA**2 / 2)
    assert latency["service"]["mean"] == pytest.approx(planted, rel=0.06)
    assert latency["e2e"]["mean"] - latency["service"]["mean"] == pytest.approx(500, rel=0.2)


def test_time_to_first_token_runs_from_due_over_streamed_answers(run, found):
    streamed = [r for r in measured(run) if r.first_token_ns is not None or never_began(run, r)]
    values = [((r.first_token_ns or r.end_ns) - r.due_ns) / 1e6 for r in streamed]
    assert found["latency_ms"]["ttft"]["n"] == len(streamed)
    assert found["latency_ms"]["ttft"]["mean"] == pytest.approx(np.mean(values), abs=0.001)
    assert found["latency_ms"]["ttft"]["censored"] == sum(never_began(run, r) for r in streamed) > 0


def never_began(run, r):
    return r.error == "first_byte_timeout" and run.items[r.item].streaming


def test_streams_that_never_begin_do_not_make_the_first_token_look_early(tmp_path):
    clean = figures_of(synthetic_run(tmp_path / "a", (Stretch("a", 1200, 60),)))
    hanging = figures_of(synthetic_run(tmp_path / "b", (Stretch("a", 1200, 60, timeout=0.1),)))
    assert hanging["latency_ms"]["ttft"]["p95"] > 59_000 > clean["latency_ms"]["ttft"]["p95"]


def test_gaps_between_tokens_are_all_recorded(run, found):
    gaps = [g / 1000 for r in measured(run) if r.outcome == "ok" for g in gaps_of(r)]
    assert found["latency_ms"]["inter_token"]["n"] == len(gaps)
    assert found["latency_ms"]["inter_token"]["mean"] == pytest.approx(np.mean(gaps), abs=0.001)


def test_a_percentile_that_the_sample_cannot_certify_is_null_and_named(found):
    e2e = found["latency_ms"]["e2e"]
    assert e2e["p999"] is None
    assert e2e["uncertified"] == ["p999"]
    assert e2e["p99"] is not None
    short = next(p for p in found["phases"] if p["name"] == "base-1")["latency_ms"]["e2e"]
    assert short["uncertified"] == ["p99", "p999"]


def test_timeouts_do_not_make_the_tail_look_better(tmp_path):
    clean = figures_of(synthetic_run(tmp_path / "a", (Stretch("a", 1200, 60),)))
    hanging = figures_of(synthetic_run(tmp_path / "b", (Stretch("a", 1200, 60, timeout=0.03),)))
    assert hanging["latency_ms"]["e2e"]["censored"] == hanging["counts"]["errors"]["first_byte_timeout"]
    assert hanging["latency_ms"]["e2e"]["p99"] > 59_000 > clean["latency_ms"]["e2e"]["p99"]


def test_who_gave_up_before_anything_left_is_censored_in_e2e_alone(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 600, 20, timeout=0.1),))
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    summary = Summary()
    summary.add_records(
        [
            r._replace(error="connect_timeout", sent_ns=None) if r.error and r.seq % 2 else r
            for r in run.records
        ],
        reader.plan,
    )
    found = figures(summary, reader.plan)["latency_ms"]
    gave_up = [r for r in run.records if r.error]
    assert found["e2e"]["censored"] == len(gave_up) > found["service"]["censored"] > 0
    for name in ("e2e", "service"):
        assert found[name]["n"] - found[name]["censored"] == len(run.records) - len(gave_up)


def test_refused_and_failed_requests_miss_their_objective(run, found):
    lost = [r for r in measured(run) if r.outcome in ("failed", "shed")]
    late = [r for r in measured(run) if r.outcome == "ok" and r.end_ns - r.due_ns > 4_000_000_000]
    expected = (len(lost) + len(late)) / len(measured(run))
    assert found["throughput"]["over_slo_ratio"] == pytest.approx(expected, abs=1e-6)


def test_fast_refusals_do_not_enter_the_latencies(tmp_path):
    shedding = synthetic_run(tmp_path, (Stretch("a", 1200, 30, shed=0.5),))
    assert figures_of(shedding)["latency_ms"]["e2e"]["p50"] == pytest.approx(800, rel=0.05)


def test_rates_are_per_minute_of_the_measured_phases(run, found):
    minutes = 120 / 60
    ok = sum(r.outcome == "ok" for r in measured(run))
    assert found["throughput"]["achieved_rpm"] == pytest.approx(ok / minutes, abs=0.01)
    assert found["validity"]["offered_rpm"] == pytest.approx(len(measured(run)) / minutes, abs=0.01)


def test_good_throughput_is_what_is_both_fast_and_right(run, found):
    passed = {s.seq for s in run.scores if s.passed}
    good = [r for r in measured(run) if r.seq in passed and r.end_ns - r.due_ns <= 4_000_000_000]
    assert found["throughput"]["good_rpm"] == pytest.approx(len(good) / 2, abs=0.01)


def test_quality_weighs_tasks_as_declared(run, found):
    inside = {r.seq for r in measured(run)}
    by_task = {
        t: [s.passed for s in run.scores if s.task == t and s.seq in inside] for t in run.profile.mix.tasks
    }
    expected = sum(w * np.mean(by_task[t]) for t, w in run.profile.mix.tasks.items())
    assert found["quality"]["score"] == pytest.approx(expected, abs=1e-6)
    assert found["quality"]["low"] < expected < found["quality"]["high"]
    assert found["quality"]["n_scored"] == sum(map(len, by_task.values()))
    for task, passes in by_task.items():
        assert found["quality"]["by_task"][task]["score"] == pytest.approx(np.mean(passes), abs=1e-6)


def test_quality_of_what_was_sent_counts_failures_as_misses(found):
    assert found["quality"]["unconditional"] < found["quality"]["score"]


def test_sampled_answers_stand_for_those_that_were_not(tmp_path):
    stretches = (Stretch("a", 3000, 60, quality=0.95, pi=1.0), Stretch("b", 3000, 60, quality=0.55, pi=0.2))
    half = figures_of(synthetic_run(tmp_path, stretches))["quality"]
    assert half["score"] == pytest.approx(0.75, abs=0.03)
    assert half["n_scored"] < 0.7 * half["n_eligible"]


def test_a_phase_that_was_not_scored_has_no_quality(tmp_path):
    quiet = figures_of(synthetic_run(tmp_path, (Stretch("a", 600, 10, pi=0.001),)))
    scored = quiet["quality"]["n_scored"]
    assert scored < 3
    if scored == 0:
        assert quiet["quality"]["score"] is None
        assert quiet["throughput"]["good_rpm"] is None
        assert quiet["cost"]["per_good_query_usd"] is None


def test_critical_hallucinations_are_counted_by_answer(run, found):
    inside = {r.seq for r in measured(run)}
    critical = [s for s in run.scores if s.critical and s.seq in inside]
    assert found["quality"]["hallucination"]["critical"] == pytest.approx(
        len(critical) / found["quality"]["n_scored"], abs=1e-6
    )
    assert found["quality"]["hallucination"]["code"] is None


def test_answers_to_what_cannot_be_told_are_overreach(run, found):
    inside = {r.seq for r in measured(run)}
    blind = [s for s in run.scores if not s.answerable and s.seq in inside]
    over = sum(s.status == "answered" for s in blind) / len(blind)
    abstention = found["quality"]["abstention"]
    assert abstention["overreach"] == pytest.approx(over, abs=1e-6)
    assert abstention["n_unanswerable"] == len(blind)
    assert abstention["overreach_low"] < over < abstention["overreach_high"]


def test_the_bill_adds_up_by_component_and_by_feature(found):
    cost = found["cost"]
    micro = round(cost["total_usd"] * 1e6)
    assert sum(round(v * 1e6) for v in cost["by_component"].values()) == micro
    assert sum(round(v * 1e6) for v in cost["by_feature"].values()) == micro
    assert cost["by_component"]["infrastructure"] == pytest.approx(1.2 * 120 / 3600, abs=1e-6)
    assert cost["per_query_usd"] == pytest.approx(cost["total_usd"] / found["counts"]["sent"], rel=1e-4)
    good = found["throughput"]["good_rpm"] * 2
    assert cost["per_good_query_usd"] == pytest.approx(cost["total_usd"] / good, rel=1e-3)
    assert cost["per_good_query_usd"] > cost["per_query_usd"]


def test_failed_requests_are_charged_and_shown_apart(found):
    assert found["cost"]["by_component"]["fallback"] == pytest.approx(
        0.01 * (found["counts"]["failed"] + found["counts"]["shed"])
    )
    assert found["cost"]["failed_usd"] > 0


def test_an_unknown_price_makes_the_cost_unknown(tmp_path):
    unpriced = figures_of(synthetic_run(tmp_path, (Stretch("a", 600, 20),), cost={"validator_usd": 0.001}))
    assert unpriced["cost"]["total_usd"] is None
    assert unpriced["cost"]["by_component"]["model"] is None
    assert unpriced["cost"]["by_component"]["validators"] > 0
    assert unpriced["cost"]["per_good_query_usd"] is None
    assert any("no price for sim-large" in w for w in unpriced["validity"]["warnings"])


def test_stages_come_from_the_header_with_their_share(found):
    stages = found["stages"]
    assert set(stages) == {"preprocess", "queue", "model", "validate"}
    assert stages["preprocess"]["p50"] == pytest.approx(12.0, rel=0.001)
    assert stages["model"]["share"] == pytest.approx(0.5, abs=0.01)
    assert stages["queue"]["share"] == pytest.approx(0.25, abs=0.01)


def test_a_stage_tells_no_percentile_that_its_answers_cannot_certify(tmp_path):
    stages = figures_of(synthetic_run(tmp_path, (Stretch("a", 600, 20),)))["stages"]
    assert {(s["n"], s["p50"] is None, s["p95"] is None, s["p99"]) for s in stages.values()} == {
        (200, False, False, None)
    }


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a;dur=1.5, b;dur=2", {"a": 1.5, "b": 2.0}),
        ("a;dur=1.5,b;dur=0", {"a": 1.5, "b": 0.0}),
        ('cache;desc="hit, or miss";dur=23.2, db;dur=53', {"cache": 23.2, "db": 53.0}),
        ("missedCache", {}),
        ("a, 3;dur=1", {"3": 1.0}),
        ("a;dur=nan, b;dur=4", {"b": 4.0}),
        ("a;dur=x", {}),
        ("total ; dur=12", {"total": 12.0}),
        (";dur=", {}),
        (",,,", {}),
    ],
)
def test_server_timing_is_read_in_all_its_forms(header, expected):
    names, durations = timings(header)
    assert dict(zip(names, durations, strict=True)) == expected


def test_the_clock_is_named(tmp_path, found):
    assert found["validity"]["timestamp_source"] == "kernel"


def test_series_have_one_value_per_second_and_add_up(run):
    reader = read(run)
    curves = series(reader.summary, reader.plan, answers_of(run.dir, worst_seqs(reader.summary)))
    seconds = curves["seconds"]
    lengths = {len(v) for v in seconds.values()}
    assert len(lengths) == 1
    records = run.records
    assert sum(seconds["sent_rpm"]) / 60 == pytest.approx(sum(r.sent_ns is not None for r in records))
    assert sum(seconds["ok_rpm"]) / 60 == pytest.approx(sum(r.outcome == "ok" for r in records))
    assert sum(seconds["quality_n"]) == len(run.scores)
    assert seconds["in_flight"][-1] == 0
    first_ok = [r for r in records if r.outcome == "ok" and r.due_ns < 10**9]
    exact = max((r.end_ns - r.due_ns) / 1e6 for r in first_ok)
    assert seconds["e2e_max_ms"][0] == pytest.approx(exact, rel=1e-3)
    total = sum(sum(row) for row in curves["heat"]["counts"])
    assert total == sum(r.outcome == "ok" or r.error == "first_byte_timeout" for r in records)
    assert len(curves["heat"]["edges_ms"]) == len(curves["heat"]["counts"][0]) + 1
    json.dumps(curves, allow_nan=False)


def cases(run):
    reader = read(run)
    shown = worst_seqs(reader.summary)
    return series(reader.summary, reader.plan, answers_of(run.dir, shown), scores_of(run.dir, shown))["worst"]


def test_poor_answers_come_with_text_score_and_reason(run):
    poor = [w for w in cases(run) if "poor" in w["lists"]]
    assert len(poor) == 20
    failed = {s.seq for s in run.scores if not s.passed}
    assert {w["seq"] for w in poor} <= failed
    assert all(w["answer"] and w["reason"] and w["expected"] and w["passed"] is False for w in poor)
    lowest = sorted(s.value for s in run.scores if not s.passed)[19]
    assert all(w["score"] <= lowest for w in poor)


def test_the_slowest_and_each_error_kind_are_kept_whatever_their_score(run):
    found = cases(run)
    assert len({w["seq"] for w in found}) == len(found)
    measured = {p.number for p in read(run).plan.measured}
    mine = [r for r in run.records if r.phase in measured]
    timed = sorted(
        ((r.end_ns - r.due_ns) / 1e6 for r in mine if r.outcome == "ok" or r.error == "first_byte_timeout"),
        reverse=True,
    )
    errors = {r.seq: r.error for r in mine}
    assert all(w["error"] == errors[w["seq"]] for w in found)
    slow = [w["e2e_ms"] for w in found if "slow" in w["lists"]]
    assert sorted(slow, reverse=True) == pytest.approx(timed[:8], rel=1e-3)
    for outcome, prefix in (("failed", "error:"), ("shed", "shed:")):
        kinds = {r.error for r in mine if r.outcome == outcome}
        assert kinds
        for kind in kinds:
            shown = {w["seq"] for w in found if prefix + kind in w["lists"]}
            assert shown == set(sorted(r.seq for r in mine if r.outcome == outcome and r.error == kind)[:4])
            assert all(w["error"] == kind for w in found if w["seq"] in shown)


def test_the_interval_log_holds_every_latency(run):
    reader = read(run)
    by_metric = {}
    for interval in intervals_for_log(reader.summary, reader.plan):
        metric = interval.tag.rsplit(".", 1)[1]
        by_metric[metric] = by_metric.get(metric, 0) + interval.histogram.n
    timed = sum(r.outcome == "ok" or r.error == "first_byte_timeout" for r in run.records)
    assert by_metric["e2e"] == by_metric["service"] == timed
    assert by_metric["ttft"] == sum(r.first_token_ns is not None or never_began(run, r) for r in run.records)


def test_a_record_that_arrives_twice_counts_once(run, tmp_path):
    from mmload import journal

    twice = synthetic_run(tmp_path / "x")
    writer = journal.Writer(twice.dir / "journal/run.mmj")
    writer.append(journal.RECORDS, twice.records[:50])
    writer.close()
    reader = read(twice)
    assert reader.summary.tallies["duplicate_records"] == 50
    again = figures_of(twice)
    assert again["counts"] == figures_of(run)["counts"]
    assert any("arrived twice" in w for w in again["validity"]["warnings"])


def test_a_closed_loop_plans_what_it_sent(tmp_path):
    closed = synthetic_run(tmp_path, (Stretch("a", 600, 20, open_loop=False, users=8),))
    counts = figures_of(closed)["counts"]
    assert counts["planned"] == counts["ok"] == len(closed.records)


def test_a_run_that_is_going_on_misses_nothing(tmp_path):
    going = synthetic_run(tmp_path, end_reason=None)
    live = figures_of(going, live=True)
    assert live["validity"]["valid"]
    assert live["counts"]["not_sent"] == 0


def test_identical_sums_give_identical_figures(run, found):
    assert json.dumps(figures_of(run), sort_keys=True) == json.dumps(found, sort_keys=True)


def test_the_verdict_goes_into_the_figures(run, found):
    done, checks, decided = verdict.conclude(found, run.profile.gates)
    assert done["verdict"] == decided.value
    assert [g["name"] for g in done["gates"]] == [c.name for c in checks]
    assert {g["verdict"] for g in done["gates"]} <= {"pass", "fail", "inconclusive"}
    assert found["verdict"] is None


def test_outcomes_of_the_default_run_are_all_there(run):
    assert {r.outcome for r in run.records} == {Outcome.OK, Outcome.FAILED, Outcome.SHED}
    assert len(DEFAULT_STRETCHES) == 3
