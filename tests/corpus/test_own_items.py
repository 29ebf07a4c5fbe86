from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmload import corpus
from mmload.corpus import own
from mmload.model import InputError
from mmload.profile import Mix, load
from mmload.tasks.own import SCORERS, Own

LINES: list[dict[str, Any]] = [
    {"images": ["a.png"], "prompt": "Which colour?", "expected": "red", "slices": {"kind": "colour"}},
    {
        "images": ["a.png", "b.jpg"],
        "prompt": "Total?",
        "expected": "1,234.50",
        "scorer": "amount",
        "timestamp": 3.5,
    },
    {
        "images": [],
        "prompt": "Who?",
        "expected": ["Ada Lovelace", "A. Lovelace"],
        "scorer": "anls",
        "threshold": 0.8,
    },
    {
        "images": ["b.jpg"],
        "prompt": "Fields?",
        "expected": {"id": "F-1", "sum": 3},
        "scorer": "fields",
        "schema": {"type": "object", "required": ["id"]},
        "id": "form-1",
    },
    {"images": ["a.png"], "prompt": "What hides behind?", "answerable": False},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), (200, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGB", (300, 200), (0, 0, 90)).save(tmp_path / "b.jpg")
    (tmp_path / "items.jsonl").write_text("\n".join(json.dumps(line) for line in LINES) + "\n\n")
    return tmp_path


@pytest.fixture
def suite(folder: Path) -> corpus.Suite:
    return corpus.build(
        Mix(items_file=str(folder / "items.jsonl"), tasks={"own": 1}), {"own": Own()}, folder / "cache"
    )


def test_own_items_become_a_suite(suite: corpus.Suite) -> None:
    assert corpus.verify(suite) == []
    assert [i.id == "form-1" for i in suite.items] == [False, False, False, True, False]
    assert suite.items[0].slices["kind"] == "colour" and suite.items[1].images[1].format == "jpeg"
    assert all(i.task == "own" for i in suite.items)


RIGHT = ("Red ", "€1234.5", "ada lovelace", '{"id": "f-1", "sum": 3}', "unanswerable")
WRONG = ("blue", "1234.51", "Bob", '{"sum": 3}', "a cat")


def test_each_scorer_knows_right_from_wrong(suite: corpus.Suite) -> None:
    task = Own()
    for item, right, wrong in zip(suite.items, RIGHT, WRONG, strict=True):
        assert task.score(item, right, 1).passed, right
        assert not task.score(item, wrong, 1).passed, wrong
        assert task.score(item, item.truth["text"], 1).passed, "the ideal text is right"


def test_an_answer_in_the_envelope_is_taken_by_its_answer(suite: corpus.Suite) -> None:
    body = {"status": "answered", "answer": "red", "evidence": [], "confidence": 1, "nonce": ""}
    assert Own().score(suite.items[0], json.dumps(body), 1).passed
    cannot = {**body, "status": "insufficient_evidence", "answer": None}
    assert Own().score(suite.items[4], json.dumps(cannot), 1).passed


def test_a_text_that_declines_is_an_abstention_and_no_answer(suite: corpus.Suite) -> None:
    colour, cannot = suite.items[0], suite.items[4]
    for text in ("unanswerable", "null", ""):
        assert Own().score(cannot, text, 1).status == "insufficient_evidence", text
        assert Own().score(colour, text, 1).status == "insufficient_evidence", text
    assert Own().score(cannot, "a cat", 1).status == "answered"
    wants_none = replace(colour, truth={**colour.truth, "answer": "none"})
    right = Own().score(wants_none, "None", 1)
    assert right.passed and right.status == "answered"


def test_a_changed_image_is_another_suite(folder: Path, suite: corpus.Suite) -> None:
    Image.new("RGB", (40, 30), (0, 200, 0)).save(folder / "a.png")
    again = corpus.build(
        Mix(items_file=str(folder / "items.jsonl"), tasks={"own": 1}), {"own": Own()}, folder / "cache"
    )
    assert again.id != suite.id


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"items.jsonl:2: not JSON"),
        ("[" * 100_000, r"items.jsonl:2: not JSON"),
        ("9" * 5_000, r"items.jsonl:2: not JSON"),
        ("[1]", r":2: a line must hold an object, found list"),
        ('{"images": [], "promt": "x", "expected": 1}', r':2: unknown key "promt"; did you mean "prompt"\?'),
        ('{"images": [], "expected": 1}', r':2: key "prompt" is missing'),
        ('{"images": [], "prompt": "x"}', r':2: key "expected" is missing'),
        ('{"images": "a.png", "prompt": "x", "expected": 1}', r":2: images is str, must be list"),
        ('{"images": ["no.png"], "prompt": "x", "expected": 1}', r":2: images\[0\]: .*no.png: No such file"),
        ('{"images": ["items.jsonl"], "prompt": "x", "expected": 1}', r":2: images\[0\]: .*not an image"),
        ('{"images": [7], "prompt": "x", "expected": 1}', r":2: images\[0\] is int, must be a path"),
        (
            '{"images": [], "prompt": "x", "expected": 1, "scorer": "exakt"}',
            r'no scorer "exakt"; did you mean "exact"',
        ),
        (
            '{"images": [], "prompt": "x", "expected": 1, "scorer": "fields"}',
            r"needs expected to be dict, found int",
        ),
        ('{"images": [], "prompt": "x", "expected": 1, "threshold": 2}', r"threshold is 2; allowed"),
        (
            '{"images": [], "prompt": "x", "expected": 1, "schema": {"type": 5}}',
            r":2: schema is no JSON Schema",
        ),
        (
            '{"images": [], "prompt": "x", "expected": true}',
            r"needs expected to be str or int or float, found bool",
        ),
        ('{"images": [], "prompt": "x", "expected": 1, "id": "first"}', r':2: id "first" is that of line 1'),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    good = json.dumps({"images": [], "prompt": "x", "expected": "y", "id": "first"})
    (tmp_path / "items.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=message):
        own.read(tmp_path / "items.jsonl")


def test_a_missing_or_empty_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        own.read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="no items"):
        own.read(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        own.read(tmp_path / "latin.jsonl")


def test_a_profile_finds_its_items_beside_it_and_needs_no_tasks(folder: Path) -> None:
    (folder / "mine.toml").write_text(
        'name = "mine"\n[target]\nengine = "sim"\n[mix]\nitems_file = "items.jsonl"\n'
        '[[phase]]\nname = "p"\nshape = "sustained"\nrpm = 60\nduration_s = 10\n'
    )
    mix = load(folder / "mine.toml").mix
    assert mix.items_file == str(folder / "items.jsonl") and mix.tasks == {"own": 1.0}


def test_scorers_here_and_in_the_file_check_are_the_same() -> None:
    assert set(SCORERS) == set(own.SCORERS)


_values = (
    st.none()
    | st.text()
    | st.integers()
    | st.floats()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)


@given(
    text=st.text() | _values.map(json.dumps),
    expected=st.text() | st.integers(),
    scorer=st.sampled_from(["exact", "relaxed", "contains"]),
)
def test_no_text_makes_the_scorer_raise(text: str, expected: Any, scorer: str) -> None:
    if scorer == "contains":
        expected = str(expected)
    row = own.Row(1, "x", (), "p", expected, scorer, "", None, 1.0, True, 64)
    score = Own().score(own.item(row, 0), text, 0)
    assert 0 <= score.value <= 1
