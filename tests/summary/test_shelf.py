"""The shelf gives each request its last score, in any order, and holds next to nothing."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

from mmload import journal
from mmload.model import Score
from mmload.summary import SCORES_JOURNAL, Shelf


def score(seq: int, value: float = 1.0) -> Score:
    return Score(seq, seq % 7, "ui", True, value, "strict", "answered", True, detail={"f1": value})


def written(folder: Path, frames: list[list[Score]]) -> Path:
    writer = journal.Writer(folder / SCORES_JOURNAL)
    for frame in frames:
        writer.append(journal.SCORES, frame)
    writer.close()
    return folder


def test_each_request_has_its_last_score_in_whatever_order_one_asks(tmp_path: Path) -> None:
    seqs = random.Random(3).sample(range(1 << 40), 2000)
    frames = [[score(s, k / 2000) for k, s in enumerate(seqs[i : i + 50])] for i in range(0, 2000, 50)]
    again = [score(s, 0.0) for s in seqs[:30]]
    shelf = Shelf(written(tmp_path, [*frames, again]))
    truth = {s.seq: s for frame in [*frames, again] for s in frame}
    order = [*seqs, *random.Random(4).sample(seqs, 500)]
    assert all(shelf.get(seq) == truth[seq] for seq in order)
    assert len(shelf) == 2030
    assert shelf.get(-1) is None and shelf.get(1 << 41) is None and shelf.get(seqs[0] + 1) is None


def test_without_scores_there_are_none_and_a_torn_end_is_left_out(tmp_path: Path) -> None:
    assert len(Shelf(tmp_path / "nothing")) == 0 and Shelf(tmp_path / "nothing").get(0) is None
    written(tmp_path, [[score(0), score(1)], [score(2)]])
    path = tmp_path / SCORES_JOURNAL
    path.write_bytes(path.read_bytes()[:-3])
    shelf = Shelf(tmp_path)
    assert shelf.get(1) == score(1) and shelf.get(2) is None


def test_it_holds_a_few_bytes_a_score(tmp_path: Path) -> None:
    n = 60_000
    written(tmp_path, [[score(s) for s in range(i, i + 250)] for i in range(0, n, 250)])
    tracemalloc.start()
    shelf = Shelf(tmp_path)
    for seq in range(n):
        assert shelf.get(seq) is not None
    now, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 24 bytes each, and 64 frames of 250 scores; as objects the whole would be over 40 MB.
    assert now < 24 * n + 64 * 250 * 1000
