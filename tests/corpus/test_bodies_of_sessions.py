"""Requests of sessions: what was said before is in the bytes, made once, the same every time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mmload import corpus, plugins
from mmload.model import InputError, Item
from mmload.plan import build, encoder
from mmload.profile import Profile, Target
from mmload.wire.openai_chat import OpenAIChat


def profile(**keys: object) -> Profile:
    told = {
        "name": "t",
        "target": {"engine": "sim", "streaming": 0.0},
        "phase": [{"name": "p", "shape": "sustained", "duration_s": 5, "rpm": 600}],
        "mix": {
            "items": 12,
            "images": {"s": {"width": 256, "height": 256, "weight": 1}},
            "prompt_tokens": {"64": 1},
        },
        **keys,
    }
    return Profile.model_validate(told)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_each_body_holds_the_turns_before_it_with_answers_that_their_scorers_pass(cache: Path) -> None:
    plan = build(profile(sessions={"turns": 3}), Path(), cache)
    data, scripts = plan.bodies.file.read_bytes(), plan.scripts
    assert scripts is not None
    for script in scripts.turns:
        for turn, index in enumerate(script):
            start = plan.bodies.offset[index]
            messages = json.loads(data[start : start + plan.bodies.length[index]])["messages"]
            asked = [m for m in messages if m["role"] == "user"]
            answers = [m["content"] for m in messages if m["role"] == "assistant"]
            earlier = [plan.suite.items[i] for i in script[: turn + 1]]
            assert [m["content"][0]["text"] for m in asked] == [item.prompt for item in earlier]
            assert len(answers) == turn
            for item, answer in zip(earlier, answers, strict=False):
                assert plan.tasks[item.task].score(item, answer, 0).passed, (item.task, answer)
    assert plan.schedule.turns is not None
    per_item = plan.prompt_tokens
    first, second = plan.suite.items[scripts.turns[0][0]], plan.suite.items[scripts.turns[0][1]]
    said = -(-len(corpus.reference(first)) // 4)
    assert per_item[second.index] == first.prompt_tokens + said + second.prompt_tokens


def test_the_answers_of_every_task_that_history_holds_pass_their_scorer(tmp_path: Path) -> None:
    names = [n for n in plugins.names("tasks") if n != "own"]
    made = build(profile(mix={"items": 4 * len(names), "tasks": dict.fromkeys(names, 1.0),
                              "images": {"m": {"width": 768, "height": 512, "weight": 1}},
                              "prompt_tokens": {"256": 1}}), Path(), tmp_path)  # fmt: skip
    wrong = {
        item.task
        for item in made.suite.items
        if not made.tasks[item.task].score(item, corpus.reference(item), 0).passed
    }
    assert not wrong


def test_sessions_change_bodies_and_fingerprint_and_one_turn_leaves_them_as_they_were(cache: Path) -> None:
    alone, talking = build(profile(), Path(), cache), build(profile(sessions={"turns": 3}), Path(), cache)
    again = build(profile(sessions={"turns": 3}), Path(), cache)
    going_on = build(profile(sessions={"turns": 3, "after_failure": "continue"}), Path(), cache)
    single = build(profile(sessions={"turns": 1, "think_time_s": 9}), Path(), cache)
    assert alone.fingerprint == single.fingerprint and alone.bodies.file == single.bodies.file
    assert talking.fingerprint == again.fingerprint
    assert len({p.fingerprint for p in (alone, talking, going_on)}) == 3
    assert alone.bodies.length.sum() < talking.bodies.length.sum()


def test_an_adapter_that_takes_no_history_is_refused_for_sessions_alone() -> None:
    class Old(OpenAIChat):
        def encode(self, item: Item, images: Sequence[bytes], stream: bool) -> bytes:
            return b"{}"

    target = Target(engine="sim", protocol="mine")
    assert encoder(Old("m"), target, sessions=False)
    with pytest.raises(InputError, match='the adapter of protocol "mine" takes no history'):
        encoder(Old("m"), target, sessions=True)
