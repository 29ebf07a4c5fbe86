"""Requests of every kind: what is wrong ends as an error of the API, never as a crash."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_items import data_url, picture

from mmload.serve.chat import MAX_IMAGES, ApiError, Ask, image_bytes, parse

MODELS = ("sim-large",)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("messages", "stream", "stream_options", "n", "max_tokens", "response_format", "tools", "tool_choice")
GOOD: dict[str, Any] = {"model": "sim-large", "messages": [{"role": "user", "content": "hello"}]}


def asked(**more: Any) -> Ask:
    return parse(json.dumps(GOOD | more).encode(), MODELS)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        parse(body, None)
    except ApiError as error:
        assert error.status in (400, 404)


@given(st.dictionaries(st.sampled_from(KEYS), ANY_JSON))
def test_any_values_are_parsed_or_refused(values: dict[str, Any]) -> None:
    try:
        asked(**values)
    except ApiError as error:
        assert error.status == 400
        assert json.loads(error.body())["error"]["message"]


@given(st.lists(ANY_JSON, max_size=3))
def test_any_content_is_parsed_or_refused(parts: list[Any]) -> None:
    try:
        asked(messages=[{"role": "user", "content": parts}])
    except ApiError as error:
        assert error.status == 400


@given(st.text())
def test_any_data_url_is_decoded_or_refused(text: str) -> None:
    try:
        image_bytes("data:image/png;base64," + text)
    except ApiError as error:
        assert error.status == 400


def test_texts_and_pictures_are_taken_in_order() -> None:
    urls = [data_url(picture(mark=mark)) for mark in "ab"]
    parts = [
        {"type": "text", "text": "first"},
        {"type": "image_url", "image_url": {"url": urls[0], "detail": "high"}},
        {"type": "text", "text": "second"},
        {"type": "image_url", "image_url": {"url": urls[1]}},
    ]
    ask = asked(messages=[{"role": "system", "content": "zero"}, {"role": "user", "content": parts}])
    assert ask.text == "zero\nfirst\nsecond"
    assert list(ask.images) == urls


def test_too_many_pictures_are_refused() -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(picture())}}
    with pytest.raises(ApiError, match="at most"):
        asked(messages=[{"role": "user", "content": [part] * (MAX_IMAGES + 1)}])


def test_an_envelope_is_wanted_by_format_or_in_words() -> None:
    assert asked(response_format={"type": "json_object"}).wants_envelope
    assert asked(response_format={"type": "json_schema", "json_schema": {}}).wants_envelope
    assert asked(messages=[{"role": "user", "content": "or insufficient_evidence"}]).wants_envelope
    assert not asked().wants_envelope


def test_the_newer_name_of_the_limit_wins() -> None:
    assert asked(max_tokens=5, max_completion_tokens=7).max_tokens == 7


def test_a_tool_is_called_unless_none_is_wanted() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
    assert asked(tools=tools).tool == "a"
    assert asked(tools=tools, tool_choice={"type": "function", "function": {"name": "b"}}).tool == "b"
    assert asked(tools=tools, tool_choice="none").tool is None
    assert asked().tool is None
