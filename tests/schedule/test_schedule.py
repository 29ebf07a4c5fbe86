"""The plan of a run: exact, seeded, the same for any number of workers, and the same mix everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmload import schedule
from mmload.model import NS_PER_S, InputError
from mmload.plan import shapes_of
from mmload.profile import Profile
from mmload.schedule import CLOSED_RESERVE, Schedule
from mmload.schedule.order import stratified_order

ITEMS = 100
STRATA = np.array([i % 7 if i < 90 else 7 for i in range(ITEMS)])
TASKS = ["chart" if i % 2 else "extract" for i in range(ITEMS)]


def profile(*phases: dict[str, Any], **keys: Any) -> Profile:
    base = {"shape": "sustained", "duration_s": 10.0}
    listed = [{**base, "name": f"p{n}", **phase} for n, phase in enumerate(phases)]
    return Profile.model_validate({"name": "t", "target": {"engine": "sim"}, "phase": listed, **keys})


def plan(asked: Profile, strata: Any = STRATA, tasks: Any = TASKS) -> Schedule:
    return schedule.compile(asked, shapes_of(asked, Path()), strata, tasks)


BURST = {"shape": "burst", "rpm": 600, "peak_rpm": 3000, "duration_s": 12.0}
CLOSED = {"users": 4}


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    first, again = plan(profile(BURST, CLOSED)), plan(profile(BURST, CLOSED))
    assert first.fingerprint_bytes() == again.fingerprint_bytes()
    assert first.fingerprint_bytes() != plan(profile(BURST, CLOSED, seed=2)).fingerprint_bytes()


@given(count=st.integers(1, 9))
@settings(max_examples=9, deadline=None)
def test_the_stripes_of_all_workers_partition_the_plan(count: int) -> None:
    whole = plan(profile(BURST, CLOSED, BURST))
    stripes = [whole.stripe(index, count) for index in range(count)]
    for name in ("seq", "due_ns", "phase", "item", "pi", "sampled"):
        joined = np.concatenate([getattr(stripe, name) for stripe in stripes])
        order = np.argsort(np.concatenate([stripe.seq for stripe in stripes]))
        assert np.array_equal(joined[order], getattr(whole, name))
    assert all(stripe.closed_item(1, 5) == whole.closed_item(1, 5) for stripe in stripes)


def test_a_stripe_has_no_fingerprint_and_no_place_outside_its_count() -> None:
    whole = plan(profile(BURST))
    with pytest.raises(ValueError, match="stripe"):
        whole.stripe(0, 2).fingerprint_bytes()
    with pytest.raises(ValueError, match="stripe 2 of 2"):
        whole.stripe(2, 2)


def test_arrivals_are_in_order_inside_their_phase_and_numbered_by_phase() -> None:
    whole = plan(profile(BURST, CLOSED, {**BURST, "repeats": 2, "name": "again"}))
    assert [p.name for p in whole.phases] == ["p0", "p1", "again.1", "again.2"]
    assert [p.group for p in whole.phases] == ["p0", "p1", "again", "again"]
    assert [p.replicate for p in whole.phases] == [0, 0, 0, 1]
    assert np.all(np.diff(whole.due_ns) >= 0)
    assert np.all(np.diff(whole.seq) >= 1)
    for p in whole.phases:
        mine = whole.phase == p.number
        assert mine.sum() == p.planned
        assert np.all((whole.due_ns[mine] >= p.start_ns) & (whole.due_ns[mine] < p.end_ns))
        if p.planned:
            assert whole.seq[mine].tolist() == list(range(p.first_seq, p.first_seq + p.planned))
    assert whole.phases[2].first_seq == whole.phases[0].planned + CLOSED_RESERVE
    assert whole.phases[1].users == 4
    assert whole.phases[3].end_ns == (12 + 10 + 12 + 12) * NS_PER_S


def test_an_arrival_is_what_the_arrays_say() -> None:
    whole = plan(profile(BURST))
    arrival = whole.arrival(3)
    assert (arrival.seq, arrival.due_ns, arrival.item) == (3, whole.due_ns[3], whole.item[3])
    assert type(arrival.due_ns) is int


def test_constant_arrivals_are_evenly_spaced_from_the_first_instant() -> None:
    whole = plan(profile({"rpm": 120, "duration_s": 5.0}, arrivals={"process": "constant"}))
    assert whole.due_ns.tolist() == [k * NS_PER_S // 2 for k in range(10)]


def counts_per_second(process: dict[str, Any], seeds: int = 40) -> Any:
    one = {"rpm": 60 * 50, "duration_s": 20.0}
    counts = []
    for seed in range(seeds):
        due = plan(profile(one, seed=seed, arrivals=process)).due_ns
        counts.append(np.bincount(due // NS_PER_S, minlength=20))
    return np.array(counts)


def test_poisson_counts_have_the_mean_and_the_variance_of_poisson() -> None:
    counts = counts_per_second({"process": "poisson"})
    n = counts.size
    assert counts.mean() == pytest.approx(50, abs=5 * np.sqrt(50 / n))
    # Var(s^2) of a Poisson of mean m is (m + 2 m^2 n/(n-1)) / n.
    assert counts.var(ddof=1) == pytest.approx(50, abs=5 * np.sqrt((50 + 2 * 50**2) / n))


@pytest.mark.parametrize("cv", [0.5, 2.0])
def test_gamma_gaps_have_the_coefficient_of_variation_that_was_asked_for(cv: float) -> None:
    one = {"rpm": 60 * 100, "duration_s": 100.0}
    gaps = np.diff(plan(profile(one, arrivals={"process": "gamma", "cv": cv})).due_ns)
    assert gaps.mean() == pytest.approx(NS_PER_S / 100, rel=0.02 * 5 * cv / 2)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.08)


def test_a_burst_sends_its_requests_inside_its_window() -> None:
    whole = plan(profile({**BURST, "rpm": 60, "peak_rpm": 60_000, "burst_start_s": 4, "burst_s": 2}))
    inside = (whole.due_ns >= 4 * NS_PER_S) & (whole.due_ns < 6 * NS_PER_S)
    assert inside.sum() == pytest.approx(2000, abs=5 * np.sqrt(2000))
    assert (~inside).sum() < 40


def test_the_whole_suite_is_sent_before_any_item_repeats_across_phases() -> None:
    whole = plan(profile({"rpm": 240}, {"rpm": 240}, {"rpm": 600}))
    first = whole.item[:ITEMS]
    assert len(set(first.tolist())) == ITEMS


def test_items_lie_at_least_three_quarters_of_the_suite_apart() -> None:
    whole = plan(profile({"rpm": 6000, "duration_s": 10.0}))
    last: dict[int, int] = {}
    gaps = []
    for place, item in enumerate(whole.item.tolist()):
        if item in last:
            gaps.append(place - last[item])
        last[item] = place
    assert min(gaps) >= 0.75 * ITEMS
    assert len(set(gaps)) > 5


@pytest.mark.parametrize("order", ["run", "phase"])
def test_every_stretch_of_the_run_has_the_mix_of_the_suite(order: str) -> None:
    whole = plan(profile({"rpm": 300}, {"rpm": 900}, BURST, mix={"order": order}))
    share = np.bincount(STRATA) / ITEMS
    for p in whole.phases:
        items = whole.item[whole.phase == p.number]
        for n in (10, 25, len(items)):
            counts = np.bincount(STRATA[items[:n]], minlength=len(share))
            assert np.all(np.abs(counts - share * n) <= 3), (p.name, n)


def test_levels_answer_the_same_items_when_every_phase_begins_the_suite_afresh() -> None:
    one = {"rpm": 300, "duration_s": 10.0}
    whole = plan(profile(one, one, mix={"order": "phase"}, arrivals={"process": "constant"}))
    first, second = (set(whole.item[whole.phase == n].tolist()) for n in (0, 1))
    assert first == second
    assert len(first) == 50
    assert whole.item[whole.phase == 0].tolist() != whole.item[whole.phase == 1].tolist()


def test_closed_levels_answer_the_same_items_too_when_every_phase_begins_afresh() -> None:
    for order, same in (("phase", True), ("run", False)):
        whole = plan(profile({"users": 2}, {"users": 4}, mix={"order": order}))
        first, second = ({whole.closed_item(n, k) for k in range(ITEMS // 4)} for n in (0, 1))
        assert (first == second) is same


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.integers(0, 2**32))
def test_every_prefix_of_a_stratified_order_has_the_proportions_of_the_whole(
    strata: list[int], seed: int
) -> None:
    ids = np.array(strata)
    order = stratified_order(ids, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(ids)))
    for stratum in set(strata):
        share = strata.count(stratum) / len(strata)
        seen = np.cumsum(ids[order] == stratum)
        ideal = share * np.arange(1, len(ids) + 1)
        # Within one of its own proportion; and the prefix itself within one a stratum of its place.
        assert np.all(np.abs(seen - ideal) <= 1 + len(set(strata)) * share)


def test_the_streams_are_separate() -> None:
    plain = plan(profile(BURST))
    gamma = plan(profile(BURST, arrivals={"process": "gamma", "cv": 2.0}))
    reuse = plan(profile(BURST, mix={"media_reuse": 0.3}))
    sampled = plan(profile(BURST, quality={"sample": 0.3}))
    n = min(len(plain), len(gamma), ITEMS)
    assert plain.item[:n].tolist() == gamma.item[:n].tolist()
    assert plain.due_ns.tolist() != gamma.due_ns.tolist()
    assert plain.due_ns.tolist() == reuse.due_ns.tolist() == sampled.due_ns.tolist()
    assert plain.item.tolist() == sampled.item.tolist()


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_media_are_repeated_on_purpose_exactly_as_often_as_asked(share: float) -> None:
    tasks, strata = ["chart"] * 5000, np.zeros(5000, int)
    whole = plan(profile({"rpm": 6000}, mix={"media_reuse": share}), strata, tasks)
    items = whole.item.tolist()
    repeats = [place for place, item in enumerate(items) if item in items[max(0, place - 32) : place]]
    assert len(repeats) == pytest.approx(share * len(items), abs=2)


def test_sampling_has_the_probability_of_the_task_and_more_keeps_what_less_had_chosen() -> None:
    one = {"rpm": 60_000, "duration_s": 10.0}
    low = plan(profile(one, quality={"sample": 0.2, "sample_by_task": {"chart": 0.5}}))
    high = plan(profile(one, quality={"sample": 0.3, "sample_by_task": {"chart": 1.0}}))
    chart = low.item % 2 == 1
    for whole, by_task in ((low, {True: 0.5, False: 0.2}), (high, {True: 1.0, False: 0.3})):
        for is_chart, pi in by_task.items():
            mine = chart == is_chart
            assert np.allclose(whole.pi[mine], pi)
            assert whole.sampled[mine].mean() == pytest.approx(pi, abs=0.03)
    assert np.all(high.sampled[low.sampled])


def test_a_closed_loop_phase_goes_through_the_suite_without_end() -> None:
    whole = plan(profile(CLOSED, {"users": 2}, quality={"sample": 0.4}))
    items = [whole.closed_item(0, k) for k in range(20 * ITEMS)]
    for start in range(0, len(items), ITEMS):
        assert sorted(items[start : start + ITEMS]) == list(range(ITEMS))
    assert items[:ITEMS] != [whole.closed_item(1, k) for k in range(ITEMS)]
    assert whole.closed_item(0, CLOSED_RESERVE - 1) in range(ITEMS)
    chosen = [whole.closed(0, k)[2:] for k in range(1000)]
    assert [pi for pi, _ in chosen] == pytest.approx([0.4] * 1000)
    assert np.mean([c for _, c in chosen]) == pytest.approx(0.4, abs=0.08)
    assert whole.closed(1, 7)[:2] == (whole.phases[1].first_seq + 7, whole.closed_item(1, 7))
    assert [whole.closed(1, k)[2:] for k in range(50)] != chosen[:50]


def test_closed_loop_requests_by_the_batch_are_those_one_by_one() -> None:
    whole = plan(profile(BURST, {**CLOSED, "users": 3}, quality={"sample": 0.4}))
    batch = whole.closed_requests(1, first=2, step=3, n=500)
    assert batch == [whole.closed(1, k) for k in range(2, 2 + 3 * 500, 3)]


def test_a_suite_of_one_item_serves_any_plan() -> None:
    whole = plan(profile(BURST, CLOSED), np.array([0]), ["chart"])
    assert set(whole.item.tolist()) == {0}
    assert whole.closed_item(1, 17) == 0


def test_a_plan_without_requests_or_items_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no request"):
        plan(profile({"rpm": 0.001, "duration_s": 0.1}))
    with pytest.raises(InputError, match="at least one item"):
        plan(profile(BURST), np.array([], int), [])


def test_replayed_arrivals_are_due_at_the_times_of_the_trace(tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("0\n1.5\n1.5\n3.000000001\n")
    asked = profile(
        {"rpm": 60, "duration_s": 2.0}, {"shape": "replay", "trace": str(trace), "duration_s": 5.0}
    )
    whole = plan(asked)
    times = whole.due_ns[whole.phase == 1] - 2 * NS_PER_S
    assert times.tolist() == [0, 1_500_000_000, 1_500_000_000, 3_000_000_001]


def test_a_shape_that_knows_only_expected_is_scheduled_all_the_same() -> None:
    class Saw:
        duration_s = 10.0
        open_loop = True

        def expected(self, t_s: float) -> float:
            return 5.0 * t_s * t_s

        def users(self, t_s: float) -> int:
            return 0

    whole = schedule.compile(profile({"rpm": 1}, arrivals={"process": "constant"}), [Saw()], STRATA, TASKS)
    assert whole.due_ns == pytest.approx(np.sqrt(np.arange(500) / 5.0) * NS_PER_S, abs=1)
