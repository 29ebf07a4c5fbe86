"""A summary is a commutative monoid: in any order and any grouping, the same sums."""

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DEFAULT_STRETCHES, Stretch, synthetic_run

from mmload.journal import Follower
from mmload.summary import RunInfo, RunReader, Summary
from mmload.summary.measures import Columns
from mmload.summary.sums import Joined
from mmload.summary.table import Table


@cache
def run():
    kept = TemporaryDirectory(prefix="mmload-test-")
    folder = Path(kept.name)
    stretches = (*DEFAULT_STRETCHES, Stretch("rare", 240, 10, pi=0.3, not_sent=0.05, timeout=0.05))
    made = synthetic_run(folder, stretches)
    frames = Follower(folder / "journal/run.mmj").poll()
    telemetry = [row for kind, body in frames if kind == "telemetry" for row in body]
    return made, RunInfo.from_header(made.header, made.items), telemetry, kept


def joined(record, info):
    """What a score of this record judges."""
    c = Columns([record], info)
    return Joined(c.phase, c.bin, c.within_slo, c.e2e_us, np.array([record.pi]))


def part(numbers):
    """Summary of some of the run's events, one at a time."""
    made, info, telemetry, _ = run()
    by_seq = {r.seq: r for r in made.records}
    summary = Summary()
    for n in numbers:
        kind, k = n % 3, n // 3
        if kind == 0:
            summary.add_records([made.records[k % len(made.records)]], info)
        elif kind == 1:
            score = made.scores[k % len(made.scores)]
            summary.add_scores([score], joined(by_seq[score.seq], info), info)
        else:
            summary.add_telemetry([telemetry[k % len(telemetry)]], info)
    return summary


def merged(*parts):
    total = Summary()
    for p in parts:
        total.merge(p)
    return total


events = st.lists(st.integers(0, 5000), max_size=12)
few = settings(max_examples=25, deadline=None)


@few
@given(events, events)
def test_merging_is_commutative(a, b):
    assert merged(part(a), part(b)) == merged(part(b), part(a))


@few
@given(events, events, events)
def test_merging_is_associative_and_equals_adding_all_at_once(a, b, c):
    left = merged(merged(part(a), part(b)), part(c))
    right = merged(part(a), merged(part(b), part(c)))
    assert left == right == part([*a, *b, *c])


@few
@given(events)
def test_an_empty_summary_changes_nothing(a):
    assert merged(part(a), Summary()) == merged(Summary(), part(a)) == part(a)


@few
@given(events)
def test_bytes_bring_it_back_whole(a):
    summary = part(a)
    assert Summary.from_bytes(summary.to_bytes()) == summary
    assert merged(Summary.from_bytes(summary.to_bytes()), part([1, 2, 3])) == merged(summary, part([1, 2, 3]))


@few
@given(events, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(a, rng: random.Random):
    shuffled = list(a)
    rng.shuffle(shuffled)
    assert part(shuffled) == part(a)


def test_two_different_runs_are_not_equal():
    assert part([0, 3]) != part([0, 6])
    assert part([0]) != Summary()


def test_workers_that_report_apart_sum_to_the_run():
    made, info, _, _ = run()
    by_worker = []
    for worker in range(2):
        summary = Summary()
        summary.add_records([r for r in made.records if r.worker == worker], info)
        by_worker.append(summary)
    whole = Summary()
    whole.add_records(made.records, info)
    assert merged(*by_worker) == whole == merged(*reversed(by_worker))


def test_a_batch_is_the_sum_of_its_records():
    made, info, _, _ = run()
    whole, one_by_one = Summary(), Summary()
    whole.add_records(made.records[:80], info)
    for record in made.records[:80]:
        one_by_one.add_records([record], info)
    assert whole == one_by_one


def test_what_is_no_summary_is_refused():
    with pytest.raises(ValueError):
        Summary.from_bytes(b"\xc1")


def test_reading_in_pieces_gives_what_reading_at_once_gives(tmp_path):
    made, _, _, _ = run()
    whole = RunReader(made.dir, lambda _: made.items)
    whole.poll()
    data = (made.dir / "journal/run.mmj").read_bytes()
    scores = (made.dir / "journal/scores.mmj").read_bytes()
    growing = RunReader(tmp_path, lambda _: made.items)
    (tmp_path / "journal").mkdir()
    for step in range(1, 8):
        # Scores arrive ahead of the records that they judge, and frames arrive torn.
        (tmp_path / "journal/scores.mmj").write_bytes(scores[: len(scores) * step // 5])
        (tmp_path / "journal/run.mmj").write_bytes(data[: len(data) * step // 7])
        growing.poll()
    assert growing.summary == whole.summary
    assert growing.end == whole.end


rows = st.lists(st.tuples(st.integers(0, 9), st.integers(-100, 100), st.integers(0, 7)), max_size=40)


@given(rows)
def test_a_table_adds_up_by_key(data):
    import numpy as np

    table = Table(2)
    for k, a, b in data:
        table.add(np.array([k]), np.array([[a, b]]))
    together = Table(2)
    if data:
        together.add(np.array([k for k, _, _ in data]), np.array([[a, b] for _, a, b in data]))
    assert table == together == Table.from_bytes(table.to_bytes())
    for k in range(10):
        expected = [sum(a for j, a, _ in data if j == k), sum(b for j, _, b in data if j == k)]
        found = table.get(k)
        assert (found is None and expected == [0, 0]) or found.tolist() == expected
