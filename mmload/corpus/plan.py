"""Which items a suite has: a pure function of the mix, before anything is drawn.

Not aware of how a task draws. Every attribute is dealt out in exact proportion within each task and then
shuffled (stratified permutation), so a small suite has the same mix as a large one.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mmload.model import InputError
from mmload.profile import Mix

GENERATION: Final = 1
"""Raise it when the plan or the seeds change: ids and scenes change with it."""
STYLES: Final = {"prose": 0.4, "log": 0.2, "json": 0.2, "code": 0.2}
SEVERITIES: Final = (1, 2, 3, 4, 5)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Slot:
    """One item before it is drawn."""

    index: int
    id: str
    task: str
    scene: int
    """Seed of what is drawn; twins share it."""
    size: str
    width: int
    height: int
    format: str
    quality: int | None
    prompt_tokens: int
    images: int
    lang: str
    style: str
    variant: str
    severity: int
    answerable: bool
    twin: str


@dataclass(frozen=True, slots=True)
class _Base:
    """What twins share."""

    number: int
    size: str
    format: str
    prompt: str
    images: str
    lang: str
    style: str


def _hash(*parts: object) -> int:
    text = "|".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def shares(weights: Mapping[str, float], n: int) -> dict[str, int]:
    """``n`` dealt out by largest remainder. Raises ``InputError`` where the weights add up to zero."""
    total = sum(weights.values())
    if total <= 0:
        raise InputError(f"weights add up to zero: {dict(weights)}")
    exact = {k: n * w / total for k, w in weights.items()}
    counts = {k: int(v) for k, v in exact.items()}
    left = n - sum(counts.values())
    for name in sorted(exact, key=lambda k: (counts[k] - exact[k], k))[:left]:
        counts[name] += 1
    return counts


def deal(rng: random.Random, weights: Mapping[str, float], n: int) -> list[str]:
    """``n`` names in proportion to their weights, in random order."""
    names = [name for name, count in shares(weights, n).items() for _ in range(count)]
    rng.shuffle(names)
    return names


def parse_format(name: str) -> tuple[str, int | None]:
    """``png``, ``jpeg-85``, ``webp-75`` -> format and quality. Raises ``InputError``."""
    kind, _, quality = name.partition("-")
    if kind == "png" and not quality:
        return "png", None
    if kind in ("jpeg", "webp") and quality.isdecimal() and 1 <= int(quality) <= 100:
        return kind, int(quality)
    raise InputError(f'mix.formats: "{name}" is no format; use png, jpeg-<1..100> or webp-<1..100>')


def parse_variant(name: str) -> tuple[str, tuple[int, ...]]:
    """``clean``, ``jpeg`` (all severities) or ``jpeg@3``. Raises ``InputError``."""
    kind, at, severity = name.partition("@")
    if kind == "clean" and not at:
        return kind, (0,)
    if not at:
        return kind, SEVERITIES
    if kind != "clean" and severity.isdecimal() and int(severity) in SEVERITIES:
        return kind, (int(severity),)
    raise InputError(f'mix.variants: "{name}" has no severity of 1 to 5 after the @')


def plan(mix: Mix, paired: Mapping[str, bool]) -> list[Slot]:
    """All items of the suite in order. ``paired`` names the known tasks, and whether half of a task's items
    are unanswerable twins. Raises ``InputError`` for a task, size, format or variant that does not exist."""
    wanted = {name: weight for name, weight in mix.tasks.items() if weight > 0}
    unknown = sorted(set(wanted) - set(paired))
    if unknown:
        raise InputError(f'mix.tasks: no task "{unknown[0]}"; there are: {", ".join(sorted(paired))}')
    _check_sizes(mix)
    slots: list[Slot] = []
    for task, count in shares(wanted, mix.items).items():
        slots += _task_slots(mix, task, count, paired[task], len(slots))
    return slots


def _check_sizes(mix: Mix) -> None:
    for name, size in mix.images.items():
        if size.weight > 0 and min(size.width, size.height) < 256:
            raise InputError(
                f"mix.images.{name}: {size.width}x{size.height} is too small to hold readable text; "
                "each side needs at least 256 pixels"
            )


def _task_slots(mix: Mix, task: str, count: int, paired: bool, first: int) -> list[Slot]:
    rng = random.Random(_hash(mix.suite_seed, GENERATION, task, "plan"))
    blind = count // 2 if paired else min(count // 2, round(count * mix.unanswerable))
    variants = {v: w for v, w in mix.variants.items() if v != "clean"}
    clean = mix.variants.get("clean", 0.0)
    lost = sum(variants.values()) / (sum(mix.variants.values()) or 1.0)
    worse = round((count - blind) * lost)
    if worse and clean > 0:
        worse = min(worse, count - blind - 1)
    plain = count - blind - worse
    bases = _bases(rng, mix, max(plain, blind if clean > 0 else 0, 0 if clean > 0 else count - blind))
    out: list[Slot] = []
    for base in bases[:plain]:
        out.append(_slot(mix, task, base, first + len(out), "clean", 0, True, ""))
    names = {base.number: slot.id for base, slot in zip(bases[:plain], out, strict=True)}
    for k in range(blind):
        base = bases[k % len(bases)]
        out.append(_slot(mix, task, base, first + len(out), "clean", 0, False, names.get(base.number, "")))
    degraded = _degraded(rng, variants, worse)
    for k, (variant, severity) in enumerate(degraded):
        base = bases[k % len(bases)]
        out.append(
            _slot(mix, task, base, first + len(out), variant, severity, True, names.get(base.number, ""))
        )
    return out


def _degraded(rng: random.Random, variants: Mapping[str, float], n: int) -> list[tuple[str, int]]:
    """Variants with severities, each severity as often as the others."""
    out: list[tuple[str, int]] = []
    for name, count in (shares(variants, n) if n else {}).items():
        kind, severities = parse_variant(name)
        out += [(kind, severities[k % len(severities)]) for k in range(count)]
    rng.shuffle(out)
    return out


def _bases(rng: random.Random, mix: Mix, n: int) -> list[_Base]:
    sizes = deal(rng, {k: s.weight for k, s in mix.images.items()}, n)
    columns: Sequence[Sequence[str]] = (
        sizes,
        deal(rng, mix.formats, n),
        deal(rng, mix.prompt_tokens, n),
        deal(rng, mix.images_per_request, n),
        deal(rng, mix.languages, n),
        deal(rng, STYLES, n),
    )
    return [_Base(k, *row) for k, row in enumerate(zip(*columns, strict=True))]


def _slot(
    mix: Mix, task: str, base: _Base, index: int, variant: str, severity: int, answerable: bool, twin: str
) -> Slot:
    size = mix.images[base.size]
    kind, quality = parse_format(base.format)
    key = (mix.suite_seed, GENERATION, task, base.number)
    return Slot(
        index,
        f"{_hash(*key, variant, severity, answerable):016x}",
        task,
        _hash(*key),
        base.size,
        size.width,
        size.height,
        kind,
        quality,
        _whole(base.prompt, "prompt_tokens", 16, 200_000),
        _whole(base.images, "images_per_request", 1, 16),
        base.lang,
        base.style,
        variant,
        severity,
        answerable,
        twin,
    )


def _whole(text: str, key: str, low: int, high: int) -> int:
    if text.isdecimal() and low <= int(text) <= high:
        return int(text)
    raise InputError(f'mix.{key}: "{text}" is not a whole number from {low} to {high}')
