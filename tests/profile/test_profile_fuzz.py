"""Whatever a profile holds, it is read or refused with one message; nothing else escapes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmload.model import InputError
from mmload.profile import Profile, load
from mmload.profile.lines import key_lines

BURST = (Path(__file__).parents[2] / "traffic_profiles" / "burst.toml").read_text()
KEYS = sorted(".".join(str(part) for part in path) for path in key_lines(BURST))
LEAVES = st.one_of(
    st.none().map(lambda _: {}),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8),
    st.dates(),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3)
    ),
)
RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read(file: Path, *sets: str) -> None:
    try:
        assert isinstance(load(file, sets, known={"shape": ["sustained", "burst"]}), Profile)
    except InputError as error:
        assert str(error)
        assert "\n\n" not in str(error)
        assert not re.search(r"pydantic|Traceback|object at 0x", str(error))


@RELAXED
@given(st.sampled_from(KEYS), VALUES)
def test_any_value_under_any_key_is_taken_or_refused(tmp_path: Path, key: str, value: object) -> None:
    file = tmp_path / "x.toml"
    file.write_text(BURST)
    text = tomli_w.dumps({"x": {"y": value}}, multiline_strings=False)
    _, _, inline = text.partition("y = ")
    if inline and "\n" not in inline.strip():
        read(file, f"{key}={inline.strip()}")


@RELAXED
@given(st.integers(0, len(BURST)), st.integers(0, 40), st.binary(max_size=4))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, place: int, gone: int, new: bytes) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(BURST[:place].encode() + new + BURST[place + gone :].encode())
    read(file)


@RELAXED
@given(st.text(max_size=60))
def test_any_override_is_taken_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(BURST)
    read(file, text)
    read(file, f"name={text}")


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a=" + "{b=" * 3000, "x=[" + "[1]," * 100_000 + "]", "\x00", "\r", "a=1\ra=2"]
)
def test_hostile_text_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text, newline="")
    with pytest.raises(InputError):
        load(file)
