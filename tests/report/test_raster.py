"""Plots as PNG: every mark leaves its colour where the scene has it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mmload.report.raster import SCALE, png
from mmload.report.scene import LIGHT, Area, Boxes, Line, Mark, Marker, Scene, Text


def drawn(*marks: Mark) -> np.ndarray:
    """Pixels (height, width, 3) of a scene of 100 by 50."""
    return np.asarray(Image.open(io.BytesIO(png(Scene(100, 50, list(marks))))))


def inked(pixels: np.ndarray) -> list[int]:
    """Left, right, top and bottom of what is not paper, in units of the scene."""
    rows, columns = np.nonzero((pixels != 255).any(axis=2))
    return [round(v / SCALE) for v in (columns.min(), columns.max(), rows.min(), rows.max())]


def test_an_empty_scene_is_paper_and_the_same_scene_is_the_same_file() -> None:
    assert drawn().shape == (100, 200, 3)
    assert (drawn() == 255).all()
    scene = Scene(60, 20, [Text(5, 15, "p99"), Line([(0, 0), (60, 20)], "blue")])
    assert png(scene) == png(scene)


@pytest.mark.parametrize(
    "mark",
    [
        Line([(10, 25), (90, 25)], "red", width=30),
        Area([(10, 10), (90, 10), (90, 40), (10, 40)], "red", opacity=1),
        Boxes([(10, 10, 40, 30), (50, 10, 40, 30)], "red"),
        *(Marker(50, 25, "red", shape, size=20) for shape in ("circle", "square", "triangle", "cross")),
    ],
)
def test_a_mark_has_its_colour_at_its_place(mark: Mark) -> None:
    pixels = drawn(mark)
    rgb = [int(LIGHT["red"][i : i + 2], 16) for i in (1, 3, 5)]
    assert pixels[50, 100].tolist() == rgb
    assert (pixels[0, 0] == 255).all() and (pixels[99, 199] == 255).all()


def test_opacity_mixes_with_the_paper_and_a_gap_in_a_line_stays_empty() -> None:
    half = drawn(Area([(0, 0), (100, 0), (100, 50), (0, 50)], "ink", opacity=0.5))
    ink = int(LIGHT["ink"][1:3], 16)
    assert abs(int(half[50, 100, 0]) - (255 + ink) // 2) <= 1
    gap = drawn(Line([(5, 25), (30, 25), None, (70, 25), (95, 25)], "blue", width=4))
    assert (gap[:, 100] == 255).all()
    assert not (gap[:, 40] == 255).all()


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
def test_texts_stand_where_they_are_anchored(anchor: str) -> None:
    wide = inked(drawn(Text(0, 30, "latency", size=12)))
    width = wide[1] - wide[0]
    found = inked(drawn(Text(50, 30, "latency", size=12, anchor=anchor)))
    assert abs(found[0] - {"start": 50, "middle": 50 - width / 2, "end": 50 - width}[anchor]) <= 2


@pytest.mark.parametrize("text", ["$1.20 and $3", "100%", "a_b^c", "\\alpha"])
def test_a_text_with_a_halo_says_the_same_as_one_without(text: str) -> None:
    plain, halo = (inked(drawn(Text(5, 30, text, size=12, halo=halo))) for halo in (False, True))
    assert np.abs(np.subtract(plain, halo)).max() <= 4  # unhinted, it is a little narrower
