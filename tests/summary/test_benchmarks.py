"""AMBER, POPE, HallusionBench and cross-modal conflict: known answers, as their papers define them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from task_samples import TASKS, drawn_items, envelope

from mmload.model import Item, Score
from mmload.summary.benchmarks import benchmark_figures, conflict_figures, counted


def scored(task: str, item: Item, **changes: Any) -> Score:
    answer = {**item.truth["answer"], **changes}
    return TASKS[task].score(item, json.dumps(envelope(item, answer=answer)), 0)


def figures(scores: list[Score], twins_right: float | None = None) -> dict[str, Any]:
    return benchmark_figures(counted(scores), twins_right)


@pytest.fixture(scope="module")
def panels() -> list[Item]:
    return drawn_items(TASKS["describe"], 8)


def test_an_oracle_gets_the_best_of_every_benchmark(panels: list[Item]) -> None:
    found = figures([scored("describe", item) for item in panels], 1.0)
    probes = sum(len(item.truth["answer"]["probes"]) for item in panels)
    best = {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert found["amber"] == {
        "score": 100.0, "chair": 0.0, "cover": 1.0, "hal": 0.0, "cog": 0.0, "n": 8, **best
    }  # fmt: skip
    yes = sum(said == "yes" for item in panels for said in item.truth["answer"]["probes"].values())
    assert found["pope"] == {**best, "yes_ratio": pytest.approx(yes / probes, abs=1e-6), "n": probes}
    assert found["hallusion_bench"] == {
        "a_acc": 1.0,
        "f_acc": 1.0,
        "q_acc": 1.0,
        "yes_difference": 0.0,
        "false_positive_ratio": None,
        "n": probes,
    }


def test_who_says_yes_to_everything_is_told_by_pope_and_by_amber(panels: list[Item]) -> None:
    said = [scored("describe", i, probes=dict.fromkeys(i.truth["answer"]["probes"], "yes")) for i in panels]
    found = figures(said)
    there = sum(v == "yes" for item in panels for v in item.truth["answer"]["probes"].values())
    n = found["pope"]["n"]
    assert (found["pope"]["yes_ratio"], found["pope"]["recall"]) == (1.0, 1.0)
    assert found["pope"]["accuracy"] == found["pope"]["precision"] == pytest.approx(there / n, abs=1e-6)
    # "No" is AMBER's positive class: it was never said.
    assert (found["amber"]["precision"], found["amber"]["recall"], found["amber"]["f1"]) == (None, 0.0, 0.0)
    assert found["amber"]["score"] == 50.0
    bench = found["hallusion_bench"]
    assert bench["false_positive_ratio"] == 1.0
    assert bench["yes_difference"] == pytest.approx(1 - there / n, abs=1e-6)
    assert (
        bench["f_acc"]
        == sum(all(v == "yes" for v in i.truth["answer"]["probes"].values()) for i in panels) / 8
    )


def test_one_planted_object_moves_chair_hal_and_cog_by_as_much(panels: list[Item]) -> None:
    host = next(i for i in panels if i.truth["bait_labels"][0] not in i.truth["graph"]["objects"])
    bait = host.truth["bait_labels"][0]
    objects = [*host.truth["answer"]["objects"], {"label": bait, "attrs": {}}]
    said = [scored("describe", i, **({"objects": objects} if i is host else {})) for i in panels]
    mentions = sum(len(i.truth["answer"]["objects"]) for i in panels) + 1
    lures = sum(len(i.truth["bait_labels"]) for i in panels)
    found = figures(said)["amber"]
    assert found["chair"] == pytest.approx(1 / mentions, abs=1e-6)
    assert (found["hal"], found["cover"]) == (1 / 8, 1.0)
    assert found["cog"] == pytest.approx(1 / lures, abs=1e-6)
    assert found["score"] == pytest.approx((100 - 100 / mentions + 100) / 2, abs=1e-3)


def test_a_probe_that_is_not_answered_is_wrong_and_one_that_was_not_asked_is_nothing(
    panels: list[Item],
) -> None:
    item = panels[0]
    asked = item.truth["answer"]["probes"]
    stray = next(label for label in ("lamp", "bell", "fan", "valve", "knob") if label not in asked)
    there = "yes" if stray in item.truth["graph"]["objects"] else "no"
    half = dict(list(asked.items())[:1]) | {stray: there}
    found = figures([scored("describe", item, probes=half)])
    assert found["pope"]["n"] == 1 and found["pope"]["accuracy"] == 1.0
    assert found["hallusion_bench"]["a_acc"] == pytest.approx(1 / len(asked), abs=1e-6)
    assert found["hallusion_bench"]["f_acc"] == 0.0


def test_nothing_asked_is_null_and_never_zero() -> None:
    nothing = benchmark_figures(Counter(), None) | {"conflict": conflict_figures(Counter())}
    for found in nothing.values():
        for name, value in found.items():
            if name == "followed":
                assert all(v is None for row in value.values() for v in row.values())
            else:
                assert value == 0 if name in ("n", "n_consistent") else value is None


def test_whose_word_was_taken_is_a_matrix_of_authority_and_followed() -> None:
    items = drawn_items(TASKS["conflict"], 40)
    odd = [i for i in items if i.truth["status"] == "conflict"]
    right = conflict_figures(counted([scored("conflict", i) for i in items]))
    assert (right["authoritative_ratio"], right["blend_ratio"], right["false_conflict_ratio"]) == (
        1.0,
        0.0,
        0.0,
    )
    assert (right["n"], right["n_consistent"], right["detected_ratio"]) == (len(odd), 40 - len(odd), 1.0)
    assert all(row[source] == 1.0 and sum(row.values()) == 1.0 for source, row in right["followed"].items())

    captured = conflict_figures(
        counted(
            [scored("conflict", i, value=i.truth["stated"]["image"], trusted_source="image") for i in items]
        )
    )
    for trusted, row in captured["followed"].items():
        mine = [i for i in odd if i.truth["answer"]["trusted_source"] == trusted]
        differs = [i for i in mine if i.truth["stated"]["image"] != i.truth["answer"]["value"]]
        if trusted != "image":
            assert row["image"] == pytest.approx(len(differs) / len(mine), abs=1e-6)
    nobody = conflict_figures(counted([scored("conflict", i, value="X-77777") for i in odd]))
    assert (nobody["blend_ratio"], nobody["authoritative_ratio"]) == (1.0, 0.0)
