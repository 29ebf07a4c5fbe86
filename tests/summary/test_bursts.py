"""Before, during and after a burst: what it cost while it lasted, and whether quality came back."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import Stretch, synthetic_run

from mmload.model import NS_PER_S
from mmload.summary import Ending, RunInfo, Summary, figures
from mmload.summary.sums import Joined


def told(tmp_path, quality, shed_during=0.0):
    """A burst from 20 s to 30 s of 60 s; ``quality`` gives (before, during, after)."""
    run = synthetic_run(tmp_path, (Stretch("b", 1800, 60, shape="burst", quality=1.0),), gates={})
    info, summary = RunInfo.from_header(run.header, run.items), Summary()
    draw = np.random.default_rng(3)

    def part(record):
        second = record.due_ns / NS_PER_S
        return 0 if second < 20 else 1 if second < 30 else 2

    records = [
        r._replace(outcome="shed", error="http_429", status=429)
        if part(r) == 1 and draw.random() < shed_during
        else r
        for r in run.records
    ]
    summary.add_records(records, info)
    of = {r.seq: r for r in records if r.outcome == "ok"}
    scores = [
        replace(s, passed=bool(draw.random() < quality[part(of[s.seq])])) for s in run.scores if s.seq in of
    ]
    joined = [of[s.seq] for s in scores]
    summary.add_scores(
        scores,
        Joined(
            np.array([r.phase for r in joined]),
            np.array([r.due_ns // info.bin_ns for r in joined]),
            np.ones(len(joined), bool),
            np.array([(r.end_ns - r.due_ns) // 1000 for r in joined]),
            np.ones(len(joined)),
        ),
        info,
    )
    return figures(summary, info, Ending({"reason": "done"}))["phases"][0]["burst"]


def test_each_part_has_its_own_figures(tmp_path):
    found = told(tmp_path, (0.95, 0.70, 0.94), shed_during=0.2)
    assert [found[k]["duration_s"] for k in ("before", "during", "after")] == [20.0, 10.0, 30.0]
    for name, truth in (("before", 0.95), ("during", 0.70), ("after", 0.94)):
        assert found[name]["quality_low"] <= truth <= found[name]["quality_high"]
    assert found["during"]["error_ratio"] == pytest.approx(0.2, abs=0.06)
    assert found["before"]["error_ratio"] == found["after"]["error_ratio"] == 0
    assert found["quality_change"]["low"] < 0 < found["quality_change"]["high"]


def test_a_pipeline_that_stays_worse_coming_down_shows(tmp_path):
    change = told(tmp_path, (0.97, 0.60, 0.80))["quality_change"]
    assert change["high"] < 0 and change["low"] < -0.17 < change["high"]


def test_other_shapes_have_no_burst(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("s", 600, 10),), gates={})
    info, summary = RunInfo.from_header(run.header, run.items), Summary()
    summary.add_records(run.records, info)
    assert figures(summary, info, Ending({"reason": "done"}))["phases"][0]["burst"] is None


def test_what_was_never_sent_is_not_owed_for_ever(tmp_path):
    run = synthetic_run(
        tmp_path, (Stretch("b", 1800, 60, shape="burst", e2e_ms=100, not_sent=0.2),), gates={}
    )
    info, summary = RunInfo.from_header(run.header, run.items), Summary()
    summary.add_records(run.records, info)
    ends = [(r.due_ns, r.end_ns if r.end_ns is not None else r.due_ns) for r in run.records]
    seconds = [k * NS_PER_S for k in range(1, 61)]
    owed = max(sum(due < t <= end for due, end in ends) for t in seconds)
    assert figures(summary, info, Ending({"reason": "done"}))["phases"][0]["peak_backlog"] == owed < 20
