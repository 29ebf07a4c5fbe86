"""What the simulated model says, against items whose truth is known."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from known_items import item, picture

from mmload.serve.answers import answer, put, read_probability, stranger, uniform, unread
from mmload.serve.sight import LARGE, SMALL, Eyes, legibility
from mmload.serve.views import View

ONE = picture()
ITEMS = [item(i, ONE, xheight=8 + i % 8) for i in range(400)]
TWINS = [item(i, ONE, answerable=False) for i in range(400)]


def seen(scale: float = 1.0, eyes: Eyes = LARGE, penalty: float = 1.0, chars: int = 10_000) -> View:
    return View(eyes, (scale,), (penalty,), chars)


def said(reply: Any) -> dict[str, Any]:
    return dict(json.loads(reply.text))


def test_a_model_that_reads_everything_gives_the_ideal_envelope() -> None:
    perfect = Eyes(cap=1.0, half_px=0.0, width_px=0.1, abstain=0, overreach=0, cost=1)
    for one in (*ITEMS[:50], *TWINS[:50]):
        envelope = said(answer(one, seen(eyes=perfect), seed=1))
        assert envelope["status"] == one.truth["status"]
        assert envelope["answer"] == one.truth["answer"]
        assert envelope["nonce"] == one.nonce
        assert set(envelope) == {"status", "answer", "evidence", "confidence", "nonce"}


@given(
    st.floats(0.1, 1),
    st.floats(0.1, 1),
    st.floats(1, 1.6),
    st.integers(0, 30),
    st.integers(0, 1000),
    st.integers(0, 399),
)
def test_less_resolution_never_mends_an_answer(
    a: float, b: float, penalty: float, chars: int, seed: int, number: int
) -> None:
    low, high = sorted((a, b))
    one = ITEMS[number]
    worse = unread(one, seen(low, penalty=penalty, chars=chars), seed)
    better = unread(one, seen(high), seed)
    assert set(better) <= set(worse)
    assert set(worse) <= set(unread(one, seen(low, SMALL, penalty, chars), seed))


def test_the_share_read_right_is_the_documented_curve_whatever_the_number_of_fields() -> None:
    for xheight, scale in ((30.0, 1.0), (10.0, 0.7), (8.0, 0.8)):
        many = [item(i, ONE, xheight=xheight) for i in range(3000)]
        right = sum(answer(one, seen(scale), seed=5).right for one in many) / len(many)
        expected = read_probability(many[0], seen(scale))
        assert abs(right - expected) < 4 * (expected * (1 - expected) / 3000) ** 0.5
        assert abs(expected - LARGE.cap * legibility(xheight * scale, LARGE)) < 1e-6


BLURRED = [one for one in ITEMS if {"total", "vendor"} & set(unread(one, seen(0.2), 3))]


def test_what_cannot_be_read_is_admitted_or_invented_at_the_models_own_rate() -> None:
    abstained = sum(answer(one, seen(0.2), seed=3).abstained for one in BLURRED) / len(BLURRED)
    assert len(BLURRED) > 0.97 * len(ITEMS)
    assert abs(abstained - LARGE.abstain) < 0.08


def test_an_invented_value_is_a_plausible_one_and_never_the_truth() -> None:
    for one in BLURRED:
        reply = answer(one, seen(0.2), seed=3)
        if not reply.abstained:
            fields = said(reply)["answer"]["fields"]
            truth = one.truth["answer"]["fields"]
            assert fields != truth
            for name in ("total", "vendor"):
                assert fields[name] in (*one.truth["plausible"][name], truth[name])


def test_an_unanswerable_item_is_sometimes_answered_with_its_bait() -> None:
    for eyes in (LARGE, SMALL):
        replies = [said(answer(one, seen(eyes=eyes), seed=9)) for one in TWINS]
        over = [r for r in replies if r["status"] == "answered"]
        assert all(r["answer"] == TWINS[0].truth["bait"] for r in over)
        assert abs(len(over) / len(TWINS) - eyes.overreach) < 0.05


def test_a_planted_invention_is_the_bait() -> None:
    reply = answer(ITEMS[0], seen(), seed=1, planted=True)
    assert reply.planted and not reply.right
    assert said(reply)["answer"] == ITEMS[0].truth["bait"]


def test_evidence_beyond_the_kept_context_is_mostly_lost() -> None:
    many = [item(i, ONE, xheight=30.0, span=[22, 24]) for i in range(3000)]
    kept = sum(not unread(one, seen(chars=24), 5) for one in many) / len(many)
    cut = sum(not unread(one, seen(chars=23), 5) for one in many) / len(many)
    assert abs(kept - LARGE.cap) < 0.01
    assert abs(cut - 0.15 * LARGE.cap) < 0.025


def test_the_same_seed_gives_the_same_answers_and_another_seed_others() -> None:
    first = [answer(one, seen(0.6), seed=1).text for one in ITEMS]
    assert first == [answer(one, seen(0.6), seed=1).text for one in ITEMS]
    assert first != [answer(one, seen(0.6), seed=2).text for one in ITEMS]


def test_put_replaces_merges_and_leaves_a_vanished_path_alone() -> None:
    envelope: dict[str, Any] = {"status": "answered", "answer": {"rows": [1, 2]}}
    put(envelope, ["answer", "rows", 1], 9)
    assert envelope["answer"] == {"rows": [1, 9]}
    put(envelope, [], {"status": "conflict", "answer": None})
    put(envelope, ["answer", "rows", 0], 5)
    assert envelope == {"status": "conflict", "answer": None}


def test_a_stranger_gets_an_envelope_only_if_one_was_asked_for() -> None:
    assert json.loads(stranger(True))["status"] == "insufficient_evidence"
    assert "{" not in stranger(False)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_draws_lie_in_the_unit_interval(parts: list[str]) -> None:
    assert 0 <= uniform(*parts) < 1
