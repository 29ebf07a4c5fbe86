"""Slow answers are scored more often, at a rate that the record tells, and weights undo the preference."""

import hashlib

import numpy as np
import pytest

from mmload.drive.oversample import Oversample
from mmload.model import Arrival

SLO_NS = 1_000_000_000


def chosen(arrival, pi):
    digest = hashlib.blake2b(str(arrival.seq).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64 < pi


def arrival(seq, pi=0.1):
    plain = Arrival(seq, 0, 0, 0, pi, False)
    return plain._replace(sampled=chosen(plain, pi))


@pytest.fixture
def oversample():
    return Oversample(0.8, [SLO_NS], chosen)


def test_a_fast_answer_keeps_what_the_schedule_drew(oversample):
    for seq in range(200):
        a = arrival(seq)
        assert oversample(a, SLO_NS, "stop") == (a.pi, a.sampled)


@pytest.mark.parametrize(("e2e_ns", "finish"), [(SLO_NS + 1, "stop"), (1, "length"), (1, "max_tokens")])
def test_slow_and_cut_off_answers_are_scored_at_the_higher_rate(oversample, e2e_ns, finish):
    drawn = [oversample(arrival(seq), e2e_ns, finish) for seq in range(4000)]
    assert {pi for pi, _ in drawn} == {0.8}
    assert np.mean([sampled for _, sampled in drawn]) == pytest.approx(0.8, abs=0.03)


def test_the_plain_sample_is_kept_whole(oversample):
    assert all(oversample(arrival(seq), 2 * SLO_NS, "stop")[1] for seq in range(4000) if arrival(seq).sampled)


def test_a_task_that_is_scored_more_anyway_stays_so(oversample):
    a = arrival(7, pi=1.0)
    assert oversample(a, 9 * SLO_NS, "length") == (1.0, True)


def test_weights_undo_the_preference_for_slow_answers(oversample):
    rng = np.random.default_rng(1)
    hits = weights = plain = scored = right = 0.0
    n = 20000
    for seq in range(n):
        slow = rng.random() < 0.2
        passed = rng.random() < (0.5 if slow else 0.95)
        right += passed
        pi, sampled = oversample(arrival(seq), 2 * SLO_NS if slow else 1, "stop")
        if sampled:
            hits, weights = hits + passed / pi, weights + 1 / pi
            plain, scored = plain + passed, scored + 1
    assert hits / weights == pytest.approx(right / n, abs=0.02)
    assert plain / scored < right / n - 0.1
