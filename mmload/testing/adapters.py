"""What every wire adapter promises.

Not aware of how an adapter is made, nor of sockets; it is handed one that is ready.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from inspect import signature
from itertools import pairwise
from typing import Final

from mmload.model import ErrorKind, ImageFile, InputError, Item, Turn
from mmload.wire import Adapter, Reader

_SECRET: Final = "mmload-contract-secret"
_PROMPT: Final = "mmloadContractQuestion"
_SYSTEM: Final = "mmloadContractSystem"
_ANSWER: Final = "mmloadContractAnswer"
_FORMATS: Final = ("png", "jpeg", "webp")
_GARBAGE: Final = 200
_SCRAPS: Final = (
    *(b"data: ", b"event: x\n", b"\n\n", b"\r\n", b"\r", b"[DONE]", b"\xff", b"\xc3", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"null", b"true", b"1e9", b"-1", "ä".encode()),
    *(b'"error":', b'"type":', b'"choices":', b'"usage":', b'"delta":', b'"message":', b'"text":'),
    *(b'"\\ud800"', b'{"error":' + b"[" * 3000),
)
_NEST: Final = (b"[" * 200_000, b'{"error":' * 100_000)


def check_adapter(
    adapter: Adapter,
    streamed: Sequence[bytes] = (),
    whole: Sequence[bytes] = (),
    *,
    images: int = 2,
    streams: bool = True,
) -> None:
    """Raise ``AssertionError`` unless the adapter keeps its contract.

    ``streamed`` and ``whole`` are bodies of good answers, as your target sends them: each is read in pieces
    of all sizes, and cut short at 200 places. ``images``: how many one request can carry at most.
    ``streams``: whether it can ask for a streamed answer. Garbage is drawn from a fixed seed.
    """
    _requests(adapter, images, streams)
    _history(adapter)
    _credentials(adapter, images)
    assert isinstance(adapter.version, str) and adapter.version, "version must be text that is not empty"
    for stream, bodies in ((True, streamed), (False, whole)):
        _fresh(adapter.reader(stream))
        for body in bodies:
            _good_answer(adapter, body, stream)
        for body in [*_garbage(bodies), *_NEST]:
            _any_bytes(adapter, body, stream)
            detail = adapter.error_detail(body)
            assert isinstance(detail, str) and len(detail) <= 200, "error_detail must be text of at most 200"


def told(reader: Reader) -> tuple[object, ...]:
    """All that a reader says of an answer."""
    return (
        reader.text,
        reader.content_events,
        reader.reasoning_events,
        reader.tool_call_events,
        reader.usage,
        reader.finish_reason,
        reader.model,
        reader.error,
        reader.done,
    )


def _item(images: int) -> Item:
    files = tuple(
        ImageFile(f"images/{n}.{_FORMATS[n % 3]}", 8, 8, _FORMATS[n % 3], None, "", 24) for n in range(images)
    )
    return Item(
        index=0, id="item-0", task="extract", variant="clean", severity=0, answerable=True, twin="",
        slices={}, images=files, system=_SYSTEM, prompt=_PROMPT, prompt_tokens=4, truth={}, evidence=(),
        nonce="", canaries=(),
    )  # fmt: skip


def _pictures(images: int) -> list[bytes]:
    return [random.Random(n).randbytes(24 + n) for n in range(images)]


def _requests(adapter: Adapter, images: int, streams: bool) -> None:
    path = adapter.path
    assert path.startswith("/") and path.isascii() and path.isprintable() and " " not in path, (
        f'path must begin with "/" and be plain ASCII, not {path!r}'
    )
    for count in sorted({0, min(1, images), images}):
        for stream in (True, False) if streams else (False,):
            item, pictures = _item(count), _pictures(count)
            body = adapter.encode(item, pictures, stream)
            assert isinstance(body, bytes) and body, "encode must give bytes"
            assert body == adapter.encode(item, pictures, stream), "encode must give the same bytes each time"
            for word, what in ((_PROMPT, "prompt"), (_SYSTEM, "system prompt")):
                assert word.encode() in body, f"the {what} of the item is not in the request"
            places = [max(body.find(raw), body.find(base64.b64encode(raw))) for raw in pictures]
            assert -1 not in places, "an image is in the request neither as it is nor in base64"
            assert places == sorted(places), "the images must keep the order of the item"


def _history(adapter: Adapter) -> None:
    """What was said before comes before the question, or is refused; never forgotten in silence."""
    if "history" not in signature(adapter.encode).parameters:
        return
    earlier, pictures = _item(1), _pictures(1)
    turns = [Turn(replace(earlier, prompt=f"{_PROMPT}{n}"), pictures, f"{_ANSWER}{n}") for n in range(2)]
    try:
        body = adapter.encode(_item(0), [], False, turns)
    except InputError:
        return
    said = [f"{_PROMPT}0", f"{_ANSWER}0", f"{_PROMPT}1", f"{_ANSWER}1"]
    places = [body.find(word.encode()) for word in said]
    assert -1 not in places, "an earlier question or answer is not in the request"
    places.append(body.rfind(_PROMPT.encode()))
    assert places == sorted(places), "the turns must keep their order, and come before the question"


def _credentials(adapter: Adapter, images: int) -> None:
    bare, headers = adapter.headers(None), adapter.headers(_SECRET)
    for name, value in [*bare.items(), *headers.items()]:
        assert name.isascii() and name and not set(name + value) & set("\r\n\0"), f"{name!r} is not a header"
    holding = [name for name, value in headers.items() if _SECRET in value]
    assert holding, "the credential must stand in a header"
    assert not any(_SECRET in value for value in bare.values()), "a credential outlived its request"
    body = adapter.encode(_item(images), _pictures(images), False)
    assert _SECRET.encode() not in body + adapter.path.encode(), "the credential must not be in path or body"


def _fresh(reader: Reader) -> None:
    assert told(reader) == ("", 0, 0, 0, None, "", "", "", False), (
        "a new reader must tell of nothing: no text, events, usage, finish_reason, model or error; not done"
    )


def _read(adapter: Adapter, stream: bool, pieces: Sequence[bytes]) -> Reader:
    reader = adapter.reader(stream)
    events = sum(reader.feed(piece) for piece in pieces)
    assert events <= reader.content_events, "feed must give how many events with content it completed"
    reader.close()
    assert not reader.error or reader.error in set(ErrorKind), f"{reader.error!r} is not an ErrorKind"
    assert len(reader.detail) <= 200, "detail must be at most 200 characters"
    return reader


def _good_answer(adapter: Adapter, body: bytes, stream: bool) -> None:
    reader = _read(adapter, stream, [body])
    assert not reader.error, f"a good answer was taken for {reader.error}: {reader.detail}"
    assert reader.text, "a good answer has text"
    expected = told(reader)
    for pieces in _cuts(body):
        assert told(_read(adapter, stream, pieces)) == expected, "the result must not depend on the cut"
    for end in range(0, len(body), max(1, len(body) // 200)):
        cut = _read(adapter, stream, [body[:end]])
        assert stream or cut.error, f"an answer cut at byte {end} of {len(body)} was taken for whole"


def _cuts(body: bytes) -> Iterator[list[bytes]]:
    yield [body[n : n + 1] for n in range(len(body))]
    yield [b"", body, b""]
    rng = random.Random(len(body))
    for _ in range(20):
        edges = [0, *sorted(rng.choices(range(len(body) + 1), k=rng.randint(1, 8))), len(body)]
        yield [body[a:b] for a, b in pairwise(edges)]


def _garbage(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Bytes at random, scraps of protocols, and good answers with something broken in them."""
    rng = random.Random(1)
    for _ in range(_GARBAGE):
        yield rng.randbytes(rng.randint(0, 60))
        yield b"".join(rng.choices(_SCRAPS, k=rng.randint(1, 12)))
        if bodies:
            body = rng.choice(bodies)
            start = rng.randrange(len(body))
            yield body[:start] + rng.choice(_SCRAPS) + body[start + rng.randint(0, 4) :]


def _any_bytes(adapter: Adapter, body: bytes, stream: bool) -> None:
    once = told(_read(adapter, stream, [body]))
    size = 1 if len(body) <= 2000 else len(body) // 2
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    cut = told(_read(adapter, stream, pieces))
    assert cut == once, f"the result must not depend on the cut: {body[:80]!r}"
