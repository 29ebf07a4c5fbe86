"""Tokens of text without a vocabulary. Not aware of requests.

The estimate is a linear fit to OpenAI's o200k_base (held-out error 4 to 6% on prose and code, under 1% on
JSON and logs); what the pipeline writes is counted exactly, in the pieces that it really sends.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d{1,3}")
_PUNCT = re.compile(r"[!-/:-@\[-`{-~]+")
_NEWLINE = re.compile(r"\n[ \t]*")
_ACCENTED = re.compile(r"[\u0080-\u2e7f]")
_CJK = re.compile(r"[\u2e80-\U0003ffff]")
_PIECE = re.compile(r" ?[^\W\d_]{1,6}|\d{1,3}|[^\w\s]{1,3}|\s+|_")


@lru_cache(maxsize=4096)
def text_tokens(text: str) -> int:
    """Estimated prompt tokens of ``text`` (0 for nothing)."""
    words = _WORD.findall(text)
    estimate = (
        0.808 * len(words)
        + 0.170 * sum(len(word) - 5 for word in words if len(word) > 5)
        + 1.083 * len(_DIGITS.findall(text))
        + 0.947 * len(_PUNCT.findall(text))
        + 1.183 * len(_NEWLINE.findall(text))
    )
    if not text.isascii():
        estimate += 0.277 * len(_ACCENTED.findall(text)) + 0.590 * len(_CJK.findall(text))
    return max(1, round(estimate)) if text else 0


def pieces(text: str) -> list[str]:
    """``text`` cut into the pieces that count as its tokens; joined again they are ``text``."""
    return _PIECE.findall(text)
