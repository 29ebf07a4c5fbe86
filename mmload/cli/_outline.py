"""What a profile would send, without its pictures: schedule, sizes and estimate, for verbs that send nothing.

Not aware of how it is shown. Sizes are exact if the suite is in the cache, else guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mmload import corpus, schedule
from mmload.corpus import Ask, Scripts
from mmload.corpus.bodies import streams
from mmload.corpus.plan import plan as plan_items
from mmload.model import NS_PER_S, Turn
from mmload.plan import encoder, shapes_of, tasks_of
from mmload.plugins import adapter_of
from mmload.price import MICRO, PriceBook
from mmload.profile import Mix, Profile
from mmload.schedule import Schedule
from mmload.schedule.estimate import Estimate, Sizes, estimate

if TYPE_CHECKING:
    from mmload.corpus import Suite
    from mmload.shapes import Shape
    from mmload.tasks import Task
    from mmload.wire import Adapter

_IMAGE_BYTES: Final = {"png": (135_000, 0.54), "jpeg": (104_000, 0.7), "webp": (32_000, 0.49)}
"""Of a picture of a megapixel, and the power by which that grows with the pixels, measured on 720 pictures
that the tasks drew: the larger they are, the more of them is flat."""
_PATCH_PX: Final = 32
"""Image tokens by the published rule of one token a patch of 32 x 32 pixels."""
_ANSWER_TOKENS: Final = 90
_QUESTION_TOKENS: Final = 194
"""Of the system prompt and the question itself, beside the tokens that the profile asks for."""
_ENVELOPE_BYTES: Final = 800
"""Schema and JSON around the pictures and the prompt."""


@dataclass(frozen=True, eq=False)
class Outline:
    profile: Profile
    shapes: list[Shape]
    schedule: Schedule
    sizes: Sizes
    estimate: Estimate
    suite: Suite | None
    """The suite, if it is in the cache already."""
    scripts: Scripts | None
    """What sessions of several turns ask; None if all requests stand alone."""
    answer_s: float
    """Assumed seconds an answer."""

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each open-loop request would be due."""
        return self.schedule.times_ns(round(self.answer_s * NS_PER_S)) / NS_PER_S

    @property
    def session_s(self) -> float:
        """Mean time from the first question of a session to its last answer; 0 without sessions."""
        if self.scripts is None:
            return 0.0
        think = self.profile.sessions.think_time_s
        return self.scripts.mean * self.answer_s + (self.scripts.mean - 1) * think

    @property
    def turns_cut(self) -> int:
        """Turns that would be due only when the drain time is over."""
        return int((self.times_s > self.estimate.duration_s + self.profile.drain_s).sum())

    @property
    def bursts(self) -> int:
        """Burst windows outside of warm-up."""
        pairs = zip(self.profile.phase, self.shapes, strict=True)
        return sum(len(shape.bursts) * phase.repeats for phase, shape in pairs if not phase.warmup)


def outline(profile: Profile, base_dir: Path, answer_s: float = 1.0) -> Outline:
    """Compile a profile. ``answer_s``: assumed seconds an answer, for what closed loops will send and when
    later turns are due."""
    shapes, tasks = shapes_of(profile, base_dir), tasks_of(profile.mix)
    adapter = adapter_of(profile.target)
    if profile.mix.items_file is None:
        suite = cached_suite(profile.mix, tasks)
    else:
        # Nothing is drawn; the file's lines are checked, and counted.
        suite = corpus.build(profile.mix, tasks, corpus.default_cache())
    if suite is not None:
        _try_out(adapter, suite, profile)
    names, strata, sizes, scripts = _of_suite(suite, profile) if suite else _of_slots(profile, tasks)
    compiled = schedule.compile(profile, shapes, strata, names, scripts.turns if scripts else None)
    amount = estimate(profile, compiled, sizes, answer_s, _usd_per_mtok(profile))
    return Outline(profile, shapes, compiled, sizes, amount, suite, scripts, answer_s)


def _usd_per_mtok(profile: Profile) -> tuple[float, float] | None:
    """What a run would price input and output at if the model answers by the name that it is asked by."""
    rate = PriceBook(profile.cost, profile.target.model).rate(profile.target.model)
    return None if rate is None else (rate.input / MICRO, rate.output / MICRO)


def _try_out(adapter: Adapter, suite: Suite, profile: Profile) -> None:
    """Make the request of one item: a template that fails is found before a run. Raises ``InputError``."""
    item, streaming = suite.items[0], profile.target.streaming
    pictures = [(suite.dir / image.file).read_bytes() for image in item.images]
    several = profile.sessions.several
    encode = encoder(adapter, profile.target, several)
    history = [Turn(replace(item, images=()), [], "{}")] if several else []
    for stream in {streaming > 0, streaming >= 1}:
        encode(replace(item, streaming=stream), pictures, history)


def cached_suite(mix: Mix, tasks: Mapping[str, Task]) -> Suite | None:
    """The suite of a mix if it is built, else None."""
    folder = corpus.location(mix, tasks, corpus.default_cache())
    return corpus.load(folder) if (folder / "manifest.json").exists() else None


def _of_suite(suite: Suite, profile: Profile) -> tuple[list[str], Any, Sizes, Scripts | None]:
    items = suite.items
    scripts = corpus.scripts(profile.sessions, items, profile.mix.suite_seed)
    shown = scripts.fresh(items) if scripts else [item.images for item in items]
    pictures = [sum(4 * ((image.n_bytes + 2) // 3) for image in images) for images in shown]
    text = [len(item.system.encode()) + len(item.prompt.encode()) for item in items]
    sizes = Sizes(
        request_bytes=np.array(pictures, float) + np.array(text, float) + _ENVELOPE_BYTES,
        tokens_in=np.array(
            [
                item.prompt_tokens + sum(_patches(m.width, m.height) for m in images)
                for item, images in zip(items, shown, strict=True)
            ],
            float,
        ),
        tokens_out=np.array([len(json.dumps(i.truth.get("answer"))) / 3 + 45 for i in items], float),
        streamed=np.array([streams(i.id, profile.target.streaming) for i in items], bool),
        answerable=np.array([i.answerable for i in items], bool),
    )
    said = [len(corpus.reference(item).encode()) for item in items]
    return [i.task for i in items], corpus.strata(suite), _with_history(sizes, scripts, said), scripts


def _with_history(sizes: Sizes, scripts: Scripts | None, said: Sequence[int]) -> Sizes:
    """Sizes of requests that carry what was said before; ``said``: bytes of the answers."""
    if scripts is None:
        return sizes
    tokens = [-(-n // 4) for n in said]
    return replace(
        sizes,
        request_bytes=np.array(scripts.carried(sizes.request_bytes.astype(int).tolist(), said), float),
        tokens_in=np.array(scripts.carried(sizes.tokens_in.astype(int).tolist(), tokens), float),
    )


def _of_slots(profile: Profile, tasks: Mapping[str, Task]) -> tuple[list[str], Any, Sizes, Scripts | None]:
    slots = plan_items(profile.mix, {name: task.pairs for name, task in tasks.items()})
    pictures = np.array([s.images * _image_bytes(s.width * s.height, s.format) for s in slots])
    prompt = np.array([s.prompt_tokens for s in slots], float) + _QUESTION_TOKENS
    sizes = Sizes(
        request_bytes=4 / 3 * pictures + 4 * prompt + _ENVELOPE_BYTES,
        tokens_in=prompt + np.array([_patches(s.width, s.height) * s.images for s in slots], float),
        tokens_out=np.full(len(slots), float(_ANSWER_TOKENS)),
        streamed=np.array([streams(s.id, profile.target.streaming) for s in slots], bool),
        answerable=np.array([s.answerable for s in slots], bool),
    )
    strata: dict[tuple[str, str, bool], int] = {}
    numbers = [strata.setdefault((s.task, s.size, s.answerable), len(strata)) for s in slots]
    asks = [Ask(s.task, "", s.twin or s.id, (s.id,)) for s in slots]
    scripts = corpus.arrange(profile.sessions, asks, profile.mix.suite_seed)
    sizes = _with_history(sizes, scripts, [4 * _ANSWER_TOKENS] * len(slots))
    return [s.task for s in slots], np.array(numbers), sizes, scripts


def _image_bytes(pixels: int, kind: str) -> float:
    of_a_megapixel, power = _IMAGE_BYTES[kind]
    return of_a_megapixel * math.pow(pixels / 1e6, power)


def _patches(width: int, height: int) -> int:
    return -(-width // _PATCH_PX) * -(-height // _PATCH_PX)
