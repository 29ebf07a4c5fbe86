"""Chat completions: requests that a server can read, and the many ways in which servers answer."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.transcripts import HISTORY

from mmload.model import ErrorKind, ImageFile, Item
from mmload.wire import Reader
from mmload.wire.openai_chat import OpenAIChat, error_detail

ADAPTER = OpenAIChat("m", {"temperature": 0})
ITEM = Item(
    index=0, id="a", task="t", variant="clean", severity=0, answerable=True, twin="", slices={},
    images=(ImageFile("x.png", 2, 2, "png", None, "", 3), ImageFile("y.jpg", 2, 2, "jpeg", 85, "", 4)),
    system="be brief", prompt="what?", prompt_tokens=2, truth={}, evidence=(), nonce="", canaries=(),
)  # fmt: skip


def chunk(content: str | None = None, finish: str | None = None, **more: object) -> bytes:
    delta = {} if content is None else {"content": content}
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "model": "m-1", **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
DONE = b"data: [DONE]\n\n"


def stream(*pieces: bytes) -> Reader:
    reader = ADAPTER.reader(True)
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    return reader


def whole(body: object) -> Reader:
    reader = ADAPTER.reader(False)
    reader.feed(body if isinstance(body, bytes) else json.dumps(body).encode())
    reader.close()
    return reader


def test_the_request_carries_prompt_and_images_as_data_urls_and_only_what_was_asked_for() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], stream=True))
    assert body["messages"][0] == {"role": "system", "content": "be brief"}
    text, first, second = body["messages"][1]["content"]
    assert text == {"type": "text", "text": "what?"}
    assert first["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(b"png").decode()
    assert second["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert body["stream_options"] == {"include_usage": True}
    assert set(body) == {"model", "messages", "temperature", "stream", "stream_options"}
    assert "stream" not in json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], stream=False))


def test_several_turns_go_before_the_question_with_their_pictures_and_answers() -> None:
    body = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False, HISTORY))
    alone = json.loads(ADAPTER.encode(ITEM, [b"png", b"jpeg"], False))
    assert [m["role"] for m in body["messages"]] == ["system", *["user", "assistant"] * 2, "user"]
    assert body["messages"][0] == alone["messages"][0] and body["messages"][-1] == alone["messages"][-1]
    first, answer, second, other = body["messages"][1:-1]
    assert [part["type"] for part in first["content"]] == ["text", "image_url"]
    assert first["content"][1]["image_url"]["url"].endswith(base64.b64encode(b"one").decode())
    assert (answer["content"], other["content"]) == ('{"a": 1}', "b")
    assert second["content"] == [{"type": "text", "text": "and?"}]


def test_structured_output_is_asked_for_by_the_profile_alone() -> None:
    asked = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}
    body = json.loads(OpenAIChat("m", asked).encode(ITEM, [b"", b""], stream=False))
    assert body["response_format"] == asked["response_format"]
    assert whole({"choices": [{"message": {"content": '{"a":1}'}}]}).text == '{"a":1}'


@pytest.mark.parametrize("streamed", [True, False])
def test_json_nested_without_end_is_malformed_and_no_crash(streamed: bool) -> None:
    reader = ADAPTER.reader(streamed)
    reader.feed((b"data: " if streamed else b"") + b'{"error":' + b"[" * 200_000 + b"\n\n")
    reader.close()
    assert reader.error == (ErrorKind.MALFORMED_SSE if streamed else ErrorKind.MALFORMED_JSON)


def test_the_credential_stands_in_the_authorization_header_alone() -> None:
    assert ADAPTER.headers("sk-1") == {"Authorization": "Bearer sk-1"}
    assert ADAPTER.headers(None) == {}


def test_role_and_empty_deltas_are_no_content() -> None:
    reader = ADAPTER.reader(True)
    assert reader.feed(chunk("")) == 0
    assert reader.feed(chunk()) == 0
    assert reader.feed(chunk("Hi")) == 1
    assert reader.feed(chunk(" you") + chunk("!")) == 2
    assert (reader.text, reader.content_events, reader.model) == ("Hi you!", 3, "m-1")


@pytest.mark.parametrize(
    "tail",
    [
        (chunk(finish="stop", usage=USAGE), DONE),
        (chunk(finish="stop"), chunk("", usage=USAGE), DONE),
        (chunk(finish="stop"), b'data: {"choices":[],"usage":%s}\n\n' % json.dumps(USAGE).encode(), DONE),
        (chunk(finish="stop"), b'data: {"choices":[],"usage":%s}\n\n' % json.dumps(USAGE).encode()),
    ],
)
def test_usage_is_found_wherever_a_server_puts_it(tail: tuple[bytes, ...]) -> None:
    reader = stream(chunk("x"), *tail)
    assert (reader.error, reader.usage, reader.finish_reason) == ("", (11, 3, 4), "stop")


def test_a_finish_reason_without_done_is_success_and_so_is_done_without_a_finish_reason() -> None:
    assert stream(chunk("x", finish="stop")).error == ""
    assert stream(chunk("x"), DONE).error == ""


def test_a_stream_with_neither_is_truncated() -> None:
    assert stream(chunk("x")).error == ErrorKind.TRUNCATED_STREAM


@pytest.mark.parametrize(
    "line",
    [
        b'data: {"error":{"message":"boom"}}\n\n',
        b'{"error":{"message":"boom"}}\n',
        b'data: {"error":"boom"}\n\n',
    ],
)
def test_an_error_inside_a_stream_is_an_error(line: bytes) -> None:
    reader = stream(chunk("x"), line)
    assert (reader.error, reader.detail) == (ErrorKind.API_ERROR_IN_STREAM, "boom")


def test_broken_payloads_have_kinds_of_their_own() -> None:
    assert stream(chunk("x"), b"data: {nope\n\n", DONE).error == ErrorKind.MALFORMED_SSE
    assert stream(chunk("x"), b'data: {"model":"\xff"}\n\n', DONE).error == ErrorKind.INVALID_UTF8
    assert whole(b"{nope").error == ErrorKind.MALFORMED_JSON
    assert whole(b"").error == ErrorKind.EMPTY_RESPONSE
    assert whole({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}).error == (
        ErrorKind.EMPTY_RESPONSE
    )
    filtered = {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}
    assert whole(filtered).error == ErrorKind.CONTENT_FILTER


def test_a_whole_answer_gives_text_usage_and_model() -> None:
    reader = whole(
        {
            "model": "m-2",
            "usage": USAGE,
            "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
        }
    )
    assert (reader.text, reader.usage, reader.model, reader.error) == ("yes", (11, 3, 4), "m-2", "")


def test_content_may_come_as_parts_and_answers_as_tool_calls() -> None:
    parts = {
        "choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]
    }
    assert whole(parts).text == "ab"
    call = {"choices": [{"message": {"tool_calls": [{"function": {"arguments": '{"a":1}'}}]}}]}
    reader = whole(call)
    assert (reader.text, reader.tool_call_events, reader.error) == ('{"a":1}', 1, "")


def test_reasoning_is_counted_apart_from_content() -> None:
    reader = ADAPTER.reader(True)
    assert reader.feed(b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n') == 0
    assert (reader.reasoning_events, reader.content_events) == (1, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":{"message":"no such model"}}', "no such model"),
        (b'{"detail":"bad"}', "bad"),
        (b'{"detail":[{"loc":["x"],"msg":"missing"}]}', '[{"loc":["x"],"msg":"missing"}]'),
        (b"plain text", "plain text"),
        (b"", ""),
    ],
)
def test_error_bodies_of_every_kind_give_their_message(body: bytes, said: str) -> None:
    assert error_detail(body) == said


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_and_the_cut_does_not_matter(data: bytes, streamed: bool) -> None:
    once, bytewise = ADAPTER.reader(streamed), ADAPTER.reader(streamed)
    once.feed(data)
    for i in range(len(data)):
        bytewise.feed(data[i : i + 1])
    once.close()
    bytewise.close()
    assert (once.text, once.error, once.usage) == (bytewise.text, bytewise.error, bytewise.usage)
