"""Which items are asked in one session."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import make_items

from mmload.corpus import Ask, Scripts, arrange
from mmload.model import InputError
from mmload.profile import Sessions

ASKS = st.lists(
    st.builds(
        Ask,
        task=st.sampled_from(["chart", "extract"]),
        system=st.sampled_from(["a", "b"]),
        kin=st.integers(0, 30).map(str),
        pictures=st.one_of(st.just(()), st.integers(0, 5).map(lambda n: (f"sha{n}",))),
    ),
    min_size=1,
    max_size=60,
)
LENGTHS = st.one_of(
    st.integers(2, 5), st.dictionaries(st.integers(1, 6).map(str), st.floats(0.1, 3), min_size=1, max_size=3)
)


def several(turns: int | dict[str, float]) -> bool:
    return Sessions.model_validate({"turns": turns}).several


@given(asks=ASKS, turns=LENGTHS.filter(several), seed=st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_scripts_share_no_item_keep_to_one_task_and_part_twins(
    asks: list[Ask], turns: int | dict[str, float], seed: int
) -> None:
    sessions = Sessions.model_validate({"turns": turns})
    try:
        made = arrange(sessions, asks, seed)
    except InputError as refused:
        assert "raise mix.items" in str(refused)
        return
    assert made is not None and made == arrange(sessions, asks, seed)
    asked = [item for script in made.turns for item in script]
    assert len(asked) == len(set(asked))
    for script in made.turns:
        assert 1 <= len(script) <= max(sessions.weights)
        assert len({(asks[item].task, asks[item].system) for item in script}) == 1
        assert len({asks[item].kin for item in script}) == len(script)
    for item in range(len(asks)):
        before = made.before(item)
        assert item not in before and (made.place[item] == len(before) or made.place[item] == -1)
        if item in asked:
            assert made.turns[made.of[item]][len(before)] == item
            assert made.length(item) == len(made.turns[made.of[item]])


def plain(count: int) -> list[Ask]:
    return [Ask("chart", "", str(n), (f"sha{n}",)) for n in range(count)]


def made_of(asks: list[Ask], **sessions: object) -> Scripts:
    found = arrange(Sessions.model_validate(sessions), asks, 7)
    assert found is not None
    return found


def test_lengths_come_in_the_proportions_asked_for() -> None:
    made = made_of(plain(400), turns={"1": 0.5, "3": 0.25, "5": 0.25})
    lengths = [len(script) for script in made.turns]
    assert len(lengths) == 160 and [lengths.count(n) for n in (1, 3, 5)] == [80, 40, 40]
    assert made.mean == 2.5
    assert lengths[:80] != sorted(lengths[:80]), "lengths are mixed"


def test_what_fills_no_script_is_not_asked() -> None:
    made = made_of(plain(10), turns=3)
    assert [len(script) for script in made.turns] == [3, 3, 3]
    assert made.place.count(-1) == 1
    left_out = made.place.index(-1)
    assert made.before(left_out) == () and made.length(left_out) == 1


def test_later_turns_stay_with_the_picture_where_the_suite_asks_more_about_it() -> None:
    asks = [Ask("own", "", str(n), (f"sha{n // 3}",)) for n in range(30)]
    made = made_of(asks, turns=3)
    assert all(len({asks[item].pictures for item in script}) == 1 for script in made.turns)


def test_one_turn_makes_no_scripts_and_too_few_items_are_refused() -> None:
    assert arrange(Sessions(), plain(3), 1) is None
    with pytest.raises(InputError, match='2 items of the task "chart" make no session of 3 turns'):
        arrange(Sessions(turns=3), plain(2), 1)


def test_another_seed_puts_other_items_together() -> None:
    sessions = Sessions(turns=2)
    assert arrange(sessions, plain(20), 1) != arrange(sessions, plain(20), 2)


def test_a_picture_is_shown_once_in_its_session_and_what_is_carried_adds_up() -> None:
    items = make_items(4)
    items = [replace(item, images=items[0].images) if n in (1, 3) else item for n, item in enumerate(items)]
    made = Scripts(((0, 1, 2), (3,)), 4)
    assert made.fresh(items) == [items[0].images, (), items[2].images, items[0].images]
    assert made.carried([1, 10, 100, 1000], [5, 50, 500, 5000]) == [
        1,
        1 + 5 + 10,
        1 + 5 + 10 + 50 + 100,
        1000,
    ]


def test_a_journal_gives_the_scripts_of_its_run_back() -> None:
    made = made_of(plain(10), turns=3)
    assert Scripts.of_run(json.loads(json.dumps({"scripts": made.turns})), 10) == made
    assert Scripts.of_run({"scripts": None}, 10) is None and Scripts.of_run({}, 10) is None
