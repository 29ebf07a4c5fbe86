"""Gate, then rank; fixed anchors; how firm a ranking is."""

from hypothesis import given
from hypothesis import strategies as st

from mmload.compare.ranking import pareto_front, rank
from mmload.scorecard import matrix

FIGURES = {
    "quality": 0.9,
    "robustness_loss": 0.05,
    "critical_hallucination": 0.01,
    "good_of_offered": 0.85,
    "per_good_query_usd": 0.01,
    "friction_index": 10.0,
    "over_slo": 0.02,
    "safety_violations": 0.0,
}
shares = st.floats(0, 1)
candidates = st.dictionaries(
    st.sampled_from("abcdef"),
    st.fixed_dictionaries(dict.fromkeys(FIGURES, shares)),
    min_size=2,
    max_size=5,
)


def test_better_in_everything_ranks_first_whatever_the_weights():
    found = rank({"worse": FIGURES | {"quality": 0.8, "over_slo": 0.1}, "better": FIGURES}, matrix())
    assert found.order == ("better", "worse")
    assert found.first_share["better"] == 1.0


def test_a_close_call_is_told_as_one():
    cheap = FIGURES | {"quality": 0.84, "per_good_query_usd": 0.0}
    found = rank({"good": FIGURES, "cheap": cheap}, matrix())
    assert 0.05 < found.first_share[found.order[0]] < 0.999
    assert abs(sum(found.first_share.values()) - 1) < 1e-9


@given(candidates)
def test_a_further_candidate_reorders_no_others(figures):
    last = sorted(figures)[-1]
    fewer = {n: f for n, f in figures.items() if n != last}
    kept = [n for n in rank(figures, matrix()).order if n != last]
    assert kept == list(rank(fewer, matrix()).order)


def test_twins_keep_their_order_however_many_others_there_are():
    twins = dict.fromkeys(
        "bc", dict.fromkeys(FIGURES, 0.0) | {"critical_hallucination": 0.048867633146447945}
    )
    none = dict.fromkeys(FIGURES, 0.0)
    for others in ("", "a", "ad", "ade", "adef"):
        order = rank({**twins, **dict.fromkeys(others, none)}, matrix()).order
        assert [n for n in order if n in "bc"] == ["b", "c"]


def test_a_dimension_that_one_has_no_figure_for_ranks_nobody():
    found = rank({"a": FIGURES, "b": FIGURES | {"robustness_loss": None}}, matrix())
    assert found.left_out == ("robustness",)
    assert "robustness" not in found.utilities["a"]


def test_nobody_survives_nobody_ranks():
    assert rank({}, matrix()).order == ()


def test_the_front_holds_whom_no_other_beats():
    def point(name, quality, p95, usd):
        return {"name": name, "quality": quality, "e2e_p95_ms": p95, "per_good_query_usd": usd}

    points = [point("a", 0.9, 900, 0.01), point("b", 0.8, 500, 0.01), point("c", 0.8, 950, 0.02)]
    assert pareto_front(points) == {"a", "b"}
    assert pareto_front([point("a", 0.9, None, None), point("b", 0.8, 1, 1)]) == {"a"}
