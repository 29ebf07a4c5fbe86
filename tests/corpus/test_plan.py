from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mmload.corpus.plan import deal, parse_format, parse_variant, plan, shares
from mmload.model import InputError
from mmload.profile import Mix

PAIRED = {"extract": False, "ui": False, "chart": False, "overreach": True}


def mix(**changes: Any) -> Mix:
    return Mix(**{"items": 200, **changes})


def test_shares_add_up_and_follow_the_weights() -> None:
    assert shares({"a": 1, "b": 1, "c": 1}, 10) == {"a": 4, "b": 3, "c": 3}
    assert shares({"a": 0, "b": 2}, 7) == {"a": 0, "b": 7}
    with pytest.raises(InputError, match="zero"):
        shares({"a": 0}, 3)


def test_every_attribute_is_dealt_in_exact_proportion_within_a_task() -> None:
    slots = [s for s in plan(mix(unanswerable=0.0), PAIRED) if s.task == "extract"]
    assert len(slots) == 80
    assert Counter(s.size for s in slots) == {"xs": 8, "s": 20, "m": 28, "l": 16, "xl": 8}
    assert Counter(s.prompt_tokens for s in slots) == {64: 24, 256: 28, 1024: 16, 4096: 8, 8000: 4}


def test_unanswerable_items_are_twins_of_answerable_ones_in_the_suite() -> None:
    slots = plan(mix(unanswerable=0.2), PAIRED)
    by_id = {s.id: s for s in slots}
    blind = [s for s in slots if not s.answerable]
    assert len(blind) == 40 and len(by_id) == 200
    for slot in blind:
        twin = by_id[slot.twin]
        assert twin.answerable and twin.scene == slot.scene and twin.size == slot.size


def test_degraded_items_are_twins_of_clean_ones_with_all_severities() -> None:
    slots = plan(mix(variants={"clean": 0.5, "jpeg": 0.4, "rotation@2": 0.1}), PAIRED)
    by_id = {s.id: s for s in slots}
    degraded = [s for s in slots if s.severity]
    assert {s.severity for s in degraded if s.variant == "jpeg"} == {1, 2, 3, 4, 5}
    assert {s.severity for s in degraded if s.variant == "rotation"} == {2}
    for slot in degraded:
        assert by_id[slot.twin].variant == "clean" and by_id[slot.twin].scene == slot.scene


def test_without_clean_items_degraded_ones_stand_alone() -> None:
    slots = plan(mix(variants={"jpeg@1": 1.0}, unanswerable=0.0), PAIRED)
    assert len(slots) == 200 and all(s.variant == "jpeg" and not s.twin for s in slots)


def test_a_paired_task_is_half_unanswerable() -> None:
    slots = plan(mix(tasks={"overreach": 1.0}, unanswerable=0.0), PAIRED)
    assert Counter(s.answerable for s in slots) == {True: 100, False: 100}


def test_another_task_in_the_mix_leaves_the_scenes_of_a_task_alone() -> None:
    alone = plan(mix(items=40, tasks={"ui": 1}), PAIRED)
    both = [s for s in plan(mix(items=80, tasks={"ui": 1, "chart": 1}), PAIRED) if s.task == "ui"]
    assert [s.id for s in alone] == [s.id for s in both]


def test_the_seed_decides() -> None:
    assert plan(mix(), PAIRED) == plan(mix(), PAIRED)
    assert {s.id for s in plan(mix(), PAIRED)}.isdisjoint(s.id for s in plan(mix(suite_seed=1), PAIRED))


@pytest.mark.parametrize("name", ["gif", "jpeg", "jpeg-0", "png-3", "webp-101", ""])
def test_an_unknown_format_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"mix\.formats"):
        parse_format(name)


@pytest.mark.parametrize("name", ["jpeg@0", "jpeg@6", "jpeg@x", "clean@2"])
def test_an_impossible_severity_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"mix\.variants"):
        parse_variant(name)


def test_a_task_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match='no task "sing"; there are: chart'):
        plan(mix(tasks={"sing": 1}), PAIRED)


def test_dealing_is_a_permutation() -> None:
    import random

    assert sorted(deal(random.Random(1), {"a": 1, "b": 3}, 8)) == ["a"] * 2 + ["b"] * 6
