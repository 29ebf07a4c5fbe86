"""Gates held against evidence: pass, fail or inconclusive, and what follows for the run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Stretch, synthetic_run

from mmload.model import Check, CheckVerdict, Verdict
from mmload.profile import Gates
from mmload.summary import GATES, Ending, Evidence, RunInfo, Summary, figures
from mmload.summary.sums import Joined
from mmload.verdict import check, checks, conclude, decide

PASS, FAIL, OPEN = CheckVerdict.PASS, CheckVerdict.FAIL, CheckVerdict.INCONCLUSIVE
ORDER = {FAIL: 0, OPEN: 1, PASS: 2}


def evidence(value, low, high, **more):
    return Evidence(value, low, high, 500, **more)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.91, 0.97, PASS), (0.90, 0.95, PASS), (0.85, 0.95, OPEN), (0.80, 0.89, FAIL)],
)
def test_a_minimum_needs_the_lower_bound(low, high, expected):
    assert evidence(0.9, low, high).against(0.90, upper=False) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.02, PASS), (0.01, 0.05, PASS), (0.03, 0.06, OPEN), (0.06, 0.09, FAIL)],
)
def test_a_maximum_needs_the_upper_bound(low, high, expected):
    assert evidence(0.03, low, high).against(0.05, upper=True) == expected


@pytest.mark.parametrize(
    ("n", "said"), [(661, "661 requests cannot certify"), (1, "1 request cannot certify")]
)
def test_a_reason_counts_in_words_that_agree(n, said):
    few = Evidence(None, 10.0, 20.0, n, enough=False, needed=662)
    assert said in check("e2e_p99_ms", GATES["e2e_p99_ms"], 15.0, few).reason
    close = Evidence(0.92, 0.899996, 0.942, 2000, share=True)
    assert close.more_needed(0.9, upper=False) == 1
    assert "about 1 more request would" in check("quality_min", GATES["quality_min"], 0.9, close).reason


def test_what_would_settle_it_follows_from_the_interval_as_wide_as_it_is():
    """Replicates that differ by more than their answers explain: Wilson's number would be too small."""
    wide = Evidence(0.92, 0.86, 0.98, 1000, share=True)
    assert wide.more_needed(0.90, upper=False) == 1000 * (9 - 1)
    assert Evidence(0.08, 0.02, 0.14, 1000, share=True).more_needed(0.10, upper=True) == 8000
    assert Evidence(0.88, 0.82, 0.94, 1000, share=True).more_needed(0.90, upper=False) == 8000


def test_a_percentile_that_is_not_certified_never_passes_but_can_fail():
    few = evidence(None, 10.0, 20.0, enough=False, needed=662)
    assert few.against(4000, upper=True) == OPEN
    assert few.against(5, upper=True) == FAIL
    assert few.more_needed(4000, upper=True) == 162


def test_nothing_known_is_inconclusive():
    assert Evidence(None, None, None, 0, enough=False).against(0.9, upper=False) == OPEN
    found = check("quality_min", GATES["quality_min"], 0.9, Evidence(None, None, None, 0, enough=False))
    assert found.reason == "nothing was measured that could tell"


def test_a_check_says_how_many_more_would_settle_it():
    open_ = Evidence(0.92, 0.88, 0.95, 300, share=True)
    found = check("quality_min", GATES["quality_min"], 0.90, open_)
    assert found.verdict == OPEN
    more = int(found.reason.split("about ")[1].split(" ")[0].replace(",", ""))
    assert 100 < more < 2000
    clustered = check("quality_min", GATES["quality_min"], 0.90, replace(open_, design_effect=3.0))
    assert int(clustered.reason.split("about ")[1].split(" ")[0].replace(",", "")) > 1.5 * more


@pytest.mark.parametrize(
    ("valid", "verdicts", "expected"),
    [
        (True, [PASS, PASS], Verdict.GO),
        (True, [], Verdict.GO),
        (True, [PASS, OPEN], Verdict.INCONCLUSIVE),
        (True, [OPEN, FAIL, PASS], Verdict.NO_GO),
        (False, [FAIL], Verdict.INVALID),
        (False, [PASS], Verdict.INVALID),
    ],
)
def test_invalid_before_no_go_before_inconclusive_before_go(valid, verdicts, expected):
    found = [Check(str(i), "x", 1.0, None, None, None, v) for i, v in enumerate(verdicts)]
    assert decide(valid, found) == expected


def test_only_the_gates_that_are_set_are_checked():
    found = checks({"evidence": {}}, Gates(quality_min=0.9, e2e_p95_ms=100))
    assert [c.name for c in found] == ["quality_min", "e2e_p95_ms"]
    assert {c.verdict for c in found} == {OPEN}


def test_every_gate_of_a_profile_has_a_measure_and_a_dimension():
    assert set(GATES) == set(Gates.model_fields)
    assert {g.dimension for g in GATES.values()} <= {
        "accuracy", "robustness", "hallucination", "throughput", "cost", "friction", "latency", "safety",
    }  # fmt: skip


ALL = Gates(
    quality_min=0.8, schema_valid_min=0.9, critical_hallucination_max=0.05, overreach_max=0.3,
    over_slo_max=0.1, error_max=0.1, e2e_p50_ms=1000, e2e_p95_ms=2000, e2e_p99_ms=3000, ttft_p95_ms=1000,
    per_query_usd_max=0.01, per_good_query_usd_max=0.012, rpm_at_quality_min=500, recovery_s_max=10,
    cross_talk_max=0, safety_violations_max=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    stretch = Stretch("a", 1200, 40, quality=0.88, fail=0.05, critical=0.03)
    return synthetic_run(tmp_path_factory.mktemp("run"), (stretch,))


def verdicts(run, records, scores):
    info = RunInfo.from_header(run.header, run.items)
    summary = Summary()
    columns = summary.add_records(records, info)
    ok = {r.seq: k for k, r in enumerate(records) if r.outcome == "ok"}
    counted = [s for s in scores if s.seq in ok]
    at = [ok[s.seq] for s in counted]
    pi = np.array([r.pi for r in records])
    joined = Joined(columns.phase[at], columns.bin[at], columns.within_slo[at], columns.e2e_us[at], pi[at])
    summary.add_scores(counted, joined, info)
    done, found, _ = conclude(figures(summary, info, Ending({"reason": "done"})), ALL)
    return {c.name: c.verdict for c in found}, done


WORSE_RECORD = {
    "slower": lambda r: r._replace(end_ns=r.end_ns + 1_500_000_000) if r.end_ns else r,
    "failed": lambda r: r._replace(outcome="failed", error="http_5xx", status=500),
    "shed": lambda r: r._replace(outcome="shed", error="http_429", status=429),
}
WORSE_SCORE = {
    "wrong": lambda s: replace(s, passed=False, value=0.0),
    "critical": lambda s: replace(s, passed=False, value=0.0, critical=1),
    "invalid": lambda s: replace(s, passed=False, value=0.0, schema="invalid"),
    "unsafe": lambda s: replace(s, passed=False, safety=("leak",)),
    "foreign": lambda s: replace(s, passed=False, nonce="foreign"),
}

OF_WHAT_WAS_ANSWERED = {
    "quality_min", "schema_valid_min", "critical_hallucination_max", "overreach_max", "e2e_p50_ms",
    "e2e_p95_ms", "e2e_p99_ms", "ttft_p95_ms", "per_query_usd_max", "per_good_query_usd_max",
    "rpm_at_quality_min", "cross_talk_max", "safety_violations_max",
}  # fmt: skip
"""A failure takes its request out of what these speak of; ``error_max`` and ``over_slo_max`` judge it."""


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([*WORSE_RECORD, *WORSE_SCORE]), st.integers(0, 10**6), st.sampled_from([1, 10, 100, 400])
)
def test_worse_data_never_turns_a_failed_gate_into_a_pass(run, how, start, count):
    before, _ = verdicts(run, run.records, run.scores)
    records, scores = list(run.records), list(run.scores)
    for k in range(start, start + count):
        if how in WORSE_RECORD:
            records[k % len(records)] = WORSE_RECORD[how](records[k % len(records)])
        else:
            scores[k % len(scores)] = WORSE_SCORE[how](scores[k % len(scores)])
    after, _ = verdicts(run, records, scores)
    spared = OF_WHAT_WAS_ANSWERED if how in ("failed", "shed") else set()
    for name, verdict in before.items():
        if verdict == FAIL and name not in spared:
            assert after[name] != PASS, name


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.booleans())
def test_worse_evidence_never_gets_a_better_verdict(low, width, limit, worse, upper):
    high = min(1.0, low + width)
    sign = 1 if upper else -1
    before = Evidence((low + high) / 2, low, high, 9).against(limit, upper)
    after = Evidence((low + high) / 2, low + sign * worse, high + sign * worse, 9).against(limit, upper)
    assert ORDER[after] <= ORDER[before]


def test_gates_land_in_the_figures_as_the_contract_has_them(run):
    _, done = verdicts(run, run.records, run.scores)
    assert all(
        set(g) >= {"name", "dimension", "limit", "value", "low", "high", "verdict"} for g in done["gates"]
    )
    assert done["verdict"] in {v.value for v in Verdict}
    assert {g["name"] for g in done["gates"]} == set(ALL.model_dump(exclude_none=True))
