"""What a profile would send, without its pictures: schedule, sizes and estimate, for verbs that send nothing.

Not aware of how it is shown. Sizes are exact if the suite is in the cache, else guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mmload import corpus, schedule
from mmload.corpus.bodies import streams
from mmload.corpus.plan import plan as plan_items
from mmload.plan import adapter_of, shapes_of, tasks_of
from mmload.profile import Mix, Profile
from mmload.schedule import Schedule
from mmload.schedule.estimate import Estimate, Sizes, estimate

if TYPE_CHECKING:
    from mmload.corpus import Suite
    from mmload.shapes import Shape
    from mmload.tasks import Task
    from mmload.wire import Adapter

_BYTES_PER_PIXEL: Final = {"png": 0.105, "jpeg": 0.075, "webp": 0.03}
_BYTES_PER_IMAGE: Final = 6000
"""Of the pictures that the tasks draw, measured: flat colours and text, which PNG likes."""
_PATCH_PX: Final = 32
"""Image tokens by the published rule of one token a patch of 32 x 32 pixels."""
_ANSWER_TOKENS: Final = 90
_ENVELOPE_BYTES: Final = 1600
"""System prompt, schema and JSON around the pictures and the prompt."""


@dataclass(frozen=True, eq=False)
class Outline:
    profile: Profile
    shapes: list[Shape]
    schedule: Schedule
    sizes: Sizes
    estimate: Estimate
    suite: Suite | None
    """The suite, if it is in the cache already."""

    @property
    def bursts(self) -> int:
        """Burst windows outside of warm-up."""
        pairs = zip(self.profile.phase, self.shapes, strict=True)
        return sum(len(shape.bursts) * phase.repeats for phase, shape in pairs if not phase.warmup)


def outline(profile: Profile, base_dir: Path, answer_s: float = 1.0) -> Outline:
    """Compile a profile. ``answer_s``: assumed seconds an answer, for what closed loops will send."""
    shapes, tasks = shapes_of(profile, base_dir), tasks_of(profile.mix)
    adapter = adapter_of(profile.target)
    if profile.mix.items_file is None:
        suite = cached_suite(profile.mix, tasks)
    else:
        # Nothing is drawn; the file's lines are checked, and counted.
        suite = corpus.build(profile.mix, tasks, corpus.default_cache())
    if suite is not None:
        _try_out(adapter, suite, profile.target.streaming)
    names, strata, sizes = _of_suite(suite, profile) if suite else _of_slots(profile, tasks)
    compiled = schedule.compile(profile, shapes, strata, names)
    return Outline(profile, shapes, compiled, sizes, estimate(profile, compiled, sizes, answer_s), suite)


def _try_out(adapter: Adapter, suite: Suite, streaming: float) -> None:
    """Make the request of one item: a template that fails is found before a run. Raises ``InputError``."""
    item = suite.items[0]
    pictures = [(suite.dir / image.file).read_bytes() for image in item.images]
    for stream in {streaming > 0, streaming >= 1}:
        adapter.encode(item, pictures, stream)


def cached_suite(mix: Mix, tasks: Mapping[str, Task]) -> Suite | None:
    """The suite of a mix if it is built, else None."""
    folder = corpus.location(mix, tasks, corpus.default_cache())
    return corpus.load(folder) if (folder / "manifest.json").exists() else None


def _of_suite(suite: Suite, profile: Profile) -> tuple[list[str], Any, Sizes]:
    items = suite.items
    pictures = [sum(4 * ((image.n_bytes + 2) // 3) for image in item.images) for item in items]
    text = [len(item.system.encode()) + len(item.prompt.encode()) for item in items]
    sizes = Sizes(
        request_bytes=np.array(pictures, float) + np.array(text, float) + _ENVELOPE_BYTES / 2,
        tokens_in=np.array(
            [i.prompt_tokens + sum(_patches(m.width, m.height) for m in i.images) for i in items], float
        ),
        tokens_out=np.array([len(json.dumps(i.truth.get("answer"))) / 3 + 45 for i in items], float),
        streamed=np.array([streams(i.id, profile.target.streaming) for i in items], bool),
        answerable=np.array([i.answerable for i in items], bool),
    )
    return [item.task for item in items], corpus.strata(suite), sizes


def _of_slots(profile: Profile, tasks: Mapping[str, Task]) -> tuple[list[str], Any, Sizes]:
    slots = plan_items(profile.mix, {name: task.pairs for name, task in tasks.items()})
    pixels = np.array([s.width * s.height * s.images for s in slots], float)
    density = np.array([_BYTES_PER_PIXEL[s.format] for s in slots], float)
    prompt = np.array([s.prompt_tokens for s in slots], float)
    sizes = Sizes(
        request_bytes=4 / 3 * (pixels * density + _BYTES_PER_IMAGE) + 4 * prompt + _ENVELOPE_BYTES,
        tokens_in=prompt + np.array([_patches(s.width, s.height) * s.images for s in slots], float),
        tokens_out=np.full(len(slots), float(_ANSWER_TOKENS)),
        streamed=np.array([streams(s.id, profile.target.streaming) for s in slots], bool),
        answerable=np.array([s.answerable for s in slots], bool),
    )
    strata: dict[tuple[str, str, bool], int] = {}
    numbers = [strata.setdefault((s.task, s.size, s.answerable), len(strata)) for s in slots]
    return [s.task for s in slots], np.array(numbers), sizes


def _patches(width: int, height: int) -> int:
    return -(-width // _PATCH_PX) * -(-height // _PATCH_PX)
