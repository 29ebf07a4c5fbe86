from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from task_samples import TASKS, envelope, item_of, want_of

from mmload.model import InputError
from mmload.tasks import Drawn
from mmload.tasks.degrade import FLIP, INVARIANT, POLICIES, XHEIGHT
from mmload.tasks.muddle import misspell, muddle

IMAGE = (
    "gaussian_blur",
    "gaussian_noise",
    "jpeg",
    "contrast",
    "pixelate",
    "downscale",
    "rotation",
    "occlusion",
)


def drawn(task: str, variant: str, severity: int, seed: int = 2) -> Drawn:
    return TASKS[task].draw(random.Random(seed), want_of(2, variant=variant, severity=severity))


def content(node: Any) -> Any:
    """An answer without its coordinates."""
    if isinstance(node, dict):
        return {k: content(v) for k, v in node.items() if k not in ("point", "box")}
    return [content(v) for v in node] if isinstance(node, list) else node


def test_every_degradation_says_what_it_does_to_the_truth() -> None:
    assert len(POLICIES) >= 15 and set(POLICIES.values()) <= {INVARIANT, FLIP}


@pytest.mark.parametrize("task", ["extract", "ui", "chart", "code"])
@pytest.mark.parametrize("variant", [v for v, p in POLICIES.items() if p == INVARIANT])
def test_an_invariant_degradation_keeps_the_truth(task: str, variant: str) -> None:
    clean = drawn(task, "clean", 0)
    for severity in (1, 3, 4):
        worse = drawn(task, variant, severity)
        assert not worse.void and worse.answerable
        assert content(worse.truth["answer"]) == content(clean.truth["answer"])


@pytest.mark.parametrize("task", ["extract", "ui", "chart"])
@pytest.mark.parametrize("variant", ["occlusion_evidence", "crop_evidence"])
def test_a_flipping_degradation_turns_the_truth_where_the_evidence_is_gone(task: str, variant: str) -> None:
    assert drawn(task, "occlusion_evidence", 1).answerable
    for severity in (3, 4, 5):
        gone = drawn(task, variant, severity)
        assert not gone.answerable and gone.truth["status"] == "insufficient_evidence"
        assert gone.truth["answer"] is None and gone.truth["bait"]
        assert {e["id"] for e in gone.evidence} == {"nonce"}


def test_a_log_that_lost_its_cause_cannot_be_triaged() -> None:
    kept, lost = drawn("triage", "truncated_log", 5), drawn("triage", "truncated_log_evidence", 3)
    cause = kept.truth["answer"]["root_cause_code"]
    assert kept.answerable and f"cause={cause}" in kept.prompt
    assert not lost.answerable and "cause=" not in lost.prompt


@pytest.mark.parametrize("variant", IMAGE)
def test_severity_goes_up(variant: str) -> None:
    clean = np.asarray(drawn("extract", "clean", 0).images[0], dtype=float)
    distances = []
    for severity in (1, 2, 3, 4, 5):
        picture = drawn("extract", variant, severity).images[0].resize((clean.shape[1], clean.shape[0]))
        distances.append(float(np.abs(np.asarray(picture, dtype=float) - clean).mean()))
    assert distances[0] > 0 and distances[-1] > distances[0]


def test_a_harder_crop_leaves_no_more_of_the_picture() -> None:
    areas = [
        image.width * image.height for s in (1, 2, 3, 4, 5) for image in drawn("extract", "crop", s).images
    ]
    assert areas == sorted(areas, reverse=True) and areas[0] < 1024 * 768


@pytest.mark.parametrize("variant", ["pixelate", "downscale"])
def test_the_xheight_left_is_the_one_that_the_severity_names(variant: str) -> None:
    for severity, wanted in enumerate(XHEIGHT[:4], 1):
        worse = drawn("extract", variant, severity)
        assert min(e["xheight_px"] for e in worse.evidence) <= max(wanted, 9.4)
        assert worse.answerable
    assert not drawn("extract", variant, 5).answerable, "4.5 pixels are below what anybody reads"


@pytest.mark.parametrize("variant", ["downscale", "rotation", "crop"])
def test_boxes_and_points_move_with_the_pixels(variant: str) -> None:
    for seed in range(12):
        item = item_of(TASKS["ui"], seed, want_of(seed, variant=variant, severity=3))
        score = TASKS["ui"].score(item, json.dumps(envelope(item)), 0)
        assert score.passed, (item.truth["answer"], item.slices)
        for one in item.evidence:
            if one["bbox"]:
                image = item.images[one["image"]]
                x0, y0, x1, y1 = one["bbox"]
                assert -1 <= x0 < x1 <= image.width + 1 and -1 <= y0 < y1 <= image.height + 1


def test_a_moved_box_still_holds_its_ink() -> None:
    clean, turned = drawn("extract", "clean", 0), drawn("extract", "rotation", 1)
    before, after = (next(e for e in d.evidence if e["id"] == "nonce") for d in (clean, turned))
    dark = [
        np.asarray(d.images[0].convert("L").crop([round(v) for v in e["bbox"]]))
        for d, e in ((clean, before), (turned, after))
    ]
    ink = [float((box < box.mean() - 40).sum()) for box in dark]
    assert ink[1] == pytest.approx(ink[0], rel=0.35)


def test_clutter_adds_the_tokens_that_it_names_and_keeps_the_question() -> None:
    clean, worse = drawn("extract", "clean", 0), drawn("extract", "prompt_clutter", 3)
    assert 3900 <= len(worse.prompt) - len(clean.prompt) <= 4100
    assert "Extract these fields" in worse.prompt


def test_slips_of_the_keyboard_spare_names_numbers_and_quotes() -> None:
    text = 'please set "Region" to Central, then open ORD-10423 at ops@example.com quickly and report'
    slipped = misspell(random.Random(1), text, 5, whole=["then open"])
    assert slipped != text and len(slipped) == len(text)
    for kept in ('"Region"', "Central", "ORD-10423", "ops@example.com", "then open"):
        assert kept in slipped


def test_more_severe_typos_are_more() -> None:
    text = "several ordinary words stand here together without any names " * 20
    changed = [
        sum(a != b for a, b in zip(text, misspell(random.Random(2), text, s), strict=True)) for s in (1, 3, 5)
    ]
    assert changed[0] < changed[1] < changed[2]


def test_variables_are_renamed_everywhere_alike() -> None:
    paragraphs = ["def flush_batch(record):\n    flush_batch(cursor.key)", "flush_batch(other_name)"]
    renamed = muddle(random.Random(1), paragraphs, "renamed_vars", 5)
    assert "flush_batch" not in "".join(renamed)
    new = renamed[1].split("(")[0]
    assert renamed[0].count(new) == 2


def test_an_unknown_degradation_is_named() -> None:
    with pytest.raises(InputError, match='no degradation "melt"'):
        drawn("ui", "melt", 1)


def test_a_degraded_twin_is_drawn_the_same_twice() -> None:
    for variant in POLICIES:
        a, b = drawn("extract", variant, 3), drawn("extract", variant, 3)
        assert a.images[0].tobytes() == b.images[0].tobytes() and a.prompt == b.prompt
