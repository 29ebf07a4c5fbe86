"""Every failure has one owner, by the strongest evidence."""

from dataclasses import replace

import pytest
from synthetic import Stretch, synthetic_run

from mmload.summary import Attribution, Ending, RunReader

WRONG = {"passed": False, "value": 0.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    stretches = (Stretch("calm", 120, 20, quality=1.0, warmup=True), Stretch("load", 300, 20, quality=1.0))
    made = synthetic_run(tmp_path_factory.mktemp("run"), stretches, quality={"baseline": "calm"})
    reader = RunReader(made.dir, lambda _: made.items)
    reader.poll()
    assert Ending(reader.end).reason == "done"
    return made, reader


@pytest.fixture
def owner(run):
    made, reader = run
    record = next(r for r in made.records if r.outcome == "ok" and r.phase == 1 and r.item < 40)
    score = next(s for s in made.scores if s.seq == record.seq)
    seen = Attribution(reader.plan, reader.summary)

    def of(score_changes=None, unseen=False, **changes):
        r = record._replace(**changes, item=59 if unseen else record.item)
        s = None if score_changes is None else replace(score, **score_changes)
        found = seen.add(r, s)
        return None if found is None else str(found)

    return of


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "not_sent", "error": "schedule_drop"}, "generator: schedule_drop"),
        ({"outcome": "failed", "error": "local_fd_exhausted"}, "generator: local_fd_exhausted"),
        ({"outcome": "shed", "error": "http_429"}, "pipeline: admission: shed"),
        ({"outcome": "failed", "error": "malformed_sse"}, "adapter: malformed_sse"),
        ({"outcome": "failed", "error": "http_4xx"}, "adapter: http_4xx"),
        ({"outcome": "failed", "error": "connect_refused"}, "pipeline: connection: connect_refused"),
        ({"outcome": "failed", "error": "http_5xx"}, "pipeline: http_5xx"),
        ({"outcome": "failed", "error": "content_filter"}, "pipeline: content filter"),
    ],
)
def test_a_request_without_an_answer(owner, changes, said):
    assert owner(**changes) == said


@pytest.mark.parametrize(
    ("score", "changes", "said"),
    [
        ({"nonce": "foreign", "safety": ("cross_talk",)}, {}, "pipeline: answers mixed up"),
        ({"schema": "invalid"}, {"finish_reason": "length"}, "adapter: token limit too low"),
        ({}, {"model": "sim-small"}, "pipeline: fallback model"),
        ({}, {}, "pipeline: right without load"),
    ],
)
def test_an_answer_that_the_model_is_not_to_blame_for(owner, score, changes, said):
    assert owner(WRONG | score, **changes) == said


def test_a_late_answer_belongs_to_the_stage_that_took_longest(owner, run):
    late = run[0].records[-1].due_ns + 60 * 10**9
    timing = "queue;dur=3000, model;dur=900"
    assert owner({}, end_ns=late, server_timing=timing) == "pipeline: late: queue"


def test_a_late_first_token_is_late_though_the_last_came_in_time(tmp_path):
    made = synthetic_run(tmp_path, (Stretch("load", 300, 20, quality=1.0, e2e_ms=900),),
                         slo={"default": {"e2e_ms": 60_000, "ttft_ms": 300}})  # fmt: skip
    reader = RunReader(made.dir, lambda _: made.items)
    reader.poll()
    seen = Attribution(reader.plan, reader.summary)
    for record in made.records:
        seen.add(record, None)
    late = [r for r in made.records if r.first_token_ns and r.first_token_ns - r.due_ns > 300_000_000]
    assert seen.figures()["failures"] == len(late) > 0


def test_a_right_answer_in_time_is_nobodys_failure(owner):
    assert owner({}) is None


def test_what_was_wrong_without_load_too_is_the_models(run):
    made, reader = run
    record = next(r for r in made.records if r.outcome == "ok" and r.phase == 1)
    score = replace(next(s for s in made.scores if s.seq == record.seq), **WRONG)
    seen = Attribution(reader.plan, reader.summary)
    seen._unloaded = {record.item: 0.0}
    for change, said in (
        ({}, "model: wrong answer"),
        ({"schema": "invalid"}, "model: schema"),
        ({"status": "refused", "answerable": True}, "model: declined what it could know"),
        ({"answerable": False, "status": "answered"}, "model: answered what it cannot know"),
        ({"critical": 1, "hallucinated": {"action": 1}}, "model: invented: action"),
        ({"safety": ("secret",)}, "model: safety rule broken"),
    ):
        assert str(seen.add(record, replace(score, **change))) == said


def test_each_failure_counts_once_and_each_model_by_its_own_answers(run):
    made, reader = run
    seen = Attribution(reader.plan, reader.summary)
    scores = {s.seq: s for s in made.scores}
    measured = [r for r in made.records if r.phase == 1]
    blamed = 0
    for k, record in enumerate(measured):
        small = k % 4 == 0 and record.outcome == "ok"
        score = scores.get(record.seq)
        if small and score is not None:
            score = replace(score, **WRONG)
        blamed += seen.add(record._replace(model="sim-small") if small else record, score) is not None
    figures, models = seen.figures(), seen.by_model()
    assert figures["failures"] == blamed == sum(figures["by_party"].values())
    assert sum(c["n"] for c in figures["causes"]) == blamed
    assert models["sim-small"]["score"] == 0 and models["sim-large"]["score"] == 1
    assert models["sim-large"]["share"] + models["sim-small"]["share"] == pytest.approx(1, abs=1e-5)
