"""What is kept of answers once they are scored: redacted, raw or nothing; scores outlive their texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import Stretch, synthetic_run

from mmload import corpus, grade, journal
from mmload.launch import texts
from mmload.launch.finish import finish
from mmload.model import Answer, Item, Score
from mmload.plugins import get
from mmload.profile import Mix

SECRET = "sk-proj-abcdefghijklmnop"
SAID = f"call me with Authorization: Bearer {SECRET} \n at https://u:pw123@host.example/x?key=hidden1 <b>"
PLAIN = '{"status": "answered", "answer": "12.50"}'


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> corpus.Suite:
    mix = Mix.model_validate({
        "items": 6, "images": {"s": {"width": 512, "height": 512, "weight": 1}}, "prompt_tokens": {"64": 1},
        "tasks": {"extract": 1, "ui": 1},
    })  # fmt: skip
    return corpus.build(mix, {t: get("tasks", t)() for t in ("extract", "ui")}, tmp_path_factory.mktemp("s"))


def folder(suite: corpus.Suite, tmp_path: Path, kept: str, said: dict[int, str], cut: bool = False) -> Path:
    """A run whose answers say ``PLAIN``, or what ``said`` has for their number."""
    made = synthetic_run(tmp_path, (Stretch("a", 600, 12),), n_items=len(suite.items))
    path = made.dir / "journal/run.mmj"
    frames, _ = journal.read(path)
    path.unlink()
    writer = journal.Writer(path)
    for kind, body in frames:
        if kind == journal.RUN:
            profile = body["profile"]
            quality = {**profile.get("quality", {}), "texts": kept}
            body = body | {"suite_dir": str(suite.dir), "profile": profile | {"quality": quality}}
        elif kind == journal.ANSWERS:
            body = [Answer(a.seq, a.item, said.get(a.seq, PLAIN)) for a in body]
        if kind != journal.END or not cut:
            writer.append(kind, body)
    writer.close()
    return made.dir


def answers(run: Path) -> dict[int, Answer]:
    frames, _ = journal.read(run / "journal/run.mmj")
    return {a.seq: a for kind, body in frames if kind == journal.ANSWERS for a in body}


def everything(run: Path) -> bytes:
    return b"".join(f.read_bytes() for f in sorted(run.rglob("*")) if f.is_file())


@pytest.fixture(scope="module")
def seq(suite: corpus.Suite, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Number of a request that was answered and scored."""
    return min(answers(folder(suite, tmp_path_factory.mktemp("probe"), "raw", {})))


def test_by_default_no_secret_of_an_answer_is_left_in_the_folder_and_the_rest_is(
    suite: corpus.Suite, tmp_path: Path, seq: int
) -> None:
    run = folder(suite, tmp_path, "redacted", {seq: SAID})
    assert SECRET.encode() in everything(run), "scorers see it as it came"
    before = finish(run).figures["quality"]
    left = everything(run)
    assert not [s for s in (SECRET, "pw123", "hidden1") if s.encode() in left]
    kept = answers(run)
    assert "host.example/x" in kept[seq].text and not kept[seq].whole
    others = [a for a in kept.values() if a.seq != seq]
    assert len(others) > 50 and all(a.text == PLAIN and a.whole for a in others)
    assert finish(run).figures["quality"] == before, "read again it says the same"


def test_raw_keeps_answers_as_they_came(suite: corpus.Suite, tmp_path: Path, seq: int) -> None:
    run = folder(suite, tmp_path, "raw", {seq: SAID})
    finish(run)
    assert answers(run)[seq] == Answer(seq, answers(run)[seq].item, SAID)
    lines = [json.loads(line) for line in (run / "answers/answers.jsonl").read_text().splitlines()]
    assert {line["answer"] for line in lines} == {PLAIN, SAID}
    # The page is what one passes on.
    assert SECRET not in (run / "report.html").read_text()


def test_none_keeps_no_text_and_every_score(suite: corpus.Suite, tmp_path: Path, seq: int) -> None:
    run = folder(suite, tmp_path, "none", {seq: SAID})
    before = finish(run).figures["quality"]
    assert before["n_scored"] > 50
    assert {a.text for a in answers(run).values()} == {""}
    assert PLAIN.encode() not in everything(run) and b"host.example" not in everything(run)
    lines = [json.loads(line) for line in (run / "answers/answers.jsonl").read_text().splitlines()]
    assert lines and {line["answer"] for line in lines} == {None}
    assert "[not kept]" in (run / "report.html").read_text()
    assert finish(run).figures["quality"] == before


def test_a_run_that_was_cut_is_sealed_and_still_says_so(
    suite: corpus.Suite, tmp_path: Path, seq: int
) -> None:
    run = folder(suite, tmp_path, "redacted", {seq: SAID}, cut=True)
    with (run / "journal/run.mmj").open("ab") as file:
        file.write(b"\x09\x00\x00\x00torn")
    reasons = finish(run).figures["validity"]["reasons"]
    assert SECRET.encode() not in everything(run)
    assert finish(run).figures["validity"]["reasons"] == reasons
    assert any("cut" in reason or "breaks off" in reason for reason in reasons)


def test_a_journal_that_is_being_written_is_left_alone_and_it_is_said(
    suite: corpus.Suite, tmp_path: Path, seq: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(suite, tmp_path, "redacted", {seq: SAID}, cut=True)
    path = run / "journal/run.mmj"
    writer = journal.Writer(path)
    data = path.read_bytes()
    texts.seal(run, {}, "redacted", (), ended=False)
    assert path.read_bytes() == data
    assert "answers are kept as they came (it is still being written)" in capsys.readouterr().err
    writer.close()
    texts.seal(run, {}, "redacted", (), ended=False)
    assert path.read_bytes() != data and not list(path.parent.glob("*.new"))


class Harsh:
    """A scorer that lets nothing pass."""

    def score(self, item: Item, text: str, seq: int, nonces: object = None) -> Score:
        raise ValueError("nothing passes")


def test_a_redacted_answer_keeps_its_score_when_the_rest_is_scored_anew(
    suite: corpus.Suite, tmp_path: Path, seq: int
) -> None:
    run = folder(suite, tmp_path, "redacted", {seq: SAID})
    finish(run)
    frames, _ = journal.read(run / "journal/scores.mmj")
    was = [s for kind, body in frames if kind == journal.SCORES for s in body if s.seq == seq]
    grade.rescore(run, {"extract": Harsh(), "ui": Harsh()})
    frames, _ = journal.read(run / "journal/scores.mmj")
    assert [s for kind, body in frames if kind == journal.SCORES for s in body] == was[-1:]
