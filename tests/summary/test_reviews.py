"""What people say of answers, and how far the scorers agree."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Stretch, synthetic_run

from mmload.cli.rescore import keep_reviews
from mmload.model import InputError
from mmload.summary import read_reviews, review_figures
from mmload.summary.reviews import cohen_kappa

counts = st.integers(0, 500)


def test_overrides_and_agreement_are_counted_on_what_was_scored(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("s", 300, 20, quality=0.8),))
    scores = sorted(run.scores, key=lambda s: s.seq)[:60]
    rows = ["seq,verdict,reviewer,minutes"]
    for k, s in enumerate(scores):
        said = s.passed if k % 10 else not s.passed
        rows.append(f"{s.seq},{'right' if said else 'wrong'},p{k % 3},1.5")
    (tmp_path / "reviews.csv").write_text("\n".join(rows))
    found = review_figures(tmp_path, False)
    assert found["compared"] == found["reviewed"] == 60
    assert found["override_ratio"] == pytest.approx(0.1)
    assert found["scorer_too_kind"] + found["scorer_too_strict"] == 6
    assert (found["reviewers"], found["minutes"]) == (3, 90)
    assert 0 < found["kappa"] < 1


def test_without_reviews_there_is_nothing_to_say(tmp_path):
    assert review_figures(tmp_path, False) is None


def test_the_majority_of_several_people_counts_and_a_tie_is_no_verdict(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("seq,verdict\n1,right\n1,wrong\n1,Right\n2,right\n2,wrong\n")
    found = read_reviews(path)
    assert found.verdicts == {1: True}
    assert (found.reviewers, found.minutes) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number,said\n1,right\n", 'columns "seq" and "verdict"'),
        ("seq,verdict\n1,maybe\n", "line 2: verdict"),
        ("seq,verdict\none,right\n", "line 2: seq"),
        ("seq,verdict\n-1,right\n", "line 2: seq"),
        ("", "no row"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_reviews(path)


def test_kappa_of_the_textbook():
    """Cohen 1960's form: 50 pairs, agreement 0.70, chance 0.50."""
    said = Counter({(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15})
    assert cohen_kappa(said) == pytest.approx(0.4)


@given(counts, counts, counts, counts)
def test_kappa_is_symmetric_and_at_most_one(a, b, c, d):
    said = {(True, True): a, (True, False): b, (False, True): c, (False, False): d}
    turned = {(True, True): a, (True, False): c, (False, True): b, (False, False): d}
    value = cohen_kappa(said)
    assert value is None or (value <= 1 and value == pytest.approx(cohen_kappa(turned)))
    json.dumps(value, allow_nan=False)


def test_reviews_of_another_run_are_refused_and_nothing_is_kept(tmp_path):
    synthetic_run(tmp_path / "run", (Stretch("s", 300, 2),))
    path = tmp_path / "r.csv"
    path.write_text("seq,verdict\n1,right\n90001,wrong\n90002,wrong\n")
    with pytest.raises(InputError, match=r"r\.csv: seq: 90001 and 1 more: .*run has no such request"):
        keep_reviews(path, tmp_path / "run")
    assert not (tmp_path / "run/reviews.csv").exists()
    path.write_text("seq,verdict\n1,right\n")
    keep_reviews(path, tmp_path / "run")
    assert (tmp_path / "run/reviews.csv").read_text() == path.read_text()
