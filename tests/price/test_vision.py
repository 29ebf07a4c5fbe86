"""Image tokens: what providers were measured to bill, and the worked examples of their guides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.price import image_tokens
from mmload.price.vision import _table, rule_of, tokens_by

# Input tokens of a request with one image (Hugging Face dataset JOHNISKING/image-token-cost, November 2026):
# width, height, high-resolution Claude, standard Claude, GPT-6 auto, GPT-6 high, GPT-5.5 auto.
MEASURED = [
    (256, 256, 177, 165, 77, 77, 77),
    (512, 512, 438, 426, 308, 308, 308),
    (768, 768, 861, 849, 692, 692, 692),
    (1024, 1024, 1446, 1434, 1229, 1229, 1229),
    (1280, 720, 1273, 1261, 1104, 1104, 1104),
    (1920, 1080, 2768, 1625, 2448, 2448, 2448),
    (1080, 1920, 2768, 1625, 2448, 2448, 2448),
    (2560, 1440, 3069, 1657, 4320, 2931, 4320),
    (3840, 2160, 3069, 1657, 9792, 2931, 9792),
    (4032, 3024, 4005, 1661, 14364, 2942, 11868),
]
GPT = [
    (model, row[0], row[1], row[column])
    for column, model in ((4, "gpt-6"), (5, "gpt-6:high"), (6, "gpt-5.5"))
    for row in MEASURED
]
# The client of the measurement shrank images beyond 2000 px itself, and its prompt had 77 and 65 tokens.
CLAUDE = [
    (model, row[0], row[1], row[column] - prompt)
    for column, model, prompt in ((2, "claude-opus-5-5", 77), (3, "claude-haiku-4-5", 65))
    for row in MEASURED
    if max(row[:2]) <= 2000
]
DOCUMENTED = [
    ("gpt-4o", 1024, 1024, 765),
    ("gpt-4o", 2048, 4096, 1105),
    ("gpt-4o", 512, 512, 255),
    ("gpt-4o-2024-08-06", 1024, 1024, 765),
    ("gpt-4o-mini", 1024, 1024, 25501),
    ("gpt-4.1-mini", 1800, 2400, 2353),
    ("gpt-4.1-mini", 1024, 1024, 1659),
    ("gpt-5", 1024, 1024, 630),
    ("o1", 1024, 1024, 675),
    ("computer-use-preview", 1024, 1024, 581),
    ("claude-3-5-sonnet", 1000, 1000, 1334),
    ("claude-sonnet-4-5", 1000, 1000, 1296),
    ("gemini-2.5-flash", 384, 384, 258),
    ("gemini-2.5-pro", 1920, 1080, 6 * 258),
    ("qwen2-vl-7b", 280, 280, 100),
]


@pytest.mark.parametrize(("model", "width", "height", "tokens"), [*GPT, *CLAUDE, *DOCUMENTED])
def test_an_image_is_billed_as_measured_and_documented(model, width, height, tokens):
    assert image_tokens(model, width, height) == tokens


def test_thirty_measured_rows_and_more_are_reproduced():
    assert len(GPT) == 30
    assert len(GPT) + len(CLAUDE) + len(DOCUMENTED) == 59


def test_the_guide_s_worked_example_of_patches():
    rule = {"family": "patch", "patch": 32, "budget": 1536, "multiplier": 1}
    assert tokens_by(rule, 1800, 2400) == 1452
    assert tokens_by(rule, 1024, 1024) == 1024


def test_gemini_3_is_a_budget_and_within_five_percent_of_what_was_measured():
    assert all(abs(image_tokens("gemini-3.1-pro", 1024, 1024) / n - 1) < 0.055 for n in (1065, 1090, 1101))


def test_a_model_without_a_rule_is_unknown():
    assert image_tokens("my-own-model", 512, 512) is None


def test_the_exact_name_wins_then_the_longest_pattern():
    assert rule_of("gpt-4o-mini")["base"] == 2833
    assert rule_of("gpt-4o")["base"] == 85
    assert rule_of("gpt-5-mini")["family"] == "patch"
    assert rule_of("gpt-5")["family"] == "tile"


def test_every_rule_names_its_source_and_date():
    for rule in _table():
        assert rule["source"]
        assert rule["as_of"]
        assert tokens_by(rule, 640, 480) > 0


sides = st.integers(1, 8192)


@given(st.sampled_from([r["match"][0] for r in _table()]), sides, sides)
def test_caps_hold_at_any_size(pattern, width, height):
    rule = rule_of(pattern)
    tokens = tokens_by(rule, width, height)
    assert tokens >= 1
    if rule["family"] == "patch" and "budget" in rule:
        assert tokens <= rule["budget"] * rule["multiplier"] + 1
    if rule["family"] == "patch_within":
        assert tokens <= rule["max_tokens"]
