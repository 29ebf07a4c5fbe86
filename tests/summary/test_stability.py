"""A baseline that disagrees with itself is told in words, and one that does not is left in peace."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import Stretch, make_items, make_profile, synthetic_run

from mmload.launch.finish import finish
from mmload.model import NS_PER_S, CheckVerdict, PhasePlan
from mmload.summary import RunInfo, RunReader, Summary
from mmload.summary.evidence import gather
from mmload.summary.measures import M, key
from mmload.summary.stability import findings, stability
from mmload.summary.sums import item_key
from mmload.summary.view import Cells, View

ITEMS, REPEATS, SECONDS = 120, 3, 60


def info_of(limit=0.1):
    """Three unloaded phases of one name, then load."""
    stretches = (Stretch("calm", 60, SECONDS, repeats=REPEATS), Stretch("load", 600, SECONDS))
    profile = make_profile(
        stretches,
        quality={"baseline": "calm", "task_weights": {"extract": 1}},
        gates={"quality_loss_max": limit},
    )
    names = [*["calm"] * REPEATS, "load"]
    length = SECONDS * NS_PER_S
    plans = [
        PhasePlan(
            k, f"{name}-{k}", "sustained", True, name == "calm", k * length, (k + 1) * length, 0, k << 20, 0,
            k, name,
        )
        for k, name in enumerate(names)
    ]  # fmt: skip
    header = {
        "profile": profile.model_dump(mode="json", exclude_none=True),
        "phases": [list(p) for p in plans],
    }
    items = [i for i in make_items(3 * ITEMS) if i.task == "extract"]
    return RunInfo.from_header(header, [replace(item, index=k) for k, item in enumerate(items)])


def unloaded(rng, chance, drift=0.0, repeats=REPEATS):
    """Every item asked once a phase; its chance to pass falls by ``drift`` from the first to the last."""
    summary = Summary()
    for phase in range(repeats):
        here = np.clip(chance - drift * phase / max(1, repeats - 1), 0, 1)
        rows = np.stack([np.ones(ITEMS, int), rng.random(ITEMS) < here], axis=1)
        summary.item_scores.add(item_key(np.full(ITEMS, phase), 0, np.arange(ITEMS)), rows)
    return summary


def loaded(summary, rng, info, chance):
    """The same items under load, and their view."""
    rows = np.stack([np.full(ITEMS, 10), rng.binomial(10, chance)], axis=1)
    for block in range(16):
        summary.item_scores.add(item_key(np.full(ITEMS, REPEATS), block, np.arange(ITEMS)), rows)
    cells = np.zeros((1, len(M)), np.int64)
    cells[0, M.PLANNED] = cells[0, M.OK] = 10 * ITEMS
    summary.cells.add(key(np.array([REPEATS]), np.array([REPEATS * SECONDS]), np.array([0])), cells)
    return View.of_phases(summary, info, Cells(summary), info.measured, info.phases[-1].end_ns)


def test_a_target_that_repeats_itself_is_called_stable_in_at_least_95_of_100_runs():
    """A/A: items of their own difficulty, answers at random."""
    rng, info = np.random.default_rng(1), info_of()
    said = sum(bool(findings(stability(unloaded(rng, rng.beta(8, 1, ITEMS)), info), 0.1)) for _ in range(200))
    assert said <= 0.05 * 200


def test_a_target_that_gets_worse_without_load_is_found_out():
    rng, info = np.random.default_rng(2), info_of()
    found = 0
    for _ in range(50):
        own = stability(unloaded(rng, rng.beta(8, 1, ITEMS), drift=0.25), info)
        found += own.drifts and own.drift.low <= -0.25 + 0.06 and own.drift.high < 0
        if own.drifts:
            assert "pass" in findings(own, None)[0] and "less often than the first" in findings(own, None)[0]
    assert found >= 45


def test_what_the_baseline_drifts_by_load_is_neither_blamed_nor_cleared_for():
    """Load takes nothing; the baseline lost a quarter while it was measured."""
    rng, info = np.random.default_rng(3), info_of(limit=0.1)
    chance = np.full(ITEMS, 0.95)
    steady = gather(loaded(unloaded(rng, chance), rng, info, chance))["quality_loss_max"]
    assert steady.against(0.1, upper=True) == CheckVerdict.PASS
    drifting = gather(loaded(unloaded(rng, chance, 0.25), rng, info, chance - 0.25))["quality_loss_max"]
    assert drifting.against(0.1, upper=True) == CheckVerdict.INCONCLUSIVE
    gross = gather(loaded(unloaded(rng, chance, 0.25), rng, info, chance * 0.2))["quality_loss_max"]
    assert gross.against(0.1, upper=True) == CheckVerdict.FAIL


def test_the_smallest_loss_is_what_chance_alone_moves_the_baseline_by():
    rng, info = np.random.default_rng(4), info_of()
    chance = np.full(ITEMS, 0.7)
    means, told = [], []
    for _ in range(300):
        summary = unloaded(rng, chance)
        own = stability(summary, info)
        told.append(own.smallest_loss)
        means.append(summary.item_scores.arrays()[1][:, 1].mean())
    assert np.mean(told) == pytest.approx(1.645 * np.std(means), rel=0.12)


def test_a_noise_floor_above_what_the_gate_asks_for_is_told_with_its_remedy():
    rng, info = np.random.default_rng(5), info_of()
    own = stability(unloaded(rng, np.full(ITEMS, 0.6)), info)
    (said,) = findings(own, 0.01)
    assert "too noisy for gates.quality_loss_max = 0.01" in said and "temperature 0" in said
    assert findings(own, 0.5) == findings(own, None) == []


def test_items_asked_once_say_nothing_of_themselves():
    own = stability(unloaded(np.random.default_rng(6), np.full(ITEMS, 0.6), repeats=1), info_of())
    assert own.noise_floor is None and own.smallest_loss is None and own.drift is None
    assert not own.drifts and findings(own, 0.0001) == [] and findings(None, 0.01) == []


def test_summary_and_report_say_it_in_words(tmp_path):
    stretches = (
        Stretch("calm", 400, 20, quality=0.6, warmup=True, repeats=2),
        Stretch("load", 900, 40, quality=0.6),
    )
    run = synthetic_run(tmp_path, stretches, quality={"baseline": "calm"}, gates={"quality_loss_max": 0.01})
    found = finish(run.dir, {}, reader=RunReader(run.dir, lambda _: run.items)).figures
    delta = found["quality"]["baseline_delta"]
    assert delta["noise_floor"] == pytest.approx(2 * 0.6 * 0.4, abs=0.08)
    assert delta["smallest_loss"] > 0.01 and delta["drift_p_value"] > 0.01
    (said,) = delta["findings"]
    assert said in found["validity"]["warnings"] and not found["validity"]["reasons"]
    for name in ("report.html", "report.md"):
        assert "the unloaded baseline is too noisy" in (tmp_path / name).read_text()
