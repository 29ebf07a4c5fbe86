"""Coverage-guided fuzzing of what reads foreign bytes: ``python tests/reliability/fuzz.py TARGET [options]``.

Targets: http, sse, chat, responses, messages, template, journal, metrics, profile, scorers. A target takes
any bytes and must neither raise what it does not promise nor hang. ``make fuzz`` gives each a bounded run;
the corpus that it begins with is tests/reliability/corpus/TARGET; it is kept small by hand, finds stay in a
scratch folder.
"""

from __future__ import annotations

import atexit
import io
import json
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
with atheris.instrument_imports(include=["mmload"]):
    from task_samples import TASKS, drawn_items

    from mmload import journal
    from mmload.model import InputError, Item
    from mmload.profile import load
    from mmload.summary import server_metrics
    from mmload.wire.anthropic_messages import AnthropicMessages
    from mmload.wire.openai_chat import OpenAIChat
    from mmload.wire.openai_responses import OpenAIResponses
    from mmload.wire.sse import EventStream
    from mmload.wire.template import Template

_MEMORY = Path("/dev/shm")
_SCRATCH = Path(tempfile.mkdtemp(prefix="mmload-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))


def _step(wanted: int, body: bytes) -> int:
    """Length of the pieces: thousands of single bytes would show nothing that a hundred do not, in the time
    of many inputs."""
    return max(wanted, len(body) // 128)


def sse(data: bytes) -> None:
    """However the bytes are cut, the same events come out."""
    whole, pieces = EventStream(), EventStream()
    once = [*whole.feed(data), *whole.close()]
    step = _step(data[0] % 7 + 1, data) if data else 1
    parts = [event for k in range(0, len(data), step) for event in pieces.feed(data[k : k + step])]
    assert [*parts, *pieces.close()] == once


PIPELINE = """
[request]
path = "/ask"
body = '{"q": {{ prompt | tojson }}}'
[answer]
text = "result.parts[].text | join('', @)"
tokens_out = "result.tokens"
finish_reason = "why"
[stream]
delta = "delta.text"
done = "type == 'done'"
"""


def template(_: str) -> Template:
    path = _SCRATCH / "pipeline.toml"
    path.write_text(PIPELINE)
    return Template("m", None, path)


def adapter(make: Callable[[str], object]) -> Callable[[bytes], None]:
    one = make("m")

    def check(data: bytes) -> None:
        if not data:
            return
        reader = one.reader(bool(data[0] & 1))
        body = data[1:]
        step = _step(data[0] // 2 + 1, body)
        for k in range(0, len(body), step):
            reader.feed(body[k : k + step])
        reader.close()
        assert isinstance(reader.text, str)
        one.error_detail(body)

    return check


class InMemory:
    """What the reader of journals needs of a path; a file each time would take longer than reading it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self, mode: str) -> IO[bytes]:
        return io.BytesIO(self._data)

    def stat(self) -> Any:
        return SimpleNamespace(st_size=len(self._data))


def journals(data: bytes) -> None:
    """As it is, or as the payload of a frame whose checksum fits: no mutation would hit upon one."""
    if data[:1] == b"=":
        payload = data[1:]
        data = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    journal.read(InMemory(journal.MAGIC + data))


def metrics(data: bytes) -> None:
    """Whatever the target's own page says, what is kept of it is JSON and read alike afterwards."""
    try:
        page = server_metrics.read(data.decode("utf-8", "replace"))
    except ValueError:
        return
    stored = json.loads(json.dumps(page._asdict(), allow_nan=False))
    for histogram in stored["histograms"].values():
        _, _, buckets = server_metrics.between(None, histogram)
        server_metrics.quantile_bounds(buckets, 0.95)


def profiles(data: bytes) -> None:
    path = _SCRATCH / "p.toml"
    path.write_bytes(data)
    try:
        load(path)
    except InputError:
        pass


def scorers() -> Callable[[bytes], None]:
    items: list[tuple[object, Item]] = [(task, drawn_items(task, 1)[0]) for task in TASKS.values()]

    def check(data: bytes) -> None:
        if not data:
            return
        task, item = items[data[0] % len(items)]
        score = task.score(item, data[1:].decode("utf-8", "replace"), 0)
        assert 0.0 <= score.value <= 1.0

    return check


def http() -> Callable[[bytes], None]:
    """A whole answer, head and framing too: the parser is C, what is ours stands about it."""
    from mmload.drive import attempt as attempts
    from mmload.drive.attempt import Attempt
    from mmload.native import whole

    one = OpenAIChat("m")

    def answered(data: bytes, at_once: Callable[[bytes], object]) -> tuple[object, ...]:
        attempts.whole = at_once
        attempt = Attempt(one, 65536)
        over = attempt.take(data, 1)
        attempts.whole = whole
        if over:
            attempt.conclude()
        told = attempt.failure and (attempt.failure.kind, attempt.failure.detail)
        said = attempt.reader and (attempt.reader.text, attempt.reader.usage, attempt.reader.content_events)
        return (
            over,
            attempt.complete,
            told,
            attempt.status,
            attempt.server_timing,
            over and attempt.reusable,
            said,
        )

    def check(data: bytes) -> None:
        if not data:
            return
        attempt = Attempt(one, 65536)
        body = data[1:]
        if whole(body) is not None:
            assert answered(body, whole) == answered(body, lambda _: None)
        step = _step(data[0] + 1, body)
        for k in range(0, len(body), step):
            if attempt.take(body[k : k + step], k + 1):
                break
        if not attempt.complete and attempt.failure is None:
            attempt.end_of_stream()
        attempt.conclude()
        assert attempt.complete or attempt.failure is not None

    return check


KINDS: dict[str, Callable[[], Callable[[bytes], None]]] = {
    "sse": lambda: sse,
    "chat": lambda: adapter(OpenAIChat),
    "responses": lambda: adapter(OpenAIResponses),
    "messages": lambda: adapter(AnthropicMessages),
    "template": lambda: adapter(template),
    "journal": lambda: journals,
    "metrics": lambda: metrics,
    "profile": lambda: profiles,
    "scorers": scorers,
    "http": http,
}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    found = _SCRATCH / "found"
    found.mkdir()
    atheris.Setup([*sys.argv, str(found), str(HERE / "corpus" / name)], KINDS[name]())
    atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
    atheris.Fuzz()
