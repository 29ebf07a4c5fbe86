"""The scoring process: each answer once, the same scores live and afterwards, and an end to it."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from synthetic import Stretch, synthetic_run

from mmload import corpus, grade, journal
from mmload.model import Answer, InputError, Score
from mmload.plugins import get
from mmload.profile import Mix, Sessions
from mmload.scorecard import matrix, scored_by

STRETCHES = (Stretch("a", 600, 12),)
TASKS = ("extract", "ui", "chart")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    mix = Mix.model_validate({
        "items": 12, "images": {"s": {"width": 512, "height": 512, "weight": 1}}, "prompt_tokens": {"64": 1},
    })  # fmt: skip
    tasks = {name: get("tasks", name)() for name in TASKS}
    return corpus.build(mix, tasks, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def run(suite, tmp_path):
    """A run over a real suite whose answers are right, wrong, and no JSON at all."""
    made = synthetic_run(tmp_path, STRETCHES, n_items=len(suite.items))
    path = made.dir / "journal/run.mmj"
    frames, _ = journal.read(path)
    path.unlink()
    (made.dir / "journal/scores.mmj").unlink()
    writer = journal.Writer(path)
    for kind, body in frames:
        if kind == journal.RUN:
            body = {**body, "suite_dir": str(suite.dir)}
        elif kind == journal.ANSWERS:
            body = [Answer(a.seq, a.item, _text(suite.items[a.item], a.seq)) for a in body]
        writer.append(kind, body)
    writer.close()
    return made


def _text(item, seq):
    if seq % 3 == 0:
        return "I think it is 42."
    status = "answered" if item.answerable else "insufficient_evidence"
    answer = item.truth.get("answer") if item.answerable else None
    return json.dumps(
        {"status": status, "answer": answer, "evidence": [], "confidence": 0.9, "nonce": item.nonce}
    )


def scores_of(folder):
    frames, cut = journal.read(folder / "journal/scores.mmj")
    assert not cut
    return [score for _, body in frames for score in body]


def answers_of(folder):
    return [
        a
        for kind, body in journal.read(folder / "journal/run.mmj")[0]
        if kind == journal.ANSWERS
        for a in body
    ]


def test_every_answer_is_scored_once_by_its_task(run):
    grade.follow(run.dir)
    scores = scores_of(run.dir)
    assert sorted(s.seq for s in scores) == sorted(a.seq for a in answers_of(run.dir))
    assert not any(s.passed for s in scores if s.seq % 3 == 0)
    assert all(s.schema == "invalid" for s in scores if s.seq % 3 == 0)
    assert any(s.schema == "strict" for s in scores)
    assert all(isinstance(s, Score) for s in scores)


def test_scoring_afterwards_gives_the_scores_of_scoring_live(run):
    grade.follow(run.dir)
    live = scores_of(run.dir)
    grade.rescore(run.dir)
    assert sorted(scores_of(run.dir), key=lambda s: s.seq) == sorted(live, key=lambda s: s.seq)


def test_the_process_scores_a_run_while_it_grows_and_ends_with_it(run, tmp_path):
    data = (run.dir / "journal/run.mmj").read_bytes()
    folder = tmp_path / "growing"
    (folder / "journal").mkdir(parents=True)
    path = folder / "journal/run.mmj"
    path.write_bytes(data[: len(data) // 2])
    process = subprocess.Popen([sys.executable, "-m", "mmload.grade", str(folder)])
    try:
        deadline = time.monotonic() + 60
        while not (folder / "journal/scores.mmj").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None
        with path.open("ab") as file:
            file.write(data[len(data) // 2 :])
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert len(scores_of(folder)) == len(answers_of(run.dir))


def test_a_scorer_that_was_killed_takes_up_where_it_stopped(run):
    grade.follow(run.dir)
    path = run.dir / "journal/scores.mmj"
    whole = scores_of(run.dir)
    path.write_bytes(path.read_bytes()[:-37])
    grade.follow(run.dir)
    assert sorted(s.seq for s in scores_of(run.dir)) == sorted(s.seq for s in whole)


def test_it_ends_when_the_journal_falls_silent(run):
    path = run.dir / "journal/run.mmj"
    path.write_bytes(path.read_bytes()[:-100])
    grade.follow(run.dir, poll_s=0.01, idle_s=0.1)
    assert len(scores_of(run.dir)) == len(answers_of(run.dir))


def test_it_ends_when_it_is_left_alone(tmp_path):
    calls = iter([False, False, True])
    assert grade.follow(tmp_path, poll_s=0.01, alone=lambda: next(calls)) is None


def test_it_waits_for_a_journal_that_is_not_there_yet(run, tmp_path):
    folder = tmp_path / "late"
    done = []
    thread = threading.Thread(target=lambda: done.append(grade.follow(folder, poll_s=0.01, idle_s=30)))
    thread.start()
    (folder / "journal").mkdir(parents=True)
    draft = folder / "journal/draft"
    draft.write_bytes((run.dir / "journal/run.mmj").read_bytes())
    draft.rename(folder / "journal/run.mmj")
    thread.join(60)
    assert done
    assert len(scores_of(folder)) == len(answers_of(run.dir))


class Broken:
    def score(self, item, text, seq, nonces=None):
        raise KeyError(text)


def test_a_scorer_that_raises_leaves_the_answer_unscored_and_says_so(run):
    grader = grade.rescore(run.dir, dict.fromkeys(TASKS, Broken()))
    assert scores_of(run.dir) == []
    assert sum(grader.failed.values()) == len(answers_of(run.dir))
    assert {what.split(": ")[1] for what in grader.failed} == {"KeyError"}


class Generous:
    def score(self, item, text, seq, nonces=None):
        right = get("tasks", item.task)().score(item, text, seq, nonces)
        return replace(right, passed=True, value=1.0)


def test_other_scorers_take_the_place_of_the_old_scores(run):
    grade.follow(run.dir)
    assert not all(s.passed for s in scores_of(run.dir))
    grade.rescore(run.dir, dict.fromkeys(TASKS, Generous()))
    assert all(s.passed for s in scores_of(run.dir))


def test_scores_that_were_replayed_are_of_this_version_s_matrix(run):
    grade.follow(run.dir)
    header = {"matrix_version": "0.9.0", "matrix_id": "0" * 12}
    assert scored_by(run.dir, header) == header
    grade.rescore(run.dir)
    assert scored_by(run.dir, header) == {"matrix_version": matrix().version, "matrix_id": matrix().id}


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no run of mmload"):
        grade.rescore(tmp_path)
    assert not list(tmp_path.rglob("*.new"))


def test_a_missing_suite_is_one_message_and_exit_code_2(tmp_path):
    synthetic_run(tmp_path, STRETCHES)
    ran = subprocess.run(
        [sys.executable, "-m", "mmload.grade", str(tmp_path)], capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("mmload: ")
    assert "not a suite" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_it_runs_at_the_lowest_priority():
    code = "import os; from mmload.grade import lower_priority; lower_priority(); print(os.nice(0))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 19


def test_the_scoring_process_loads_no_network_library_and_no_gevent(run):
    code = (
        "import sys; from pathlib import Path; from mmload import grade; grade.follow(Path(sys.argv[1]));"
        "unwanted = ('gevent', 'locust', 'aiohttp', 'asyncio', 'requests', 'httpx');"
        "print([m for m in unwanted if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(run.dir)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_journals_of_a_run_are_where_the_summary_looks():
    from mmload import summary

    assert (journal.RUN_JOURNAL, journal.SCORES_JOURNAL) == (summary.RUN_JOURNAL, summary.SCORES_JOURNAL)


def test_the_code_of_an_earlier_question_is_wrong_and_that_of_another_session_cross_talk(suite):
    scripts = corpus.scripts(Sessions(turns=3), suite.items, 5)
    grader = grade.Grader({"suite_dir": str(suite.dir), "scripts": scripts.turns})
    first, second, _ = scripts.turns[0]
    stranger = scripts.turns[1][0]
    item = suite.items[second]

    def score(seq, nonce):
        text = _text(item, 1).replace(item.nonce, nonce)
        (found,) = grader.grade([Answer(seq, second, text)])
        return found

    own, earlier, foreign = (score(k, suite.items[n].nonce) for k, n in enumerate((second, first, stranger)))
    assert (own.nonce, earlier.nonce, foreign.nonce) == ("ok", "wrong", "foreign")
    assert not earlier.safety and foreign.safety == ("cross_talk",)


def test_nonces_but_some_are_a_mapping_like_any_other():
    every = {"A": 0, "B": 1, "C": 2}
    left = corpus.NoncesBut(every, [1])
    assert dict(left) == {"A": 0, "C": 2} and len(left) == 2 and "B" not in left and left
    assert not corpus.NoncesBut({"A": 0}, [0])
