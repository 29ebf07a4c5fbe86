"""Degraded twins and unanswerable twins, with known truth."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import Stretch, make_items, make_profile, synthetic_run

from mmload.model import NS_PER_S, CheckVerdict, PhasePlan
from mmload.summary import Ending, RunInfo, RunReader, Summary, figures
from mmload.summary.evidence import robustness_evidence
from mmload.summary.measures import M, key
from mmload.summary.sums import item_key
from mmload.summary.twins import pair_accuracy, robustness, robustness_figures
from mmload.summary.view import Cells, View

CLEAN = 80
KINDS = {"blur@1": 0.05, "blur@3": 0.25, "jpeg@2": 0.10, "jpeg@5": 0.90}
"""Planted relative loss; severity 5 lies beyond what production brings."""
TRUTH = ((0.05 + 0.25) / 2 + 0.10) / 2


def items():
    plain = [replace(i, answerable=True, variant="clean", severity=0, twin="") for i in make_items(CLEAN)]
    out = list(plain)
    for name in KINDS:
        kind, severity = name.split("@")
        for twin in plain:
            index = len(out)
            out.append(
                replace(
                    twin, index=index, id=f"{index:016x}", variant=kind, severity=int(severity), twin=twin.id
                )
            )
    return out


@pytest.fixture(scope="module")
def info():
    profile = make_profile((Stretch("a", 60, 60),))
    plan = PhasePlan(0, "a", "sustained", True, False, 0, 60 * NS_PER_S, 0, 0, 10, 0, "a")
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    return RunInfo.from_header(header, items())


def view_of(rng, info, losses=KINDS, answers=2):
    summary = Summary()
    chance = rng.beta(12, 1, CLEAN)
    index = {item.id: item.index for item in info.items}
    p = np.array([chance[index[i.twin] if i.twin else i.index] for i in info.items])
    p *= [1 - losses[f"{i.variant}@{i.severity}"] if i.twin else 1 for i in info.items]
    n = np.full(len(p), answers)
    rows = np.stack([n, rng.binomial(n, p)], axis=1)
    summary.item_scores.add(item_key(np.zeros(len(p), int), 0, np.arange(len(p))), rows)
    cell = np.zeros((1, len(M)), np.int64)
    cell[0, M.PLANNED] = 1
    summary.cells.add(key(np.array([0]), np.array([0]), np.array([0])), cell)
    return View.of_phases(summary, info, Cells(summary), info.measured, info.phases[-1].end_ns)


def test_the_interval_of_the_loss_holds_the_truth(info):
    rng = np.random.default_rng(1)
    held, found = 0, []
    for _ in range(100):
        result = robustness(view_of(rng, info))
        bound = result.bound(0.95)
        held += bound.low <= TRUTH <= bound.high
        found.append(result.loss)
    assert held >= 90
    assert np.mean(found) == pytest.approx(TRUTH, abs=0.01)


def test_the_worst_degradation_comes_first_and_beyond_production_is_listed_but_not_counted(info):
    result = robustness_figures(view_of(np.random.default_rng(2), info))
    assert result["worst"] == "jpeg@5"
    assert [r["variant"] for r in result["by_variant"]][:2] == ["jpeg@5", "blur@3"]
    assert result["by_variant"][0]["p_adjusted"] < 0.001
    assert result["by_variant"][0]["n_pairs"] == CLEAN
    assert result["loss"] < 0.25


def test_a_harmless_degradation_is_not_called_harmful(info):
    rng = np.random.default_rng(3)
    blamed = 0
    for _ in range(100):
        rows = robustness(view_of(rng, info, dict.fromkeys(KINDS, 0.0))).rows
        blamed += any(r["p_adjusted"] < 0.05 for r in rows)
    assert blamed <= 8


def test_the_gate_on_the_loss(info):
    evidence = robustness_evidence(view_of(np.random.default_rng(4), info))
    assert evidence.against(0.5, upper=True) == CheckVerdict.PASS
    assert evidence.against(0.01, upper=True) == CheckVerdict.FAIL
    assert evidence.against(evidence.value, upper=True) == CheckVerdict.INCONCLUSIVE


def test_where_clean_items_fail_too_the_loss_means_nothing(info):
    view = view_of(np.random.default_rng(5), info)
    keys, _ = view.summary.item_scores.arrays()
    broken = Summary()
    broken.cells.merge(view.summary.cells)
    broken.item_scores.add(keys, np.stack([np.ones(len(keys), int), np.zeros(len(keys), int)], axis=1))
    again = View.of_phases(broken, info, Cells(broken), info.measured, info.phases[-1].end_ns)
    assert robustness(again) is None
    assert robustness_figures(again)["loss"] is None


@pytest.mark.parametrize(
    ("on_answerable", "on_unanswerable", "expected"),
    [(1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.25)],
)
def test_always_answering_and_always_declining_are_worth_nothing(on_answerable, on_unanswerable, expected):
    plain = [replace(i, answerable=True, twin="") for i in make_items(10)]
    twins = [replace(i, index=10 + i.index, id=f"t{i.index}", answerable=False, twin=i.id) for i in plain]
    profile = make_profile((Stretch("a", 60, 60),))
    plan = PhasePlan(0, "a", "sustained", True, False, 0, 60 * NS_PER_S, 0, 0, 10, 0, "a")
    header = {"profile": profile.model_dump(mode="json", exclude_none=True), "phases": [list(plan)]}
    info = RunInfo.from_header(header, [*plain, *twins])
    summary = Summary()
    right = np.array([on_answerable] * 10 + [on_unanswerable] * 10)
    summary.item_scores.add(np.arange(20), np.stack([np.full(20, 2), (2 * right).astype(int)], axis=1))
    view = View.of_phases(summary, info, Cells(summary), info.measured, info.phases[-1].end_ns)
    assert pair_accuracy(view) == (expected, 10)


def test_a_run_without_twins_has_neither(tmp_path):
    run = synthetic_run(tmp_path, (Stretch("a", 300, 10),))
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    quality = figures(reader.summary, reader.plan, Ending(reader.end))["quality"]
    assert quality["robustness"]["loss"] is None
    assert quality["abstention"]["pair_accuracy"] is None
