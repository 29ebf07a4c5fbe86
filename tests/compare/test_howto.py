"""What docs/howto-choose-between-models.md shows works as shown."""

import re
import shlex
from pathlib import Path

import pytest
from synthetic import Stretch, synthetic_run

from mmload.cli import run_program
from mmload.cli._options import read_profile
from mmload.cli.compare import _contenders, _Leave
from mmload.launch.finish import finish
from mmload.summary import RunReader

ROOT = Path(__file__).parents[2]
LINES = re.findall(
    r"^mmload ((?:compare|rescore) .*)$",
    (ROOT / "docs" / "howto-choose-between-models.md").read_text(),
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    at = tmp_path_factory.mktemp("howto")
    for seed, name in enumerate(("monday", "tuesday", "ocr")):
        run = synthetic_run(at / "reports" / name, (Stretch("s", 300, 20),), seed=seed)
        finish(run.dir, {}, reader=RunReader(run.dir, lambda _, items=run.items: items))
    (at / "reviews.csv").write_text("seq,verdict\n1,right\n2,wrong\n")
    return at


def test_the_page_shows_every_way_to_call_it():
    assert len(LINES) == 7


@pytest.mark.parametrize("line", [x for x in LINES if x.startswith("compare reports") or "=reports" in x])
def test_runs_that_are_there_are_compared(reports, monkeypatch, tmp_path, line):
    monkeypatch.chdir(reports)
    assert run_program([*shlex.split(line), "--quiet", "--out", str(tmp_path / "out")]) in (0, 3, 4)
    assert (tmp_path / "out" / "compare.html").exists()


@pytest.mark.parametrize("line", [x for x in LINES if "traffic_profiles" in x])
def test_candidates_are_read_as_written(line):
    words = shlex.split(line)
    texts = [words[k + 1] for k, word in enumerate(words) if word == "--candidate"]
    found = {
        c.name: c.profile
        for c in _contenders(
            ROOT / words[1], texts, lambda more: read_profile(ROOT / words[1], last=more), _Leave()
        )
    }
    assert len(found) == 2
    answering = {(p.target.engine, p.target.model) for p in found.values()}
    assert answering in (
        {("sim", "sim-large"), ("sim", "sim-small")},
        {("sim", "sim-large"), ("ocr", "sim-large")},
    )


def test_what_holds_for_all_gives_way_to_what_a_candidate_says_of_itself():
    path = ROOT / "traffic_profiles" / "smoke.toml"

    def read(last):
        return read_profile(path, "ocr", ("seed=5",), seed=7, last=last)

    texts = ("reader", "model:target.engine=sim", "model:seed=9")
    reader, model = (c.profile for c in _contenders(path, texts, read, _Leave()))
    assert (reader.target.engine, reader.seed) == ("ocr", 7)
    assert (model.target.engine, model.seed) == ("sim", 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["traffic_profiles/smoke.toml"], "two candidates"),
        (["traffic_profiles/smoke.toml", "--candidate", "a", "--candidate", "b/c"], '"b/c" is no name'),
        (["traffic_profiles/smoke.toml", "--candidate", "a", "--candidate", "b:target.modl=x"], "modl"),
        (["traffic_profiles/smoke.toml", "--candidate", "a", "--candidate", "b:none.toml"], "none.toml"),
        (["one", "two", "--candidate", "a"], "--candidate goes with one PROFILE"),
        (["one"], "no finished run"),
    ],
)
def test_a_call_that_cannot_work_is_one_message_and_exit_code_2(monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(ROOT)
    assert run_program(["compare", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") <= 2
