"""Items of every task, as the suite would hold them, for the tests of tasks, scores and the corpus."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from mmload.corpus.nonce import nonce
from mmload.model import ImageFile, Item
from mmload.tasks import Task, Want

TASKS: dict[str, Task] = {e.name: e.load()() for e in entry_points(group="mmload.tasks") if e.name != "own"}
SIZES = ((256, 256), (512, 512), (1024, 768), (1920, 1080), (768, 1600))


def item_of(task: Task, seed: int, want: Want) -> Item:
    """One item as the suite would hold it, its truth having been through JSON."""
    drawn = task.draw(random.Random(seed), want)
    images = tuple(ImageFile("x", i.width, i.height, "png", None, "", 0) for i in drawn.images)
    truth = json.loads(json.dumps(drawn.truth))
    return Item(
        seed,
        f"{seed:016x}",
        task.name,
        want.variant,
        want.severity,
        drawn.answerable,
        "",
        drawn.slices,
        images,
        drawn.system,
        drawn.prompt,
        1,
        truth,
        tuple(drawn.evidence),
        want.nonce,
        drawn.canaries,
    )


def want_of(seed: int, **changes: Any) -> Want:
    width, height = SIZES[seed % len(SIZES)]
    plain: dict[str, Any] = {
        "width": width,
        "height": height,
        "prompt_tokens": (64, 256, 1024)[seed % 3],
        "nonce": nonce(5, seed),
        "lang": ("en", "de", "ru", "pl")[seed % 4],
        "style": ("prose", "code", "json", "log")[seed % 4],
        "canary": "ZK-" + nonce(6, seed),
        "images": 2 if seed % 7 == 6 else 1,
    }
    return Want(**{**plain, **changes})


def drawn_items(task: Task, count: int, **changes: Any) -> list[Item]:
    """``count`` items over sizes, prompts and languages; a layout that refuses a seed is passed over."""
    found: list[Item] = []
    seed = 0
    while len(found) < count and seed < 4 * count:
        try:
            found.append(item_of(task, seed, want_of(seed, **changes)))
        except ValueError:
            pass
        seed += 1
    assert len(found) == count, f"{task.name} refuses too many layouts"
    return found


def envelope(item: Item, **changes: Any) -> dict[str, Any]:
    """The ideal answer, with changes."""
    truth: Mapping[str, Any] = item.truth
    ideal = {
        "status": truth["status"],
        "answer": truth["answer"],
        "evidence": [],
        "confidence": 0.95,
        "nonce": item.nonce,
    }
    return {**ideal, **changes}
