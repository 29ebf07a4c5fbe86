"""Degradations of an item at five severities, and what each does to its truth.

Not aware of tasks. Strength is relative to the x-height of the evidence: one pixel of blur is nothing on a
4K screenshot and the end of all text at 256 pixels. After any of them, evidence whose x-height fell below
5 pixels, or of which less than 60% is visible, cannot be read: the item's truth becomes "cannot tell".
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter

Policy = str
INVARIANT: Final = "invariant"
FLIP: Final = "flip_to_abstain"

POLICIES: Final[dict[str, Policy]] = {
    "gaussian_blur": INVARIANT,
    "gaussian_noise": INVARIANT,
    "jpeg": INVARIANT,
    "contrast": INVARIANT,
    "pixelate": INVARIANT,
    "downscale": INVARIANT,
    "rotation": INVARIANT,
    "occlusion": INVARIANT,
    "occlusion_evidence": FLIP,
    "crop": INVARIANT,
    "crop_evidence": FLIP,
    "reskin": INVARIANT,
    "layout_shift": INVARIANT,
    "multilingual": INVARIANT,
    "prompt_clutter": INVARIANT,
    "truncated_log": INVARIANT,
    "truncated_log_evidence": FLIP,
    "renamed_vars": INVARIANT,
    "typos": INVARIANT,
}
"""What a degradation means to do to the truth. The guard above may still flip an invariant one; a flipping
one flips from the severity at which the evidence is gone."""

BLUR: Final = (0.06, 0.10, 0.15, 0.22, 0.32)
"""Sigma, in x-heights."""
NOISE: Final = (0.04, 0.08, 0.12, 0.18, 0.26)
"""Standard deviation, of full scale."""
JPEG: Final = (60, 40, 25, 15, 8)
CONTRAST: Final = (0.6, 0.4, 0.3, 0.2, 0.1)
"""Factor about the mean."""
XHEIGHT: Final = (10.0, 8.0, 6.5, 5.5, 4.5)
"""Pixels that ``pixelate`` and ``downscale`` leave to the evidence."""
ROTATION: Final = (1.0, 2.0, 4.0, 7.0, 12.0)
"""Degrees, either way."""
COVERED: Final = (0.05, 0.10, 0.20, 0.30, 0.40)
"""Share of the image that ``occlusion`` covers, outside the evidence."""
LOST: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Share of one piece of evidence that ``occlusion_evidence`` and ``crop_evidence`` take."""
MARGIN: Final = (0.05, 0.10, 0.15, 0.20, 0.25)
"""Of each side, that ``crop`` cuts away as far as no evidence is touched."""
CLUTTER: Final = (100, 300, 1000, 3000, 8000)
"""Tokens."""
KEPT: Final = (0.8, 0.6, 0.4, 0.2, 0.1)
"""Share of the context that ``truncated_log`` keeps."""
RENAMED: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
TYPOS: Final = (0.01, 0.02, 0.04, 0.08, 0.12)
FOREIGN: Final = (0.10, 0.25, 0.50, 0.75, 1.00)

MIN_XHEIGHT: Final = 5.0
MIN_VISIBLE: Final = 0.6


@dataclass(slots=True)
class Subject:
    """What a degradation works on; it is changed in place."""

    images: list[Image.Image]
    evidence: list[dict[str, Any]]
    truth: dict[str, Any]
    void: str = ""

    def seen(self, image: int) -> list[dict[str, Any]]:
        return [e for e in self.evidence if e["image"] == image and e["bbox"]]


def degrade(rng: random.Random, subject: Subject, variant: str, severity: int) -> None:
    """Apply an image degradation to the images that hold evidence; others leave the subject as it is."""
    how = _IMAGE.get(variant)
    if how is None:
        return
    for number in sorted({e["image"] for e in subject.evidence if e["bbox"]}):
        how(rng, subject, number, severity - 1)
    _guard(subject)


def _guard(subject: Subject) -> None:
    """Flip the truth where evidence can no longer be read; void the item where its nonce cannot."""
    gone = {e["id"] for e in subject.evidence if e["bbox"] and unreadable(e)}
    if "nonce" in gone:
        subject.void = "its nonce can no longer be read"
    elif gone:
        flip(subject, gone)


def unreadable(evidence: Mapping[str, Any]) -> bool:
    small = evidence["xheight_px"] is not None and evidence["xheight_px"] < MIN_XHEIGHT
    return bool(small or evidence.get("visible", 1.0) < MIN_VISIBLE)


def flip(subject: Subject, gone: set[str]) -> None:
    """The truth becomes 'cannot tell'; what was right is now the bait."""
    truth = subject.truth
    if truth["status"] != "insufficient_evidence":
        truth["bait"] = truth["answer"]
        truth["status"], truth["answer"] = "insufficient_evidence", None
    subject.evidence[:] = [e for e in subject.evidence if e["id"] == "nonce" and e["id"] not in gone]
    truth["plausible"] = {"nonce": truth["plausible"]["nonce"]}


def _xheight(subject: Subject, image: int) -> float:
    """Smallest x-height of the evidence in an image."""
    return min((e["xheight_px"] for e in subject.seen(image)), default=10.0)


def _blur(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    sigma = BLUR[level] * _xheight(subject, image)
    subject.images[image] = subject.images[image].filter(ImageFilter.GaussianBlur(sigma))


def _noise(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    generator = np.random.Generator(np.random.PCG64(rng.getrandbits(63)))
    pixels = np.asarray(subject.images[image], dtype=np.float32)
    pixels = pixels + generator.standard_normal(pixels.shape, dtype=np.float32) * np.float32(
        255 * NOISE[level]
    )
    subject.images[image] = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _jpeg(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    out = io.BytesIO()
    subject.images[image].save(out, "JPEG", quality=JPEG[level])
    out.seek(0)
    subject.images[image] = Image.open(out).convert("RGB")


def _contrast(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    pixels = np.asarray(subject.images[image], dtype=np.float32)
    mean = pixels.mean()
    flat = (pixels - mean) * np.float32(CONTRAST[level]) + mean
    subject.images[image] = Image.fromarray(np.clip(flat, 0, 255).astype(np.uint8))


def _shrunk(subject: Subject, image: int, level: int) -> float:
    """Scale at which the smallest evidence has the wanted x-height; 1 where it is that small already."""
    return min(1.0, XHEIGHT[level] / _xheight(subject, image))


def _pixelate(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    scale, picture = _shrunk(subject, image, level), subject.images[image]
    small = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.BOX
    )
    subject.images[image] = small.resize(picture.size, Image.Resampling.NEAREST)
    for e in subject.seen(image):
        e["xheight_px"] = round(e["xheight_px"] * scale, 2)


def _downscale(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    scale, picture = _shrunk(subject, image, level), subject.images[image]
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    subject.images[image] = picture.resize(size, Image.Resampling.LANCZOS)
    _move(subject, image, lambda x, y: (x * scale, y * scale), scale)


def _rotation(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    angle = ROTATION[level] * rng.choice((-1, 1))
    picture = subject.images[image]
    turned = picture.rotate(
        angle,
        Image.Resampling.BICUBIC,
        expand=True,
        fillcolor=picture.getpixel((1, 1)),
    )
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turn(x: float, y: float) -> tuple[float, float]:
        dx, dy = x - picture.width / 2, y - picture.height / 2
        return dx * cos + dy * sin + turned.width / 2, dy * cos - dx * sin + turned.height / 2

    subject.images[image] = turned
    _move(subject, image, turn, 1.0)


def _move(
    subject: Subject, image: int, place: Callable[[float, float], tuple[float, float]], scale: float
) -> None:
    """Carry evidence and every ``box`` and ``point`` of the truth along with the pixels of an image."""
    for e in subject.seen(image):
        e["bbox"] = _moved_box(e["bbox"], place)
        e["xheight_px"] = round(e["xheight_px"] * scale, 2)
    if any(e["id"] != "nonce" for e in subject.seen(image)) or len(subject.images) == 1:
        subject.truth = _moved(subject.truth, place)


def _moved_box(box: list[float], place: Callable[[float, float], tuple[float, float]]) -> list[float]:
    x0, y0, x1, y1 = box
    corners = [place(x, y) for x, y in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return [round(min(xs), 1), round(min(ys), 1), round(max(xs), 1), round(max(ys), 1)]


def _moved(node: Any, place: Callable[[float, float], tuple[float, float]], key: str = "") -> Any:
    if key == "box" and node:
        return _moved_box(node, place)
    if key == "point" and node:
        return [round(v) for v in place(*node)]
    if isinstance(node, dict):
        return {k: _moved(v, place, k) for k, v in node.items()}
    return [_moved(v, place) for v in node] if isinstance(node, list) else node


def _overlap(a: list[float], b: list[float]) -> float:
    """Share of ``a`` that ``b`` covers."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = (a[2] - a[0]) * (a[3] - a[1])
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0


def _patch(picture: Image.Image, box: list[float], shade: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(v) for v in box)
    picture.paste(shade, (max(0, x0), max(0, y0), min(picture.width, x1), min(picture.height, y1)))


def _occlusion(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    """Patches over what no evidence needs, until the share is reached or nothing else is free."""
    picture = subject.images[image] = subject.images[image].copy()
    kept = [e["bbox"] for e in subject.seen(image)] + [
        w["box"] for w in subject.truth.get("dom", []) if w["enabled"]
    ]
    wanted, covered = COVERED[level] * picture.width * picture.height, 0.0
    for _ in range(200):
        if covered >= wanted:
            break
        width, height = (rng.uniform(0.08, 0.22) * side for side in picture.size)
        x, y = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
        box = [x, y, x + width, y + height]
        if all(_overlap(k, box) == 0 and _overlap(box, k) == 0 for k in kept):
            _patch(picture, box, (128, 128, 128))
            covered += width * height


def _target(rng: random.Random, subject: Subject, image: int) -> dict[str, Any] | None:
    found = [e for e in subject.seen(image) if e["id"] != "nonce"]
    return rng.choice(found) if found else None


def _occlusion_evidence(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    hit = _target(rng, subject, image)
    if hit is None:
        return
    picture = subject.images[image] = subject.images[image].copy()
    x0, y0, x1, y1 = hit["bbox"]
    box = [x0 - 1, y0 - 1, x0 + (x1 - x0) * LOST[level] + 1, y1 + 1]
    _patch(picture, box, (70, 70, 76))
    for e in subject.seen(image):
        e["visible"] = round(1 - _overlap(e["bbox"], box), 3)


def _crop(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    picture, boxes = subject.images[image], [e["bbox"] for e in subject.seen(image)]
    boxes += [w["box"] for w in subject.truth.get("dom", []) if w["enabled"]]
    mx, my = MARGIN[level] * picture.width, MARGIN[level] * picture.height
    x0, y0 = min([mx, *(b[0] - 2 for b in boxes)]), min([my, *(b[1] - 2 for b in boxes)])
    x1 = max([picture.width - mx, *(b[2] + 2 for b in boxes)])
    y1 = max([picture.height - my, *(b[3] + 2 for b in boxes)])
    _cut(
        subject,
        image,
        (max(0, int(x0)), max(0, int(y0)), min(picture.width, int(x1) + 1), min(picture.height, int(y1) + 1)),
    )


def _crop_evidence(rng: random.Random, subject: Subject, image: int, level: int) -> None:
    """Cut one side so far in that the wanted share of one piece of evidence is gone, and the nonce is not."""
    hit = _target(rng, subject, image)
    if hit is None:
        return
    picture = subject.images[image]
    x0, y0, x1, y1 = hit["bbox"]
    share = LOST[level]
    left, top = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
    right, bottom = x1 - (x1 - x0) * share, y1 - (y1 - y0) * share
    ways = [(left, 0, picture.width, picture.height), (0, top, picture.width, picture.height),
            (0, 0, right, picture.height), (0, 0, picture.width, bottom)]  # fmt: skip
    nonce = [e["bbox"] for e in subject.seen(image) if e["id"] == "nonce"]
    open_ways = [w for w in ways if all(_overlap(n, list(w)) > 0.999 for n in nonce)]
    open_ways = [w for w in open_ways if (w[2] - w[0]) * (w[3] - w[1]) > 0.1 * picture.width * picture.height]
    if not open_ways:
        subject.void = "no side can be cut without losing the nonce"
        return
    way = rng.choice(open_ways)
    for e in subject.seen(image):
        e["visible"] = round(_overlap(e["bbox"], list(way)), 3)
    _cut(subject, image, tuple(round(v) for v in way))


def _cut(subject: Subject, image: int, box: tuple[int, int, int, int]) -> None:
    subject.images[image] = subject.images[image].crop(box)
    _move(subject, image, lambda x, y: (x - box[0], y - box[1]), 1.0)


_Image = Callable[[random.Random, Subject, int, int], None]
_IMAGE: Final[dict[str, _Image]] = {
    "gaussian_blur": _blur,
    "gaussian_noise": _noise,
    "jpeg": _jpeg,
    "contrast": _contrast,
    "pixelate": _pixelate,
    "downscale": _downscale,
    "rotation": _rotation,
    "occlusion": _occlusion,
    "occlusion_evidence": _occlusion_evidence,
    "crop": _crop,
    "crop_evidence": _crop_evidence,
}
