"""Anthropic messages: the request, and answers whole and streamed."""

import base64
import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from wire.transcripts import (
    HISTORY,
    ITEM,
    MESSAGE_START,
    MESSAGE_STOP,
    MESSAGES_STREAM,
    MESSAGES_TOOL_STREAM,
    MESSAGES_WHOLE,
    ONE_IMAGE,
    block_delta,
    block_start,
    message,
    message_delta,
    sse,
)

from mmload.model import ErrorKind
from mmload.testing.adapters import told
from mmload.wire import Reader
from mmload.wire.anthropic_messages import AnthropicMessages

ADAPTER = AnthropicMessages("m", {"temperature": 0})


def read(data: bytes, stream: bool = True, cuts: tuple[int, ...] = ()) -> Reader:
    reader = ADAPTER.reader(stream)
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for a, b in pairwise(edges):
        reader.feed(data[a:b])
    reader.close()
    return reader


def whole(body: dict[str, object]) -> Reader:
    return read(json.dumps(body).encode(), stream=False)


def test_one_image_is_sent_as_a_base64_block_before_the_text() -> None:
    body = json.loads(ADAPTER.encode(ONE_IMAGE, [b"png"], stream=False))
    assert set(body) == {"model", "max_tokens", "messages", "temperature"}
    image, text = body["messages"][0]["content"]
    data = base64.b64encode(b"png").decode()
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": data}
    assert text == {"type": "text", "text": "what?"}


def test_several_images_keep_their_order_and_the_system_prompt_stands_apart() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], stream=True))
    assert body["system"] == "be brief" and body["stream"] is True
    kinds = [part["source"]["media_type"] for part in body["messages"][0]["content"][:2]]
    assert kinds == ["image/png", "image/jpeg"]


def test_several_turns_go_before_the_question_with_their_pictures_and_answers() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False, HISTORY))
    alone = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False))
    assert [m["role"] for m in body["messages"]] == [*["user", "assistant"] * 2, "user"]
    assert body["messages"][-1:] == alone["messages"] and body["system"] == alone["system"]
    first, answer, second, other = body["messages"][:-1]
    assert [block["type"] for block in first["content"]] == ["image", "text"]
    assert (answer["content"], other["content"]) == ('{"a": 1}', "b")
    assert second["content"] == [{"type": "text", "text": "and?"}]


def test_max_tokens_is_the_profiles_else_the_items() -> None:
    assert json.loads(ADAPTER.encode(ITEM, [b"", b""], stream=False))["max_tokens"] == 77
    asked = AnthropicMessages("m", {"max_tokens": 5}).encode(ITEM, [b"", b""], stream=False)
    assert json.loads(asked)["max_tokens"] == 5


def test_headers_carry_the_version_and_the_key() -> None:
    version = {"anthropic-version": "2026-10-21"}
    assert ADAPTER.headers("k") == {**version, "Authorization": "Bearer k", "x-api-key": "k"}
    assert ADAPTER.headers(None) == version


def test_a_stream_gives_text_model_and_its_end() -> None:
    reader = read(MESSAGES_STREAM)
    assert (reader.text, reader.content_events, reader.error) == ("Hi you", 2, "")
    assert (reader.model, reader.finish_reason, reader.done) == ("m-1", "end_turn", True)


def test_usage_counts_the_cache_into_the_input_and_the_last_event_bills_the_output() -> None:
    assert read(MESSAGES_STREAM).usage == (11, 3, 4)
    assert read(MESSAGES_WHOLE, stream=False).usage == (11, 3, 4)
    assert read(sse(MESSAGE_START)).usage == (11, None, 4)
    later = sse(MESSAGE_START, message_delta("end_turn", input_tokens=50))
    assert read(later).usage == (56, 3, 4)


@given(st.lists(st.integers(0, len(MESSAGES_STREAM)), max_size=8))
def test_the_cut_does_not_matter(cuts: list[int]) -> None:
    assert told(read(MESSAGES_STREAM, cuts=tuple(cuts))) == told(read(MESSAGES_STREAM))


def test_a_whole_message_says_the_same() -> None:
    reader = read(MESSAGES_WHOLE, stream=False)
    assert (reader.text, reader.model, reader.finish_reason, reader.error) == (
        "Hi you",
        "m-1",
        "end_turn",
        "",
    )


def test_the_input_of_a_tool_is_the_text_where_there_is_no_other() -> None:
    streamed = read(MESSAGES_TOOL_STREAM)
    assert (streamed.text, streamed.error, streamed.finish_reason) == ('{"a":1}', "", "tool_use")
    assert streamed.tool_call_events == 3
    block = {"type": "tool_use", "id": "t", "name": "answer", "input": {"a": 1}}
    assert whole(message([block], "tool_use")).text == '{"a":1}'


def test_structured_output_is_asked_for_by_the_profile_alone() -> None:
    asked = {"output_config": {"format": {"type": "json_schema", "schema": {}}}}
    body = json.loads(AnthropicMessages("m", asked).encode(ONE_IMAGE, [b""], stream=False))
    assert body["output_config"] == asked["output_config"]
    assert whole(message([{"type": "text", "text": '{"a":1}'}], "end_turn")).text == '{"a":1}'


def test_thinking_is_counted_apart_from_content() -> None:
    reader = ADAPTER.reader(True)
    assert reader.feed(sse(MESSAGE_START, block_delta(0, type="thinking_delta", thinking="hm"))) == 0
    assert (reader.reasoning_events, reader.content_events) == (1, 0)
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert whole(message([thought, {"type": "text", "text": "x"}], "end_turn")).reasoning_events == 1


def test_text_at_the_start_of_a_block_counts() -> None:
    reader = read(sse(MESSAGE_START, block_start(0, type="text", text="Hi"), MESSAGE_STOP))
    assert (reader.text, reader.error) == ("Hi", "")


def test_a_stop_reason_without_message_stop_is_success_and_neither_is_truncated() -> None:
    hi = block_delta(0, type="text_delta", text="Hi")
    assert read(sse(MESSAGE_START, hi, message_delta("end_turn"))).error == ""
    assert read(sse(MESSAGE_START, hi)).error == ErrorKind.TRUNCATED_STREAM


def test_a_refusal_is_a_filtered_answer() -> None:
    assert whole(message([], "refusal")).error == ErrorKind.CONTENT_FILTER


def test_an_error_inside_a_stream_is_an_error() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reader = read(sse(MESSAGE_START, error))
    assert (reader.error, reader.detail) == (ErrorKind.API_ERROR_IN_STREAM, "Overloaded")
    assert whole(error).error == ErrorKind.API_ERROR_IN_STREAM


def test_an_error_body_gives_its_message() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: missing"}}'
    assert ADAPTER.error_detail(body) == "max_tokens: missing"


def test_broken_payloads_have_kinds_of_their_own() -> None:
    assert read(b"data: {nope\n\n").error == ErrorKind.MALFORMED_SSE
    assert read(b'data: {"type":"\xff"}\n\n').error == ErrorKind.INVALID_UTF8
    assert read(b"{nope", stream=False).error == ErrorKind.MALFORMED_JSON
    assert read(b"", stream=False).error == ErrorKind.EMPTY_RESPONSE


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise(data: bytes, streamed: bool) -> None:
    read(data, stream=streamed)
