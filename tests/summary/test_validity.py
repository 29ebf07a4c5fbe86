"""When a run is invalid, and that each reason says what to do."""

import pytest
from synthetic import Stretch, synthetic_run

from mmload import journal
from mmload.model import Telemetry
from mmload.summary import Ending, RunReader, figures

STEADY = (Stretch("a", 900, 20),)


def figures_of(run, extra=(), events=()):
    writer = journal.Writer(run.dir / "journal/run.mmj")
    for kind, body in extra:
        writer.append(kind, body)
    for event in events:
        writer.append(journal.EVENT, event)
    writer.close()
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    return figures(
        reader.summary, reader.plan, Ending(reader.end, reader.events, reader.last_ns, reader.damaged)
    )


def reasons_of(run, **more):
    found = figures_of(run, **more)["validity"]
    assert found["valid"] == (not found["reasons"])
    return " | ".join(found["reasons"])


def test_a_clean_run_is_valid(tmp_path):
    assert reasons_of(synthetic_run(tmp_path, STEADY)) == ""


def test_a_run_without_its_last_frame_was_cut(tmp_path):
    run = synthetic_run(tmp_path, STEADY, end_reason=None)
    assert "the run was cut off after" in reasons_of(run)


@pytest.mark.parametrize(
    ("reason", "words"), [("interrupted", "was stopped after"), ("budget", "the budget was spent")]
)
def test_a_run_that_was_stopped_is_invalid(tmp_path, reason, words):
    assert words in reasons_of(synthetic_run(tmp_path, STEADY, end_reason=reason))


def test_a_journal_cut_within_a_frame_is_damaged_and_still_counted(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    path = run.dir / "journal/run.mmj"
    path.write_bytes(path.read_bytes()[:-200])
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    found = figures(
        reader.summary, reader.plan, Ending(reader.end, reader.events, reader.last_ns, reader.damaged)
    )
    assert not found["validity"]["valid"]
    assert any("breaks off" in r for r in found["validity"]["reasons"])
    assert found["counts"]["ok"] > 0


def test_late_sending_is_the_generator_s_fault(tmp_path):
    reasons = reasons_of(synthetic_run(tmp_path, (Stretch("a", 900, 20, lag_us=80_000),)))
    assert "requests left late: more than 1% of them by over 200.0 ms (5% of the smallest" in reasons
    assert "at worst by 403.2 ms" in reasons


def test_a_percentile_of_the_send_lag_is_certified_or_silent(tmp_path):
    short, long = (
        figures_of(synthetic_run(tmp_path / name, (Stretch("a", 900, seconds, lag_us=2_000),)))["validity"]
        for name, seconds in (("short", 20), ("long", 60))
    )
    assert short["send_lag_ms"]["p99"] is None
    assert 0 < short["send_lag_ms"]["p50"] < short["send_lag_ms"]["max"]
    assert long["send_lag_ms"]["p50"] < long["send_lag_ms"]["p99"] < long["send_lag_ms"]["max"]


def test_lag_is_judged_against_the_smallest_latency_that_is_gated(tmp_path):
    slow = (Stretch("a", 900, 20, lag_us=8_000),)
    assert reasons_of(synthetic_run(tmp_path / "x", slow)) == ""
    strict = synthetic_run(tmp_path / "y", slow, gates={"ttft_p95_ms": 300})
    assert "over 15.0 ms" in reasons_of(strict)


def test_waiting_for_a_lane_is_the_target_s_doing_and_only_noted(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 900, 20, lag_us=80_000),))
    waiting = [Telemetry(0, s * 10**9, 0.2, 500, 40, 256, 9, 1, 0, 0) for s in range(1, 21)]
    found = figures_of(run, extra=[(journal.TELEMETRY, waiting)])["validity"]
    assert found["valid"], found["reasons"]
    assert any("lanes were waiting for the target" in w for w in found["warnings"])


def test_a_busy_generator_makes_the_run_invalid(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    hot = [Telemetry(7, s * 10**9, 0.97, 500, 40, 5, 0, 1, 0, 0) for s in range(1, 20)]
    assert "a worker used 97% of its core" in reasons_of(run, extra=[(journal.TELEMETRY, hot)])


def test_one_busy_second_in_twenty_is_forgiven(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 900, 40),))
    row = [Telemetry(0, 10**9, 0.99, 500, 40, 5, 0, 1, 0, 0)]
    assert reasons_of(run, extra=[(journal.TELEMETRY, row)]) == ""


def test_causes_on_our_side_are_named_with_a_remedy(tmp_path):
    reasons = reasons_of(synthetic_run(tmp_path, (Stretch("a", 900, 20, not_sent=0.02),)))
    assert "schedule_drop" in reasons
    assert "target.max_in_flight" in reasons


def test_a_lost_worker_makes_the_run_invalid(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    assert "lost worker 1" in reasons_of(run, events=[{"t_ns": 1, "name": "worker_lost", "worker": 1}])


def test_a_clock_that_steps_makes_the_run_invalid(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    assert "clock stepped 1 time during" in reasons_of(
        run, events=[{"t_ns": 1, "name": "clock_step", "worker": 0, "ns": 5}]
    )


def test_planned_requests_without_a_record_are_counted_as_not_sent(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    missing = 40
    header, rest = _rewritten(run, drop=missing)
    found = figures_of(run)
    assert header
    assert rest
    counts = found["counts"]
    assert counts["planned"] == 300
    assert counts["not_sent"] == missing
    assert counts["errors"] == {"worker_lost": missing}
    assert counts["planned"] == counts["ok"] + counts["failed"] + counts["shed"] + counts["not_sent"]
    assert any("40 records that workers reported never arrived" in r for r in found["validity"]["reasons"])


def _rewritten(run, drop):
    path = run.dir / "journal/run.mmj"
    frames, _ = journal.read(path)
    path.unlink()
    writer = journal.Writer(path)
    left = drop
    for kind, body in frames:
        if kind == journal.RECORDS:
            take = min(left, len(body))
            body, left = body[take:], left - take
        writer.append(kind, body)
    writer.close()
    return frames[0], frames[1:]


def test_answers_that_are_not_scored_are_mentioned(tmp_path):
    run = synthetic_run(tmp_path, STEADY)
    path = run.dir / "journal/scores.mmj"
    frames, _ = journal.read(path)
    path.unlink()
    writer = journal.Writer(path)
    writer.append(*frames[0])
    writer.close()
    assert any("64 of 300 sampled answers are scored" in w for w in figures_of(run)["validity"]["warnings"])
