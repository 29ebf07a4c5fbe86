"""The judge's figures: agreement, kappa and cost of known verdicts, and what a profile may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from synthetic import make_profile, synthetic_run

from judge.conftest import Case
from mmload import grade, journal
from mmload.intervals import wilson
from mmload.launch.finish import finish
from mmload.model import InputError, Judgement, Score
from mmload.profile import Judge, frozen_toml, load
from mmload.report import facts
from mmload.report.measured import Measured
from mmload.report.prometheus import Metrics, RunLabels
from mmload.summary import Ending, RunReader, figures
from mmload.summary.judge import judge_figures, judged, tally

JUDGE = Judge.model_validate({
    "url": "http://127.0.0.1:9/v1", "model": "judge-1",
    "input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10.0,
})  # fmt: skip


def table(
    both: int, judge_only: int, scorer_only: int, neither: int
) -> tuple[list[Judgement], dict[int, bool]]:
    cells = [(True, True)] * both + [(True, False)] * judge_only
    cells += [(False, True)] * scorer_only + [(False, False)] * neither
    judgements = [Judgement(i, 0, said, "", 1000, 10) for i, (said, _) in enumerate(cells)]
    return judgements, {i: passed for i, (_, passed) in enumerate(cells)}


def test_agreement_and_kappa_are_those_of_the_textbook() -> None:
    # 50 answers, 20 yes-yes, 5 and 10 split, 15 no-no: observed 0.70, by chance 0.50, kappa 0.40.
    found = judge_figures(tally(JUDGE, *table(20, 5, 10, 15)))
    assert found is not None
    expected = wilson(35, 50)
    assert found["agreement_ratio"] == 0.7 and found["kappa"] == pytest.approx(0.4)
    assert found["agreement_low"] == pytest.approx(expected.low, abs=1e-6)
    assert found["agreement_high"] == pytest.approx(expected.high, abs=1e-6)
    assert (found["n"], found["compared"], found["failed"]) == (50, 50, 0)
    assert (found["judge_only"], found["scorer_only"]) == (5, 10)
    assert found["judged_pass_ratio"] == 0.5
    # 1000 x 2.5 + 10 x 10 = 2600 micro-dollars each.
    assert found["cost_usd"] == 50 * 0.0026


@pytest.mark.parametrize(
    ("cells", "kappa"),
    [
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
        ((10, 0, 0, 0), None),
        ((9, 3, 3, 1), 0.0),
        ((0, 0, 0, 0), None),
    ],
)
def test_kappa_at_its_ends(cells: tuple[int, int, int, int], kappa: float | None) -> None:
    assert tally(JUDGE, *table(*cells)).kappa == kappa


def test_failures_are_counted_and_enter_no_share() -> None:
    judgements, passed = table(3, 0, 0, 1)
    judgements += [Judgement(90, 0, None, "timeout", 400, 0), Judgement(91, 0, True, "", 1000, 10)]
    found = judge_figures(tally(JUDGE, judgements, passed))
    assert found is not None
    assert (found["n"], found["failed"], found["compared"]) == (5, 1, 4)
    assert found["agreement_ratio"] == 1.0 and found["judged_pass_ratio"] == 0.8
    assert found["cost_usd"] == pytest.approx(5 * 0.0026 + 0.001)


def test_nothing_judged_is_no_figure_rather_than_zero() -> None:
    found = judge_figures(tally(JUDGE, [Judgement(1, 0, None, "connect", 0, 0)], {}))
    assert found is not None
    assert found["failed"] == 1 and found["cost_usd"] == 0
    assert found["agreement_ratio"] is found["kappa"] is found["judged_pass_ratio"] is None
    assert judge_figures(None) is None


def test_cost_is_rounded_half_up_once_and_unknown_is_never_zero() -> None:
    cheap = JUDGE.model_copy(update={"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 0.0})
    assert tally(cheap, [Judgement(i, 0, True, "", 1, 9) for i in range(3)], {}).cost == 3
    assert (
        tally(JUDGE, [Judgement(0, 0, True, "", 1, 1), Judgement(1, 0, True, "", None, 1)], {}).cost is None
    )
    free = JUDGE.model_copy(update={"input_usd_per_mtok": None, "output_usd_per_mtok": None})
    assert tally(free, [Judgement(0, 0, True, "", 1, 1)], {}).cost is None


def test_the_folder_of_a_run_holds_the_figures_and_rescoring_leaves_the_judge_alone(case: Case) -> None:
    case.ask_for(**{**JUDGE.model_dump(exclude_none=True), "model": "<i>judge</i>"})
    grade.follow(case.dir)
    writer = journal.Writer(case.dir / "journal/judge.mmj")
    batch = [Judgement(a.seq, a.item, a.seq % 3 != 0, "", 1000, 10) for a in case.answers]
    writer.append(journal.JUDGEMENTS, [*batch, *batch])
    writer.close()
    first = finish(case.dir).figures
    found = first["quality"]["judge"]
    assert found["n"] == found["compared"] == len(case.answers)
    assert first["cost"]["judge_usd"] == found["cost_usd"] == pytest.approx(0.0026 * len(case.answers))
    grade.rescore(case.dir)
    again = finish(case.dir).figures
    assert again["quality"]["judge"] == found and again["cost"] == first["cost"]
    page, short = ((case.dir / name).read_text() for name in ("report.html", "report.md"))
    assert "Judge agrees with the scorers" in page
    assert "Judge agrees with the scorers" in short and "Cost of the judge, not of the pipeline" in short
    assert "&lt;i&gt;judge&lt;/i&gt;" in page and "<i>judge</i>" not in page


def test_the_metrics_of_a_run_that_ended_show_the_judge_and_nothing_where_there_was_none() -> None:
    def shown(found: dict[str, Any] | None) -> dict[str, float]:
        metrics = Metrics(RunLabels("r", "p", "t", "m", "0", 0.0), [], {}, ())
        metrics.settle(True, {}, found)
        samples = [sample for family in metrics.collect() for sample in family.samples]
        return {s.name: s.value for s in samples if s.name.startswith("mmload_judge")}

    found = judge_figures(tally(JUDGE, *table(20, 5, 10, 15)))
    assert found is not None
    assert shown(found) == {
        "mmload_judge_agreement_ratio": 0.7,
        "mmload_judge_cost_usd": pytest.approx(50 * 0.0026),
    }
    assert shown(None) == {}


def test_a_repaired_answer_passes_here_only_if_it_passes_in_the_score(tmp_path: Path) -> None:
    def score(seq: int, schema: str) -> Score:
        return Score(seq, 0, "ui", True, 1.0, schema, "answered", True)

    scores = journal.Writer(tmp_path / "journal/scores.mmj")
    scores.append(journal.SCORES, [score(0, "strict"), score(1, "repaired"), score(2, "strict")])
    scores.close()
    writer = journal.Writer(tmp_path / "journal/judge.mmj")
    writer.append(journal.JUDGEMENTS, [Judgement(seq, 0, True, "", 1, 1) for seq in (0, 1, 7)])
    writer.close()
    lenient, strict = judged(tmp_path, JUDGE, False), judged(tmp_path, JUDGE, True)
    assert (lenient.both, lenient.judge_only, lenient.n, lenient.compared) == (2, 0, 3, 2)
    assert (strict.both, strict.judge_only, strict.n, strict.compared) == (1, 1, 3, 2)


def test_without_a_judge_its_figures_are_null_and_the_pipeline_costs_the_same(tmp_path: Path) -> None:
    made = synthetic_run(tmp_path / "run")
    reader = RunReader(made.dir, lambda _: made.items)
    reader.poll()
    off = figures(reader.summary, reader.plan, Ending(reader.end))
    on = figures(reader.summary, reader.plan, Ending(reader.end), tally(JUDGE, *table(1, 1, 1, 1)))
    assert off["quality"]["judge"] is None and off["cost"]["judge_usd"] is None
    assert on["cost"]["judge_usd"] == pytest.approx(4 * 0.0026)
    assert {**on["cost"], "judge_usd": None} == off["cost"]
    assert {**on["quality"], "judge": None} == off["quality"]


def test_the_report_shows_the_judge_only_where_there_was_one_and_trusts_no_name() -> None:
    figures = judge_figures(tally(JUDGE.model_copy(update={"model": "m\n<b>x"}), *table(20, 5, 10, 15)))

    def rows(found: dict[str, Any] | None) -> list[list[str]]:
        return facts.answers(Measured({"quality": {"judge": found}}, {}, make_profile())).rows

    assert len(rows(figures)) == len(rows(None)) + 5
    shown = dict(rows(figures)[-5:])
    assert shown["Agreement beyond chance (kappa)"] == "0.40"
    assert not any("\n" in cell for row in rows(figures) for cell in row)


HEAD = """
name = "x"
[target]
engine = "sim"
[[phase]]
name = "a"
shape = "sustained"
duration_s = 1
rpm = 60
[quality.judge]
model = "m"
"""


def profile(tmp_path: Path, more: str, *overrides: str) -> Any:
    file = tmp_path / "p.toml"
    file.write_text(HEAD + more)
    return load(file, overrides)


def test_a_frozen_profile_keeps_the_judge_and_no_key(tmp_path: Path) -> None:
    found = profile(tmp_path, 'url = "http://localhost:9/v1"\napi_key_env = "JUDGE_KEY"\n')
    frozen = tmp_path / "frozen.toml"
    frozen.write_text(frozen_toml(found))
    assert load(frozen) == found and found.quality.judge.sample == 0.1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "quality.judge.url"),
        ('url = "https://judge.example/v1"', r"quality\.judge\.url: judge\.example is not this machine"),
        ('url = "http://me:secret@127.0.0.1/v1"', "ends up in logs"),
        ('url = "http://127.0.0.1/v1"\napi_key_env = "sk-1234"', "never the key itself"),
        ('url = "http://127.0.0.1/v1"\nrpm = 0', r"quality\.judge\.rpm"),
        ('url = "http://127.0.0.1/v1"\ninput_usd_per_mtok = 1', "go together"),
        ('url = "http://127.0.0.1/v1"\nbody = { messages = [] }', "sets this field"),
    ],
)
def test_what_a_judge_may_not_be(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        profile(tmp_path, more)
    assert "sk-1234" not in str(caught.value) and "secret@" not in str(caught.value)


def test_a_remote_judge_needs_the_same_leave_as_a_remote_target(tmp_path: Path) -> None:
    url = 'url = "https://judge.example/v1"'
    assert profile(tmp_path, url, "target.allow_remote=true").quality.judge.url == "https://judge.example/v1"
