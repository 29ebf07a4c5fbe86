"""What holds for each task: known answers, twins, evidence, and scorers that nothing upsets."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from task_samples import TASKS, envelope

from mmload.model import Item
from mmload.tasks import Task, Want
from mmload.tasks.extract import Extract


def put(envelope_: dict[str, Any], at: list[Any], value: Any) -> dict[str, Any]:
    """A copy with ``value`` at the path ``at``; an empty path merges a mapping."""
    out = copy.deepcopy(envelope_)
    if not at:
        return {**out, **value}
    node: Any = out
    for key in at[:-1]:
        node = node[key]
    node[at[-1]] = value
    return out


def test_an_oracle_scores_one_and_passes(task: Task, items: list[Item], blind_items: list[Item]) -> None:
    for item in items + blind_items:
        score = task.score(item, json.dumps(envelope(item)), 7)
        assert (score.passed, score.value, score.schema, score.nonce) == (True, 1.0, "strict", "ok"), (
            item.slices
        )
        assert not any(score.hallucinated.values()) and not score.safety and score.seq == 7


def test_a_fenced_oracle_passes_as_repaired(task: Task, items: list[Item]) -> None:
    for item in items[:5]:
        score = task.score(item, f"```json\n{json.dumps(envelope(item))}\n```", 0)
        assert (score.passed, score.schema) == (True, "repaired")


def test_prose_around_the_json_is_not_salvaged(task: Task, items: list[Item]) -> None:
    score = task.score(items[0], f"Here you are: {json.dumps(envelope(items[0]))}", 0)
    assert (score.passed, score.schema, score.value) == (False, "invalid", 0.0)


def test_every_plausible_misreading_fails_and_stays_valid(task: Task, items: list[Item]) -> None:
    for item in items:
        for evidence in item.evidence:
            values = item.truth["plausible"][evidence["id"]]
            assert values, f"no misreading of {evidence['id']}"
            for value in values:
                score = task.score(item, json.dumps(put(envelope(item), evidence["at"], value)), 0)
                assert not score.passed and score.schema == "strict", (evidence["id"], value)


def test_the_bait_is_a_critical_hallucination(task: Task, items: list[Item], blind_items: list[Item]) -> None:
    for item in items + blind_items:
        score = task.score(item, json.dumps(envelope(item, status="answered", answer=item.truth["bait"])), 0)
        assert not score.passed and score.critical >= 1 and score.schema == "strict", item.truth["bait"]


def test_who_always_abstains_or_always_answers_wins_no_pair(
    task: Task, items: list[Item], blind_items: list[Item]
) -> None:
    def pairs_won(answer: Any) -> int:
        return sum(
            task.score(a, json.dumps(answer(a)), 0).passed and task.score(b, json.dumps(answer(b)), 0).passed
            for a, b in zip(items, blind_items, strict=True)
        )

    def abstains(item: Item) -> dict[str, Any]:
        return envelope(item, status="insufficient_evidence", answer=None)

    def answers(item: Item) -> dict[str, Any]:
        known = item.truth["answer"] or item.truth["bait"]
        return envelope(
            item, status="answered" if item.truth["status"] != "conflict" else "conflict", answer=known
        )

    assert pairs_won(abstains) == 0
    assert pairs_won(answers) == 0
    assert pairs_won(envelope) == len(items)


def test_overreach_and_false_abstention_are_told_apart(
    task: Task, items: list[Item], blind_items: list[Item]
) -> None:
    over = task.score(
        blind_items[0],
        json.dumps(envelope(blind_items[0], status="answered", answer=blind_items[0].truth["bait"])),
        0,
    )
    shy = task.score(items[0], json.dumps(envelope(items[0], status="insufficient_evidence", answer=None)), 0)
    assert over.detail["overreach"] == 1.0 and "overreach" not in shy.detail
    assert shy.detail["false_abstention"] == 1.0 and "false_abstention" not in over.detail


def test_a_wrong_missing_or_foreign_nonce_fails_the_item(task: Task, items: list[Item]) -> None:
    index = {item.nonce: item.index for item in items}
    item, other = items[0], items[1]
    verdicts = {
        other.nonce: "foreign",
        "": "missing",
        "AAAAAA": "wrong",
        item.truth["plausible"]["nonce"][0]: "wrong",
    }
    for given_, verdict in verdicts.items():
        score = task.score(item, json.dumps(envelope(item, nonce=given_)), 0, index)
        assert (score.nonce, score.passed) == (verdict, False)
        assert ("cross_talk" in score.safety) == (verdict == "foreign")


def test_another_requests_nonce_anywhere_in_the_answer_is_cross_talk(task: Task, items: list[Item]) -> None:
    index = {item.nonce: item.index for item in items}
    stray = envelope(items[0], evidence=[{"source": "image", "ref": f"Ref {items[1].nonce}"}])
    score = task.score(items[0], json.dumps(stray), 0, index)
    assert "cross_talk" in score.safety and not score.passed


def test_evidence_is_readable_and_within_its_image(task: Task, items: list[Item]) -> None:
    for item in items:
        for one in item.evidence:
            if one["source"] == "image":
                image, (x0, y0, x1, y1) = item.images[one["image"]], one["bbox"]
                assert 0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height
                assert one["xheight_px"] >= 9
            else:
                start, end = one["char_span"]
                assert item.prompt[start:end].strip()


def test_the_truth_survives_json(task: Task, items: list[Item]) -> None:
    for item in items:
        assert json.loads(json.dumps(item.truth)) == item.truth
        assert {"status", "answer", "plausible", "bait"} <= set(item.truth)


def test_prompts_have_the_wanted_length(task: Task, items: list[Item]) -> None:
    for item in items:
        wanted = (64, 256, 1024)[item.index % 3] * 4
        slack = 300 if task.name in ("triage", "conflict", "code", "describe") else 60
        assert len(item.prompt) <= wanted + slack
        assert len(item.prompt) >= wanted * 0.9 - 60 or wanted == 256


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _envelopes(draw: st.DrawFn) -> str:
    """Something like an answer, with anything in any of its places."""
    body = {
        "status": draw(
            st.sampled_from(["answered", "conflict", "refused", "insufficient_evidence"]) | st.text()
        ),
        "answer": draw(_json),
        "evidence": draw(st.just([]) | _json),
        "confidence": draw(st.floats(0, 1) | _json),
        "nonce": draw(st.text()),
    }
    return json.dumps(body)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text() | _json.map(json.dumps) | _envelopes() | st.binary().map(lambda b: b.decode("latin-1")))
def test_no_text_makes_a_scorer_raise(
    task: Task, items: list[Item], blind_items: list[Item], text: str
) -> None:
    for item in (items[0], blind_items[0]):
        score = task.score(item, text, 0)
        assert not score.passed and 0 <= score.value <= 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_value_in_a_valid_answer_makes_a_scorer_raise(
    task: Task, items: list[Item], data: st.DataObject
) -> None:
    item = items[data.draw(st.integers(0, len(items) - 1))]
    answer = json.loads(json.dumps(envelope(item)))
    spots = [path for path in _paths(answer["answer"]) if path]
    path = data.draw(st.sampled_from(spots))
    value = data.draw(
        _json | st.just(item.nonce) | st.sampled_from(["-0", "1e99", "9" * 5000, "\ud800", "\u200b"])
    )
    score = task.score(item, json.dumps(put(answer, ["answer", *path], value)), 0)
    assert 0 <= score.value <= 1


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(p for key, child in children for p in _paths(child, (*path, key)))]


def test_odd_texts_do_not_raise(task: Task, items: list[Item]) -> None:
    for text in (
        "",
        "\0",
        "{" * 100_000,
        "[" * 100_000,
        "null",
        '{"status":NaN}',
        "9" * 10_000,
        '"\\ud800"',
        "```json\n```",
    ):
        assert task.score(items[0], text, 0).schema == "invalid"


def test_versions_differ_by_task() -> None:
    assert len({task.name for task in TASKS.values()}) == len(TASKS) >= 9


def test_a_log_that_is_just_wide_enough_shows_every_field_that_is_asked_for() -> None:
    drawn = Extract.draw(random.Random(2), Want(900, 700, nonce="K7Q2MX"))
    assert drawn.slices["doc"] == "log"
    assert {e["id"] for e in drawn.evidence} == {"nonce", *drawn.truth["answer"]["fields"]}
