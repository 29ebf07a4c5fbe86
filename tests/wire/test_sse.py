"""Server-sent events: the same payloads however the bytes were cut, with every line end that is allowed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mmload.wire.json_lines import LineStream
from mmload.wire.sse import EventStream


def read(pieces: list[bytes]) -> list[bytes]:
    stream = EventStream()
    events = [event for piece in pieces for event in stream.feed(piece)]
    return events + stream.close()


LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.lists(
    st.sampled_from(
        [
            b"data: one",
            b"data:two",
            b"data",
            b": comment",
            b"id: 7",
            b"event: x",
            b"",
            b"data:  padded",
            b"junk",
        ]
    ),
    max_size=12,
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    end = draw(LINE_ENDS)
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return bom + b"".join(line + end for line in draw(LINES))


@given(streams(), st.lists(st.integers(0, 120), max_size=8))
def test_events_do_not_depend_on_how_the_bytes_were_cut(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert read(pieces) == read([data])


@given(streams())
def test_all_three_line_ends_say_the_same(data: bytes) -> None:
    plain = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert read([data]) == read([plain])


def test_every_byte_alone_gives_the_event() -> None:
    data = "\ufeffdata: ä\r\n\r\ndata: b\r\ndata: c\r\n\r\n".encode()
    assert read([data[i : i + 1] for i in range(len(data))]) == ["ä".encode(), b"b\nc"]


def test_an_event_without_its_closing_blank_line_is_taken_at_the_end() -> None:
    assert read([b"data: last"]) == [b"last"]


def test_a_bare_line_of_json_is_an_event() -> None:
    assert read([b'data: a\n\n{"error":"x"}\n']) == [b"a", b'{"error":"x"}']


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    read([data])


@given(
    st.sampled_from([EventStream, LineStream]),
    st.sampled_from([b"data: ", b"data: a", b"\xef\xbb\xbfdata: a"]),
)
def test_a_line_without_end_is_not_copied_with_every_piece(
    made: type[EventStream | LineStream], begin: bytes
) -> None:
    stream = made()
    stream.feed(begin)
    for _ in range(50):
        assert stream.feed(b"data" * 25) == []
    kept = [v for name in stream.__slots__ for v in _bytes_in(getattr(stream, name))]
    assert sum(map(len, kept)) >= 5000 and max(map(len, kept)) <= 110
    assert b"data" * 25 * 50 in b"".join(stream.close())


def _bytes_in(value: object) -> list[bytes]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, bytes)]
