"""Events that differ in their text only are cut instead of decoded: never with another result."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mmload.model import ErrorKind
from mmload.wire.openai_chat import StreamReader, _Collected

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=8), st.sampled_from(["", '"', "\\", "\n", "ä", '"},"x":"', "\x7f", '\\"', "token"])
    ),
    max_size=12,
)


def event(text: str, compact: bool = True, **more: object) -> bytes:
    body = {"id": "c-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}
    separators = (",", ":") if compact else (", ", ": ")
    return b"data: " + json.dumps(body, separators=separators, ensure_ascii=False).encode() + b"\n\n"


FINISH = (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def read(pieces: list[bytes]) -> StreamReader:
    reader = StreamReader()
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    return reader


def decoded(data: bytes) -> _Collected:
    """The same stream, each event decoded by itself."""
    plain = _Collected()
    for block in data.split(b"\n\n"):
        if block and block != b"data: [DONE]":
            plain._take(block[6:])
    return plain


def told(reader: _Collected) -> tuple[object, ...]:
    return reader.text, reader.content_events, reader.usage, reader.finish_reason, reader.model


@given(TEXTS, st.booleans(), st.lists(st.integers(0, 2000), max_size=6))
def test_the_result_is_that_of_decoding_every_event(texts: list[str], compact: bool, cuts: list[int]) -> None:
    data = b"".join(event(t, compact, model=f"m-{i // 5}") for i, t in enumerate(texts)) + FINISH + DONE
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    bytewise = [data[i : i + 1] for i in range(len(data))]
    assert told(read(pieces)) == told(decoded(data)) == told(read(bytewise))


def test_each_piece_tells_how_many_events_with_content_it_completed() -> None:
    reader = StreamReader()
    assert reader.feed(event("a") + event("b") + event("c")[:-1]) == 2
    assert reader.feed(b"\n" + event("d") + event('"') + event("e")) == 4
    assert reader.feed(FINISH + DONE) == 0


class Counting(StreamReader):
    decoded = 0

    def _take(self, payload: bytes) -> int:
        self.decoded += 1
        return super()._take(payload)


def test_once_the_form_is_known_events_are_not_decoded() -> None:
    reader = Counting()
    assert reader.feed(event("a") + event("b") * 500) == 501
    assert reader.feed(event("c")) == 1
    assert reader.text == "a" + "b" * 500 + "c"
    assert reader.decoded == 1


def test_usage_in_every_event_is_read_from_the_last() -> None:
    usage = [{"prompt_tokens": 1, "completion_tokens": n} for n in range(1, 5)]
    reader = read([b"".join(event("x", usage=u) for u in usage), DONE])
    assert reader.usage is not None and reader.usage.tokens_out == 4


def test_broken_utf8_in_a_later_event_is_still_found() -> None:
    bad = event("xy").replace(b"xy", b"\xc3")
    assert read([event("a") + event("b") + bad + FINISH]).error == ErrorKind.INVALID_UTF8
    halves = event("x").replace(b"x", b"\xc3") + event("x").replace(b"x", b"\xa4")
    assert read([event("a") + halves + FINISH]).error == ErrorKind.INVALID_UTF8


def test_a_control_character_in_a_later_event_is_still_malformed() -> None:
    assert read([event("a"), event("x").replace(b"x", b"\x01") + FINISH]).error == ErrorKind.MALFORMED_SSE
