"""What one would do without: baselines scored by the real scorers, on the same items."""

from dataclasses import replace

import numpy as np
import pytest
from task_samples import TASKS, item_of, want_of

from mmload.compare.fallbacks import (
    _SILENT,
    DoingWithout,
    Fallback,
    _dearer,
    _rules,
    _verdict,
    against_fallbacks,
    doing_without,
    offline,
    triage_gain,
)
from mmload.compare.runs import Rows
from mmload.model import CheckVerdict, Item
from tests.compare.made import candidate, rows


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """Forty triage items as a suite would hold them."""
    triage = TASKS["triage"]
    return [
        item_of(triage, k, want_of(k, width=512, height=512, prompt_tokens=64, answerable=k % 5 != 4))
        for k in range(40)
    ]


def test_the_rules_read_ticket_and_log_and_guess_only_what_is_on_screen(items):
    right = 0
    for item in items:
        if item.answerable:
            answer = _rules(item, _SILENT)["answer"]
            truth = item.truth["answer"]
            assert answer["severity"] == truth["severity"]
            assert answer["root_cause_code"] == truth["root_cause_code"]
            right += answer == truth
    assert right < sum(i.answerable for i in items)


def test_no_baseline_without_eyes_is_right_about_everything_and_none_is_wrong_where_it_is_silent(items):
    found = {f.name: f for f in offline(items)}
    assert set(found) == {"prior", "rules", "text"}
    for f in found.values():
        assert 0 < f.passed.mean() < 0.9
        assert ((f.passed + f.wrong) <= 1).all()
    assert found["prior"].passed.mean() >= np.mean([not i.answerable for i in items])


def test_gain_time_errors_and_worth_against_a_declared_person():
    made = rows(1, n=300, quality=0.9, episodes=0.0, fail=0.0)
    c = candidate("c", made)
    figures = dict(c.figures) | {"latency_ms": {"e2e": {"mean": 800.0}}}
    figures["cost"] = dict(figures["cost"]) | {"per_query_usd": 0.01}
    c = type(c)(c.name, c.folder, figures, {"suite_dir": "nowhere"}, c.profile, made)
    found = against_fallbacks([c], doing_without([c], []), right_usd=0.5, wrong_usd=2.0)
    (row,) = found["rows"]
    assert "need the suite" in found["notes"][0]
    assert row["fallback"] == "human" and row["fallback_quality"] == pytest.approx(0.98)
    assert row["time_saved_s"] == pytest.approx(120 - 0.8 - 0.02 * 120)
    quality = row["quality_gain"] + 0.98
    assert row["errors_avoided_per_1k"] == pytest.approx(1000 * (0.02 - (1 - quality)), abs=0.01)
    worth = (quality - 0.98) * 0.5 - (0.01 - 1.0) + (0.02 - (1 - quality)) * 2.0
    assert row["net_value_usd"] == pytest.approx(worth, abs=1e-6)
    assert row["net_value_low_usd"] <= worth <= row["net_value_high_usd"]


def test_without_what_answers_are_worth_there_is_no_net_value():
    c = candidate("c", rows(1))
    figures = dict(c.figures) | {"latency_ms": {"e2e": {"mean": None}}}
    c = type(c)(c.name, c.folder, figures, {"suite_dir": "nowhere"}, c.profile, c.rows)
    (row,) = against_fallbacks([c], doing_without([c], []))["rows"]
    assert row["net_value_usd"] is None and row["time_saved_s"] is None


def test_a_request_that_failed_gave_no_wrong_answer():
    made = rows(2, fail=1.0)
    assert isinstance(made, Rows) and not made.wrong.any()


def asked(items, passed, times=3):
    """A candidate that was asked every item some times; ``passed`` by item and time."""
    made = rows(1, n=times * len(items), items=len(items), fail=0.0)
    order = np.tile(np.arange(len(items)), times)
    right = np.concatenate([passed(k) for k in range(times)])
    c = candidate("c", replace(made, item=order, passed=right))
    return replace(c, figures={**c.figures, "latency_ms": {"e2e": {"mean": 800.0}}})


def without(items):
    """The baselines that know the prompt, on items of nothing but triage."""
    return DoingWithout(offline(items), (), np.arange(len(items)), len(items))


def test_a_candidate_that_reads_the_screen_beats_the_rules_on_triage(items):
    rng = np.random.default_rng(1)
    found = triage_gain(asked(items, lambda _: rng.random(len(items)) < 0.9), without(items))
    assert found.low > 0.2 and found.against(0.01, upper=False) == CheckVerdict.PASS
    assert found.n == len(items)


def test_one_that_answers_as_the_rules_do_does_not_beat_them_and_one_that_knows_less_fails_too(items):
    rules = {f.name: f for f in offline(items)}["rules"]
    same = triage_gain(asked(items, lambda _: rules.passed > 0.5), without(items))
    assert same.value == 0 and same.against(0.01, upper=False) == CheckVerdict.FAIL
    silent = triage_gain(asked(items, lambda _: np.zeros(len(items), bool)), without(items))
    assert silent.high < 0 and silent.against(0.01, upper=False) == CheckVerdict.FAIL


def test_it_must_beat_both_and_the_one_that_leaves_less_counts(items):
    """Right exactly where the rules are wrong: better than the usual answer, and no better than the rules."""
    plain = without(items)
    prior, rules = (f for f in plain.fallbacks if f.name in ("prior", "rules"))
    strong = rules._replace(passed=np.full(len(items), 0.95))
    either = plain._replace(fallbacks=[prior, strong])
    rng = np.random.default_rng(2)
    c = asked(items, lambda _: rng.random(len(items)) < 0.8)
    assert triage_gain(c, plain).against(0.01, upper=False) == CheckVerdict.PASS
    assert triage_gain(c, either).against(0.01, upper=False) == CheckVerdict.FAIL


def test_three_items_that_agree_settle_nothing(items):
    few = items[:3]
    c = asked(few, lambda _: np.ones(3, bool))
    nothing = [f._replace(passed=np.zeros(3), wrong=np.zeros(3)) for f in offline(few)]
    found = triage_gain(c, DoingWithout(nothing, (), np.arange(3), 3))
    assert found.value == 1 and found.against(0.01, upper=False) == CheckVerdict.INCONCLUSIVE


def test_without_triage_or_without_the_suite_there_is_no_such_gate(items):
    c = asked(items, lambda _: np.ones(len(items), bool))
    assert triage_gain(c, without(items)._replace(triage=np.zeros(0, np.int64))) is None
    assert triage_gain(c, doing_without([replace(c, header={"suite_dir": "nowhere"})], [])) is None


@pytest.mark.parametrize(
    ("low", "high", "dearer", "said"),
    [
        (0.01, 0.09, 0.5, "better"),
        (-0.01, 0.03, -0.5, "as good for less"),
        (-0.01, 0.03, 0.5, "open"),
        (-0.01, 0.03, float("nan"), "open"),
        (-0.06, 0.03, -0.5, "open"),
        (-0.06, -0.01, -0.5, "worse"),
    ],
)
def test_a_candidate_is_worth_having_if_it_is_better_or_as_good_for_less(low, high, dearer, said):
    assert _verdict(low, high, dearer) == said


def test_what_wrong_answers_cost_counts_among_what_is_paid():
    plain = Fallback("f", "", np.zeros(2), np.zeros(2), 1.0, None)
    cheap = plain._replace(usd=0.4)
    assert _dearer(cheap, plain, np.array([0.0, -0.1]), None) == pytest.approx(-0.6)
    assert _dearer(cheap, plain, np.array([0.0, -0.1]), 20.0) == pytest.approx(-0.6 + 1.0)
