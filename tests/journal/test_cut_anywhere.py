"""A journal cut at any byte yields a prefix of what was written, and says that it was cut."""

from __future__ import annotations

import random
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmload import journal
from mmload.model import Answer, InputError, Score, Telemetry

FRAMES: list[tuple[str, Any]] = [
    (journal.RUN, {"run_id": "r", "phases": [[0, "a", 1.5]], "none": None}),
    (journal.TELEMETRY, [Telemetry(*range(len(Telemetry._fields)))]),
    (journal.ANSWERS, [Answer(0, 3, "yes"), Answer(1, 4, "я\x00\ud7ff")]),
    (journal.EVENT, {"t_ns": 5, "name": "worker_lost"}),
    (journal.SCORES, [Score(0, 3, "ui", True, 1.0, "strict", "answered", True)]),
    (journal.END, {"reason": "done", "workers": {}}),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "run.mmj"
    writer = journal.Writer(path)
    for kind, body in FRAMES:
        writer.append(kind, body)
    writer.close()
    return path


def test_a_journal_gives_back_what_was_written(whole: Path) -> None:
    assert journal.read(whole) == (FRAMES, False)


def test_cut_at_every_byte_it_yields_a_prefix_and_says_so(whole: Path, tmp_path: Path) -> None:
    data, path = whole.read_bytes(), tmp_path / "cut.mmj"
    ends = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        frames, cut = journal.read(path)
        assert frames == FRAMES[: len(frames)]
        if not cut:
            ends.append(size)
    # Whole: with nothing in it, after the head, and after each frame.
    assert len(ends) == 2 + len(FRAMES) and ends[-1] == len(data)


def test_a_follower_of_a_growing_journal_sees_each_frame_once(whole: Path, tmp_path: Path) -> None:
    data, path = whole.read_bytes(), tmp_path / "growing.mmj"
    follower, seen = journal.Follower(path), []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        seen += list(follower.poll())
    assert seen == FRAMES and not follower.damaged and follower.unread_bytes == 0


def test_a_writer_goes_on_behind_what_a_killed_one_left_whole(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.mmj"
    path.write_bytes(whole.read_bytes())
    writer = journal.Writer(path)
    writer.append(journal.EVENT, {"name": "again"})
    writer.close()
    assert journal.read(path) == ([*FRAMES, (journal.EVENT, {"name": "again"})], False)


def test_any_damaged_byte_ends_the_reading_before_its_frame(whole: Path, tmp_path: Path) -> None:
    data, path, chance = whole.read_bytes(), tmp_path / "bad.mmj", random.Random(7)
    for place in range(len(journal.MAGIC), len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        frames, cut = journal.read(path)
        assert cut and frames == FRAMES[: len(frames)] and len(frames) < len(FRAMES)


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x91\xa3run", b"\x92\xa7records\x91\x01", b"\x91" * 5000]
)
def test_a_frame_that_is_none_of_ours_is_damage_though_its_checksum_fits(
    whole: Path, tmp_path: Path, payload: bytes
) -> None:
    head = len(payload).to_bytes(4, "little") + zlib.crc32(payload).to_bytes(4, "little")
    (tmp_path / "x").write_bytes(whole.read_bytes() + head + payload)
    assert journal.read(tmp_path / "x") == (FRAMES, True)


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InputError, match="not a journal of mmload"):
        journal.read(tmp_path / "x")


@settings(max_examples=300, deadline=None)
@given(tail=st.binary(max_size=200))
def test_no_tail_makes_a_reader_raise(
    tmp_path_factory: pytest.TempPathFactory, whole: Path, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("tail") / "run.mmj"
    path.write_bytes(whole.read_bytes() + tail)
    frames, cut = journal.read(path)
    assert frames[: len(FRAMES)] == FRAMES and (cut or not tail)


def test_what_was_killed_at_any_byte_is_gone_on_with_where_it_ends_whole(whole: Path, tmp_path: Path) -> None:
    data, path = whole.read_bytes(), tmp_path / "resumed.mmj"
    assert journal.resume(path, journal.SCORES) == set() and not path.exists()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        before, _ = journal.read(path)
        assert journal.resume(path, journal.ANSWERS) == ({0, 1} if len(before) > 2 else set())
        writer = journal.Writer(path)
        writer.append(journal.EVENT, {"name": "again"})
        writer.close()
        assert journal.read(path) == ([*before, (journal.EVENT, {"name": "again"})], False)


def test_rewritten_it_holds_what_was_asked_for_and_is_cut_where_it_was(whole: Path, tmp_path: Path) -> None:
    data, path = whole.read_bytes(), tmp_path / "rewritten.mmj"

    def quiet(body: list[Answer]) -> list[Answer]:
        return [a._replace(text="", whole=False) for a in body]

    for size in range(len(journal.MAGIC), len(data) + 1):
        path.write_bytes(data[:size])
        before, cut = journal.read(path)
        journal.rewrite(path, {journal.ANSWERS: quiet})
        expected = [(k, quiet(body) if k == journal.ANSWERS else body) for k, body in before]
        assert journal.read(path) == (expected, cut)
        assert "я".encode() not in path.read_bytes(), "of what was cut no text is left either"


def test_rewriting_a_damaged_journal_leaves_it_damaged_at_the_same_frame(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.mmj"
    data = bytearray(whole.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    journal.rewrite(path, {journal.ANSWERS: lambda body: []})
    follower = journal.Follower(path)
    assert [kind for kind, _ in follower.poll()] == [kind for kind, _ in FRAMES[:-1]]
    assert "checksum" in follower.damaged


def test_a_frame_for_which_there_was_no_room_hides_nothing_that_is_written_once_there_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "full.mmj"
    script = f"""
import pathlib, resource
from mmload import journal
writer = journal.Writer(pathlib.Path({str(path)!r}))
writer.append(journal.EVENT, {{"name": "before"}})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
try:
    writer.append(journal.EVENT, {{"name": "x" * 1000}})
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    writer.append(journal.EVENT, {{"name": "after"}})
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    frames = [(journal.EVENT, {"name": "before"}), (journal.EVENT, {"name": "after"})]
    assert journal.read(path) == (frames, False)
