"""A pipeline of one's own: requests by a template, answers by paths, and what a wrong file is told."""

import base64
import json
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.transcripts import HISTORY, ITEM, ONE_IMAGE

from mmload.model import ErrorKind, InputError
from mmload.profile import load
from mmload.wire import Reader
from mmload.wire.template import Template

JSON_FILE = """
[request]
path = "/analyze"
headers = { "X-Tenant" = "load" }
key_header = "X-Api-Key"
key_prefix = ""
body = '''
{"model": {{ model | tojson }}, "q": {{ prompt | tojson }}, "sys": {{ system | tojson }},
 "n": {{ max_tokens }}, "stream": {{ stream | tojson }},
 "images": [{% for i in images %}{"url": {{ i.data_url | tojson }}, "b64": {{ i.base64 | tojson }},
   "w": {{ i.width }}}{{ "," if not loop.last }}{% endfor %}]}
'''
[answer]
text = "result.answer || tool.arguments"
tokens_in = "usage.in"
tokens_out = "usage.out"
tokens_cached = "usage.cached"
finish_reason = "result.finish"
model = "meta.model"
error = "failure"
[stream]
format = "FORMAT"
delta = "piece"
done = "last"
"""
PARTS_FILE = """
[request]
path = "/upload"
[[request.parts]]
name = "question"
text = "{{ prompt }}{{ system }}"
[[request.parts]]
name = "file"
image = "each"
[answer]
text = "text"
"""
ANSWER = {
    "result": {"answer": "yes", "finish": "stop"},
    "usage": {"in": 11, "out": 3.0, "cached": 4},
    "meta": {"model": "m-1"},
}
EVENTS = [{"usage": {"in": 11}}, {"piece": "Hi"}, {"piece": " you"}, {"last": True, "usage": {"out": 3}}]


def make(folder: Path, text: str, **extra: Any) -> Template:
    path = folder / "pipeline.toml"
    path.write_text(text)
    return Template("m", extra, path)


@pytest.fixture(scope="module", params=["sse", "json-lines"])
def adapter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make(tmp_path_factory.mktemp("t"), JSON_FILE.replace("FORMAT", request.param))


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make(tmp_path_factory.mktemp("u"), PARTS_FILE, mode="fast", options={"a": 1})


def framed(adapter: Template, events: list[dict[str, Any]]) -> bytes:
    lines = adapter._told.stream is not None and adapter._told.stream.format == "json-lines"
    before, after = (b"", b"\n") if lines else (b"data: ", b"\n\n")
    return b"".join(before + json.dumps(event).encode() + after for event in events)


def read(adapter: Template, data: bytes, stream: bool) -> Reader:
    reader = adapter.reader(stream)
    reader.feed(data)
    reader.close()
    return reader


def whole(adapter: Template, body: object) -> Reader:
    return read(adapter, json.dumps(body).encode(), False)


def test_several_images_go_into_the_json_body_in_their_order(adapter: Template) -> None:
    body = json.loads(adapter.encode(ITEM, [b"png", b"jpeg"], True))
    assert (body["model"], body["q"], body["sys"], body["n"]) == ("m", 'what is "this"?', "be brief", 77)
    assert body["stream"] is True
    assert [image["b64"] for image in body["images"]] == [
        base64.b64encode(b).decode() for b in (b"png", b"jpeg")
    ]
    assert body["images"][1]["url"].startswith("data:image/jpeg;base64,")


def test_one_image_goes_into_the_json_body(adapter: Template) -> None:
    body = json.loads(adapter.encode(ONE_IMAGE, [b"png"], False))
    assert (len(body["images"]), body["stream"]) == (1, False)


def parts(adapter: Template, body: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Read by the standard library's parser of MIME: not by what wrote it."""
    head = b"Content-Type: " + adapter.headers(None)["Content-Type"].encode() + b"\r\n\r\n"
    out = []
    for part in message_from_bytes(head + body).get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = str(part.get_param("name", header="content-disposition"))
        out.append((name, part.get_filename(), part.get_content_type(), content))
    return out


def test_images_are_uploaded_as_parts_of_their_own_and_the_body_of_the_profile_as_text(
    upload: Template,
) -> None:
    png = bytes(range(256)) + b"\r\n--x\r\n"
    found = parts(upload, upload.encode(ITEM, [png, b"jpeg"], False))
    assert found[1:3] == [("file", "x.png", "image/png", png), ("file", "y.jpg", "image/jpeg", b"jpeg")]
    assert [(name, content) for name, _, _, content in (found[0], *found[3:])] == [
        ("question", b'what is "this"?be brief'),
        ("mode", b"fast"),
        ("options", b'{"a":1}'),
    ]


def test_the_body_of_the_profile_is_merged_into_the_json_body(tmp_path: Path) -> None:
    adapter = make(tmp_path, JSON_FILE.replace("FORMAT", "sse"), temperature=0)
    assert json.loads(adapter.encode(ONE_IMAGE, [b"x"], False))["temperature"] == 0


def test_the_credential_stands_in_the_header_that_the_file_names(adapter: Template, upload: Template) -> None:
    assert adapter.headers("k") == {"X-Tenant": "load", "X-Api-Key": "k"}
    assert upload.headers("k")["Authorization"] == "Bearer k"


def test_a_whole_answer_gives_text_usage_model_and_its_end(adapter: Template) -> None:
    reader = whole(adapter, ANSWER)
    assert (reader.text, reader.usage, reader.error) == ("yes", (11, 3, 4), "")
    assert (reader.model, reader.finish_reason) == ("m-1", "stop")


def test_a_stream_gives_text_and_usage_from_wherever_they_are(adapter: Template) -> None:
    reader = read(adapter, framed(adapter, EVENTS), True)
    assert (reader.text, reader.content_events, reader.usage) == ("Hi you", 2, (11, 3, None))
    assert (reader.done, reader.error) == (True, "")


def test_a_stream_whose_file_names_an_end_is_truncated_without_it(
    adapter: Template, upload: Template
) -> None:
    assert read(adapter, framed(adapter, EVENTS[:-1]), True).error == ErrorKind.TRUNCATED_STREAM
    assert read(upload, b'data: {"text":"Hi"}\n\n', True).error == ""


def test_structured_output_and_tool_calls_are_text(adapter: Template) -> None:
    assert whole(adapter, {"result": {"answer": {"a": 1}}}).text == '{"a":1}'
    assert whole(adapter, {"tool": {"arguments": '{"a":1}'}}).text == '{"a":1}'


def test_an_error_in_an_answer_is_an_error(adapter: Template) -> None:
    for failure in ("boom", {"message": "boom"}):
        reader = whole(adapter, {**ANSWER, "failure": failure})
        assert (reader.error, reader.detail) == (ErrorKind.API_ERROR_IN_STREAM, "boom")
    assert whole(adapter, {**ANSWER, "failure": None}).error == ""
    reader = read(adapter, framed(adapter, [EVENTS[1], {"failure": "boom"}]), True)
    assert (reader.error, reader.detail) == (ErrorKind.API_ERROR_IN_STREAM, "boom")


def test_an_error_body_gives_its_message(adapter: Template) -> None:
    assert adapter.error_detail(b'{"failure":"full"}') == "full"
    assert adapter.error_detail(b'{"failure":{"message":"full"}}') == "full"
    assert adapter.error_detail(b'{"detail":"bad"}') == "bad"
    assert adapter.error_detail(b"plain") == "plain"


def test_broken_payloads_have_kinds_of_their_own(adapter: Template) -> None:
    assert read(adapter, b"{nope", False).error == ErrorKind.MALFORMED_JSON
    assert read(adapter, b"", False).error == ErrorKind.EMPTY_RESPONSE
    lines = framed(adapter, [{}]).startswith(b"{")
    broken = read(adapter, b"{nope\n" if lines else b"data: {nope\n\n", True)
    assert broken.error == (ErrorKind.MALFORMED_JSON if lines else ErrorKind.MALFORMED_SSE)


def test_an_expression_that_cannot_bear_the_value_is_no_crash(tmp_path: Path) -> None:
    adapter = make(tmp_path, PARTS_FILE.replace('"text"', '"length(text)"', 1))
    assert whole(adapter, {"text": 5}).error == ErrorKind.MALFORMED_JSON


@given(data=st.binary(max_size=300), streamed=st.booleans())
def test_no_bytes_raise(adapter: Template, data: bytes, streamed: bool) -> None:
    read(adapter, data, streamed)


SSE_FILE = JSON_FILE.replace("FORMAT", "sse")
WRONG = {
    "unknown key": (
        PARTS_FILE.replace("path =", "pth ="),
        ':3: request.pth: unknown key; did you mean "path"?',
    ),
    "missing key": (PARTS_FILE.replace('text = "text"', ""), "answer.text: missing"),
    "missing table": (PARTS_FILE.replace("[answer]", "[anwser]"), 'unknown key; did you mean "answer"?'),
    "method": (PARTS_FILE.replace("[[", 'method = "PUT"\n[[', 1), 'found "PUT"; allowed is "POST"'),
    "path": (PARTS_FILE.replace('"/upload"', '"upload"'), 'found "upload"; it must begin with "/"'),
    "both": (PARTS_FILE.replace("[[", 'body = "{}"\n[[', 1), "found both of body and parts; give one"),
    "neither": ('[request]\npath = "/x"\n[answer]\ntext = "a"\n', "found neither of body and parts"),
    "part": (PARTS_FILE.replace('image = "each"', ""), "found neither of text and image"),
    "image": (PARTS_FILE.replace('"each"', '"all"'), 'found "all"; allowed is "each" or "first"'),
    "expression": (SSE_FILE.replace('"piece"', '"a["'), 'stream.delta: found "a["; it must be a JMESPath'),
    "format": (SSE_FILE.replace('"sse"', '"xml"'), 'found "xml"; allowed is "sse" or "json-lines"'),
    "secret": (SSE_FILE.replace('"X-Tenant"', "Authorization"), "a secret does not belong in a file"),
    "variable": (
        PARTS_FILE.replace("{{ prompt", "{{ promt"),
        'found "promt"; allowed are history, id, images',
    ),
    "syntax": (
        PARTS_FILE.replace("{{ prompt }}", "{{ prompt "),
        "request.parts.0.text: not a Jinja2 template",
    ),
    "not TOML": ("[request", "not TOML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_where_what_was_found_and_what_is_allowed(name: str, tmp_path: Path) -> None:
    text, said = WRONG[name]
    with pytest.raises(InputError) as raised:
        make(tmp_path, text)
    assert said in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "pipeline.toml"))


def test_a_missing_file_and_a_missing_key_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Template("m", {}, tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"target\.template: missing"):
        Template("m")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"q": "{{ prompt }}"}', "not JSON once filled in"),
        ('{"q": {{ images[7].base64 | tojson }}}', "fails for item"),
        ('{"q": {{ prompt.__class__ | tojson }}}', "fails for item"),
        ('{"q": {{ 1 / 0 }}}', "ZeroDivisionError"),
    ],
)
def test_a_template_that_fails_for_an_item_is_told_before_the_run(
    body: str, said: str, tmp_path: Path
) -> None:
    text = f"[request]\npath = '/x'\nbody = '{body}'\n[answer]\ntext = 'a'\n"
    with pytest.raises(InputError, match=said):
        make(tmp_path, text).encode(ITEM, [b"a", b"b"], False)


def test_a_streamed_request_needs_a_stream_table(upload: Template) -> None:
    with pytest.raises(InputError, match=r"add \[stream\] with a delta, or set target.streaming = 0"):
        upload.encode(ITEM, [b"a", b"b"], True)


def test_another_text_of_the_file_makes_other_bodies_of_requests(tmp_path: Path) -> None:
    assert make(tmp_path, PARTS_FILE).version != make(tmp_path, PARTS_FILE + "\n").version


def profile(folder: Path, target: str) -> Path:
    path = folder / "p.toml"
    phase = "[[phase]]\nname = 'a'\nshape = 'sustained'\nduration_s = 1\nrpm = 60\n"
    path.write_text(
        f"name = 'p'\n[mix]\ntasks = {{ extract = 1.0 }}\n[target]\nurl = 'http://127.0.0.1:1'\n{target}\n{phase}"
    )
    return path


def test_the_file_is_found_beside_the_profile(tmp_path: Path) -> None:
    target = load(profile(tmp_path, "protocol = 'template'\ntemplate = 'pipeline.toml'")).target
    assert target.template == str(tmp_path / "pipeline.toml")


@pytest.mark.parametrize("target", ["protocol = 'template'", "template = 'pipeline.toml'"])
def test_protocol_and_file_go_together(target: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"target\.template: .* go together"):
        load(profile(tmp_path, target))


TALK_FILE = """
[request]
path = "/chat"
body = '''
{"talk": [{% for turn in history %}{"q": {{ turn.prompt | tojson }}, "a": {{ turn.answer | tojson }},
   "images": {{ turn.images | map(attribute="base64") | list | tojson }}},{% endfor %}
  {"q": {{ prompt | tojson }}, "images": {{ images | map(attribute="base64") | list | tojson }}}]}
'''
[answer]
text = "text"
"""


def test_several_turns_go_where_the_file_says_history(tmp_path: Path) -> None:
    talk = json.loads(make(tmp_path, TALK_FILE).encode(ITEM, [b"png", b"jpeg"], False, HISTORY))["talk"]
    assert [turn["q"] for turn in talk] == ["what?", "and?", ITEM.prompt]
    assert [turn.get("a") for turn in talk] == ['{"a": 1}', "b", None]
    assert [len(turn["images"]) for turn in talk] == [1, 0, 2]
    assert base64.b64decode(talk[0]["images"][0]) == b"one"


def test_a_file_that_says_nothing_of_history_is_refused_for_several_turns(upload: Template) -> None:
    with pytest.raises(InputError, match="no template of it says history"):
        upload.encode(ITEM, [b"png", b"jpeg"], False, HISTORY)
