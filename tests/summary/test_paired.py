"""Quality under load as a difference on the same items, with known truth."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import Stretch, make_items, make_profile, synthetic_run

from mmload.intervals import holm, mcnemar
from mmload.model import NS_PER_S, CheckVerdict, PhasePlan
from mmload.summary import Ending, RunInfo, RunReader, Summary, figures
from mmload.summary.evidence import gather
from mmload.summary.measures import M, key
from mmload.summary.paired import paired
from mmload.summary.sums import ITEM_BLOCKS, item_key
from mmload.summary.view import Cells, View

ITEMS = 120
SECONDS = 240


def info_of(limit=0.02):
    stretches = (Stretch("calm", 60, SECONDS, warmup=True), Stretch("load", 600, SECONDS))
    profile = make_profile(
        stretches,
        quality={"baseline": "calm", "task_weights": {"extract": 1}},
        gates={"quality_loss_max": limit},
    )
    end = SECONDS * NS_PER_S
    plans = [
        PhasePlan(0, "calm", "sustained", True, True, 0, end, 0, 0, 0, 0, "calm"),
        PhasePlan(1, "load", "sustained", True, False, end, 2 * end, 0, 1 << 20, 0, 0, "load"),
    ]
    header = {
        "profile": profile.model_dump(mode="json", exclude_none=True),
        "phases": [list(p) for p in plans],
    }
    items = [i for i in make_items(3 * ITEMS) if i.task == "extract"]
    return RunInfo.from_header(header, [replace(item, index=k) for k, item in enumerate(items)])


def view_of(rng, info, loss, repeats=3, sticky=True):
    """Items of their own difficulty; load takes ``loss`` from their chances, in episodes if ``sticky``."""
    summary = Summary()
    chance = rng.beta(8, 1, ITEMS)
    base = rng.binomial(repeats, chance)
    n = np.full(ITEMS, repeats)
    summary.item_scores.add(item_key(np.zeros(ITEMS, int), 0, np.arange(ITEMS)), np.stack([n, base], axis=1))
    state = (
        (np.cumsum(rng.random(ITEM_BLOCKS) < 0.6) + rng.integers(2)) % 2
        if sticky
        else np.full(ITEM_BLOCKS, 0.5)
    )
    answers = 1200
    item = np.arange(answers) % ITEMS
    block = np.arange(answers) * ITEM_BLOCKS // answers
    here = np.clip(chance[item] - 2 * loss * state[block], 0, 1)
    passed = rng.random(answers) < here
    rows = np.stack([np.ones(answers, int), passed], axis=1)
    summary.item_scores.add(item_key(np.ones(answers, int), block, item), rows)
    cells = np.zeros((1, len(M)), np.int64)
    cells[0, M.PLANNED] = cells[0, M.OK] = answers
    summary.cells.add(key(np.array([1]), np.array([SECONDS]), np.array([0])), cells)
    # The truth for this suite of items and the long run of episodes.
    down = np.clip(chance - 2 * loss, 0, 1)
    truth = (
        ((down + chance) / 2 - chance).mean() if sticky else (np.clip(chance - loss, 0, 1) - chance).mean()
    )
    return View.of_phases(summary, info, Cells(summary), info.measured, info.phases[-1].end_ns), truth


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.15])
def test_the_interval_of_the_difference_holds_the_truth(loss):
    rng = np.random.default_rng(4)
    info = info_of()
    held = 0
    for _ in range(200):
        view, truth = view_of(rng, info, loss)
        bound = paired(view).bound(0.95)
        held += bound.low <= truth <= bound.high
    assert held / 200 >= 0.90


def test_load_that_takes_nothing_is_found_to_take_nothing():
    """A/A: no difference in at least 95% of the runs, by the test and by the interval."""
    rng = np.random.default_rng(9)
    info = info_of()
    quiet = 0
    for _ in range(200):
        view, _ = view_of(rng, info, 0.0, sticky=False)
        bound = paired(view).bound(0.95)
        quiet += bound.low <= 0 <= bound.high
    assert quiet / 200 >= 0.95


def test_a_loss_exactly_at_its_limit_seldom_passes_and_a_large_one_fails():
    rng = np.random.default_rng(8)
    info = info_of()
    passed, failed = 0, 0
    for _ in range(150):
        view, truth = view_of(rng, info, 0.06)
        passed += gather(view)["quality_loss_max"].against(-truth, upper=True) == CheckVerdict.PASS
        failed += gather(view)["quality_loss_max"].against(0.0, upper=True) == CheckVerdict.FAIL
    assert passed / 150 <= 0.09
    assert failed / 150 > 0.5


def test_pairing_is_sharper_than_comparing_two_groups():
    """Items that are hard anyway are hard in both: only what load does remains."""
    rng = np.random.default_rng(3)
    info = info_of()
    view, _ = view_of(rng, info, 0.05, sticky=False)
    found = paired(view)
    keys, rows = view.summary.item_scores.arrays()
    item, phase = keys & 0xFFFFFFFF, keys >> 40
    share = np.zeros((2, ITEMS))
    for p in (0, 1):
        n = np.bincount(item[phase == p], rows[phase == p, 0], ITEMS)
        share[p] = np.bincount(item[phase == p], rows[phase == p, 1], ITEMS) / n
    unpaired = np.sqrt(share[0].var(ddof=1) / ITEMS + share[1].var(ddof=1) / ITEMS)
    assert found.standard_error < unpaired
    assert found.delta == pytest.approx((share[1] - share[0]).mean(), abs=1e-9)


def test_an_end_to_end_run_reports_the_difference_and_its_noise_floor(tmp_path):
    stretches = (
        Stretch("calm", 900, 40, quality=0.95, warmup=True),
        Stretch("load", 1200, 60, quality=0.80),
    )
    run = synthetic_run(tmp_path, stretches, quality={"baseline": "calm"}, gates={"quality_loss_max": 0.05})
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    found = figures(reader.summary, reader.plan, Ending(reader.end))
    delta = found["quality"]["baseline_delta"]
    assert delta["value"] == pytest.approx(-0.15, abs=0.04)
    assert delta["low"] < -0.15 < delta["high"]
    assert delta["baseline"] == "calm"
    assert delta["n_items"] == 60
    assert delta["noise_floor"] == pytest.approx(2 * 0.95 * 0.05, abs=0.03)
    assert found["throughput"]["levels"][0]["quality_loss"] == pytest.approx(-delta["value"])
    calm = next(p for p in found["phases"] if p["name"] == "calm")
    assert calm["quality"]["baseline_delta"]["value"] is None


def test_without_a_baseline_there_is_no_difference(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 300, 10),))
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    found = figures(reader.summary, reader.plan, Ending(reader.end))
    assert found["quality"]["baseline_delta"] == {"value": None, "low": None, "high": None, "baseline": None}


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (10, 0, 0.0009765625), (5, 5, 0.876953125), (9, 1, 0.01171875)]
)
def test_mcnemar_known_answers(lost, gained, p):
    assert mcnemar(lost, gained) == pytest.approx(p)
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_holm_known_answer():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_the_bootstrap_s_error_is_that_of_the_linearisation():
    """Two ways to the same two-way clustered variance; the bootstrap is random, and no more than that."""
    info = info_of()
    ratios = []
    for seed in range(12):
        found = paired(view_of(np.random.default_rng(seed), info, 0.1)[0])
        ratios.append(found.bootstrap_error() / found.standard_error)
    assert 0.85 < np.median(ratios) < 1.15
    assert all(0.6 < r < 1.6 for r in ratios)
