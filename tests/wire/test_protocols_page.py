"""The page of protocols: each test that it names is there, and its example of a template works."""

import re
import tomllib
from pathlib import Path

import pytest
from wire.test_template import make
from wire.transcripts import ITEM

from mmload import plugins

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "protocols.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.split("## What is proved")[1].split("\n## ")[0].splitlines()
    if line.startswith("| ")
]


def test_the_table_has_every_protocol() -> None:
    assert {cell.strip("`") for cell in TABLE[0][1:]} == set(plugins.names("wire"))


@pytest.mark.parametrize("column", range(1, len(TABLE[0])), ids=TABLE[0][1:])
def test_each_cell_names_a_test_that_is_there(column: int) -> None:
    text = (HERE / TABLE[1][column].strip("`")).read_text()
    for row in TABLE[2:]:
        named = re.findall(r"`(test_\w+)`", row[column])
        assert named, row
        for name in named:
            assert f"def {name}(" in text, name


def test_each_habit_of_servers_names_tests_that_are_there() -> None:
    part = PAGE.split("## The variety of servers")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")][1:]
    files = {path.name: path.read_text() for path in HERE.parent.glob("*/test_*.py")}
    file = ""
    for row in rows:
        file, names = (
            (re.findall(r"`(test_\w+\.py)`", row[2]) or [file])[0],
            re.findall(r"`(test_\w+)`", row[2]),
        )
        assert names or "the same" in row[2], row
        for name in names:
            assert f"def {name}(" in files[file], name


def test_the_example_of_a_template_makes_requests(tmp_path: Path) -> None:
    examples = [b for b in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[request]" in b]
    assert len(examples) == 1 and "answer" in tomllib.loads(examples[0])
    assert make(tmp_path, examples[0]).encode(ITEM, [b"a", b"b"], True).startswith(b'{"model":"m"')
