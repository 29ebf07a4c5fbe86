"""What one would do without: baselines scored by the real scorers, on the same items."""

import numpy as np
import pytest
from task_samples import TASKS, item_of, want_of

from mmload.compare.fallbacks import _SILENT, _rules, against_fallbacks, offline
from mmload.compare.runs import Rows
from mmload.model import Item
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
    found = against_fallbacks([c], [], [], right_usd=0.5, wrong_usd=2.0)
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
    (row,) = against_fallbacks([c], [], [], None, None)["rows"]
    assert row["net_value_usd"] is None and row["time_saved_s"] is None


def test_a_request_that_failed_gave_no_wrong_answer():
    made = rows(2, fail=1.0)
    assert isinstance(made, Rows) and not made.wrong.any()
