from __future__ import annotations

import random

import pytest
from PIL import ImageFont
from task_samples import TASKS, want_of

from mmload.tasks.canvas import THEMES, Box, Canvas, GlyphError, LayoutError, assert_glyphs, font, wrap
from mmload.tasks.context import STYLES, context, tokens
from mmload.tasks.wear import grain
from mmload.tasks.words import PAPER_LABELS


def test_cyrillic_fails_the_glyph_check_with_the_built_in_font_of_pillow() -> None:
    built_in = ImageFont.load_default(24)
    assert_glyphs(built_in, "Invoice 2026")
    for text in ("Привет", "ñçüß", "€"):
        with pytest.raises(GlyphError, match="no glyph"):
            assert_glyphs(built_in, text)


def test_dejavu_has_every_glyph_of_every_label() -> None:
    for face in ("sans", "bold", "mono", "serif"):
        for labels in PAPER_LABELS.values():
            assert_glyphs(font(face, 24), "".join(labels.values()) + "€£$¥→…×")


def test_a_string_without_its_glyph_cannot_be_drawn() -> None:
    with pytest.raises(GlyphError):
        Canvas(200, 100, 20, THEMES[0]).text(5, 5, "漢字")


def test_text_that_leaves_the_canvas_or_covers_another_is_refused() -> None:
    canvas = Canvas(200, 60, 20, THEMES[0])
    canvas.text(5, 5, "Total")
    with pytest.raises(LayoutError, match="covers"):
        canvas.text(10, 8, "1.20")
    with pytest.raises(LayoutError, match="leaves"):
        canvas.text(150, 5, "far too long")
    canvas.hide(Box(0, 0, 200, 30))
    canvas.text(10, 8, "1.20")


def test_a_box_says_where_the_ink_is() -> None:
    canvas = Canvas(200, 60, 20, THEMES[0])
    x0, y0, x1, y1 = (int(v) for v in canvas.text(12, 9, "Total", fill=(255, 0, 0)).box)
    pixels = canvas.image.load()
    assert pixels is not None
    inked = [(x, y) for x in range(200) for y in range(60) if pixels[x, y] != THEMES[0].desk]
    ink = (
        min(x for x, _ in inked),
        min(y for _, y in inked),
        max(x for x, _ in inked) + 1,
        max(y for _, y in inked) + 1,
    )
    assert all(abs(a - b) <= 2 for a, b in zip(ink, (x0, y0, x1, y1), strict=True)), (ink, (x0, y0, x1, y1))


def test_the_xheight_is_that_of_the_font() -> None:
    canvas = Canvas(400, 200, 100, THEMES[0])
    drawn = canvas.text(10, 10, "xxx")
    assert drawn.box.height == pytest.approx(drawn.xheight, abs=2)


def test_fitting_and_wrapping_keep_within_the_room() -> None:
    canvas = Canvas(400, 100, 20, THEMES[0])
    assert canvas.measure(canvas.fit("a rather long name of something", 120)) <= 120
    assert canvas.fit("short", 120) == "short"
    lines = wrap(canvas, "a rather long sentence about something else", 140)
    assert len(lines) > 1 and all(canvas.measure(line) <= 140 for line in lines)


def test_grain_is_seeded_and_small() -> None:
    a, b, c = (Canvas(300, 280, 20, THEMES[0]).image for _ in range(3))
    grain(a, 1, 5.0)
    grain(b, 1, 5.0)
    grain(c, 2, 5.0)
    assert a.tobytes() == b.tobytes() != c.tobytes()
    low, high = a.getextrema()[0]
    assert high - low > 10 and abs((low + high) / 2 - THEMES[0].desk[0]) < 12


@pytest.mark.parametrize("style", STYLES)
def test_context_has_the_length_and_the_look_of_its_style(style: str) -> None:
    text = context(random.Random(4), style, "en", 4000)
    assert 3700 <= len(text) <= 4000 and tokens(text) == -(-len(text) // 4)
    telling = {"prose": ". ", "code": "    ", "json": '"service"', "log": "INFO"}[style]
    assert text.count(telling) >= 5


def test_prose_is_in_the_language_that_was_asked_for() -> None:
    assert "раздел" in context(random.Random(1), "prose", "ru", 3000)
    assert context(random.Random(1), "prose", "en", 40) == ""


def test_drawing_does_not_touch_the_global_source_of_chance() -> None:
    random.seed(5)
    before = random.getstate()
    for task in TASKS.values():
        task.draw(random.Random(3), want_of(2))
    assert random.getstate() == before
