"""Counting tokens without a vocabulary."""

from hypothesis import given
from hypothesis import strategies as st

from mmload.serve.tokens import pieces, text_tokens


@given(st.text())
def test_pieces_joined_again_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(), st.text())
def test_more_text_never_counts_fewer_tokens_by_more_than_one_join(a: str, b: str) -> None:
    assert text_tokens(a + "\n" + b) >= max(text_tokens(a), text_tokens(b)) - 1


def test_prose_counts_about_as_a_tokeniser_would() -> None:
    # 18 tokens in o200k_base.
    text = "The quick brown fox jumps over the lazy dog, and nobody in the village noticed."
    assert 15 <= text_tokens(text) <= 19


def test_nothing_is_nothing() -> None:
    assert text_tokens("") == 0
    assert pieces("") == []
