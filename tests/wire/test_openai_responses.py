"""OpenAI responses: the request, and answers whole and streamed."""

import base64
import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from wire.transcripts import (
    ARGUMENTS,
    COMPLETED,
    CREATED,
    FUNCTION_CALL,
    HISTORY,
    ITEM,
    ONE_IMAGE,
    RESPONSES_STREAM,
    RESPONSES_USAGE,
    RESPONSES_WHOLE,
    output_text,
    response,
    sse,
    text_delta,
)

from mmload.model import ErrorKind
from mmload.testing.adapters import told
from mmload.wire import Reader
from mmload.wire.openai_responses import OpenAIResponses

ADAPTER = OpenAIResponses("m", {"temperature": 0})


def read(data: bytes, stream: bool = True, cuts: tuple[int, ...] = ()) -> Reader:
    reader = ADAPTER.reader(stream)
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for a, b in pairwise(edges):
        reader.feed(data[a:b])
    reader.close()
    return reader


def whole(body: dict[str, object]) -> Reader:
    return read(json.dumps(body).encode(), stream=False)


def test_one_image_is_sent_as_a_data_url() -> None:
    body = json.loads(ADAPTER.encode(ONE_IMAGE, [b"png"], stream=False))
    assert set(body) == {"model", "input", "temperature"}
    text, image = body["input"][0]["content"]
    assert text == {"type": "input_text", "text": "what?"}
    url = "data:image/png;base64," + base64.b64encode(b"png").decode()
    assert image == {"type": "input_image", "detail": "auto", "image_url": url}


def test_several_images_keep_their_order_and_the_system_prompt_is_the_instructions() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], stream=True))
    assert body["instructions"] == "be brief" and body["stream"] is True
    urls = [part["image_url"] for part in body["input"][0]["content"][1:]]
    assert [url.split(";")[0] for url in urls] == ["data:image/png", "data:image/jpeg"]


def test_several_turns_go_before_the_question_with_their_pictures_and_answers() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False, HISTORY))
    alone = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False))
    assert [m["role"] for m in body["input"]] == [*["user", "assistant"] * 2, "user"]
    assert body["input"][-1:] == alone["input"] and body["instructions"] == alone["instructions"]
    first, answer, second, other = body["input"][:-1]
    assert [part["type"] for part in first["content"]] == ["input_text", "input_image"]
    assert (answer["content"], other["content"]) == ('{"a": 1}', "b")
    assert second["content"] == [{"type": "input_text", "text": "and?"}]


def test_structured_output_is_asked_for_by_the_profile_alone() -> None:
    form = {"format": {"type": "json_schema", "name": "a", "schema": {}}}
    asked = json.loads(OpenAIResponses("m", {"text": form}).encode(ONE_IMAGE, [b""], stream=False))
    assert asked["text"] == form
    assert "text" not in json.loads(ADAPTER.encode(ONE_IMAGE, [b""], stream=False))
    assert whole(response("completed", [output_text('{"a":1}')])).text == '{"a":1}'


def test_a_stream_gives_text_usage_model_and_its_end() -> None:
    reader = read(RESPONSES_STREAM)
    assert (reader.text, reader.usage, reader.error) == ("Hi you", (11, 3, 4), "")
    assert (reader.content_events, reader.model, reader.finish_reason) == (2, "m-1", "completed")
    assert reader.done


@given(st.lists(st.integers(0, len(RESPONSES_STREAM)), max_size=8))
def test_the_cut_does_not_matter(cuts: list[int]) -> None:
    assert told(read(RESPONSES_STREAM, cuts=tuple(cuts))) == told(read(RESPONSES_STREAM))


def test_a_whole_response_says_the_same() -> None:
    reader = read(RESPONSES_WHOLE, stream=False)
    assert (reader.text, reader.usage, reader.model, reader.error) == ("Hi you", (11, 3, 4), "m-1", "")


def test_arguments_of_a_tool_call_are_the_text_where_there_is_no_other() -> None:
    done = {"type": "response.completed", "response": response("completed", [FUNCTION_CALL])}
    streamed = read(sse(CREATED, *ARGUMENTS, done))
    assert (streamed.text, streamed.tool_call_events, streamed.error) == ('{"a":1}', 2, "")
    assert read(sse(CREATED, done)).text == '{"a":1}'
    assert whole(response("completed", [FUNCTION_CALL])).text == '{"a":1}'


def test_the_last_event_gives_the_text_that_no_delta_gave() -> None:
    assert read(sse(CREATED, COMPLETED)).text == "Hi you"


def test_reasoning_is_counted_apart_from_content() -> None:
    thought = {"type": "response.reasoning_summary_text.delta", "delta": "hm", "sequence_number": 1}
    reader = ADAPTER.reader(True)
    assert reader.feed(sse(thought)) == 0
    assert (reader.reasoning_events, reader.content_events) == (1, 0)
    assert whole(response("completed", [{"type": "reasoning"}, output_text("x")])).reasoning_events == 1


def test_a_stream_without_its_last_event_is_truncated() -> None:
    assert read(sse(CREATED, text_delta("Hi", 1))).error == ErrorKind.TRUNCATED_STREAM


def test_an_answer_cut_by_its_token_limit_is_an_answer() -> None:
    cut = response("incomplete", [output_text("Hi")], incomplete_details={"reason": "max_output_tokens"})
    assert (whole(cut).error, whole(cut).finish_reason) == ("", "max_output_tokens")
    reader = read(sse(CREATED, text_delta("Hi", 1), {"type": "response.incomplete", "response": cut}))
    assert (reader.error, reader.finish_reason, reader.text) == ("", "max_output_tokens", "Hi")


def test_a_filtered_answer_has_a_kind_of_its_own() -> None:
    cut = response("incomplete", [], incomplete_details={"reason": "content_filter"})
    assert whole(cut).error == ErrorKind.CONTENT_FILTER


def test_every_way_to_say_error_in_a_stream_is_an_error() -> None:
    failed = response("failed", [], error={"code": "server_error", "message": "boom"}, usage=RESPONSES_USAGE)
    for event in (
        {"type": "error", "code": "x", "message": "boom", "param": None, "sequence_number": 1},
        {"type": "error", "error": {"message": "boom"}},
        {"type": "response.failed", "response": failed},
    ):
        reader = read(sse(CREATED, event))
        assert (reader.error, reader.detail) == (ErrorKind.API_ERROR_IN_STREAM, "boom")
    assert whole(failed).detail == "boom"
    assert whole(response("failed", [])).error == ErrorKind.API_ERROR_IN_STREAM


def test_an_error_body_gives_its_message() -> None:
    assert ADAPTER.error_detail(b'{"error":{"message":"no such model","type":"x"}}') == "no such model"


def test_broken_payloads_have_kinds_of_their_own() -> None:
    assert read(b"data: {nope\n\n").error == ErrorKind.MALFORMED_SSE
    assert read(b'data: {"delta":"\xff"}\n\n').error == ErrorKind.INVALID_UTF8
    assert read(b"{nope", stream=False).error == ErrorKind.MALFORMED_JSON
    assert read(b"", stream=False).error == ErrorKind.EMPTY_RESPONSE
    assert whole(response("completed", [])).error == ErrorKind.EMPTY_RESPONSE


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise(data: bytes, streamed: bool) -> None:
    read(data, stream=streamed)
