"""Nonces: short codes, unique in a suite, drawn into an image and echoed by its answer.

Not aware of images or answers. Six characters; the last two check the first four, so that a misread
code is told from one that belongs to another request.
"""

from __future__ import annotations

from typing import Final

ALPHABET: Final = "ACDEFGHJKLMNPQRTUVWXYZ2347"
"""Base32 without the characters that look like others (B 8, I 1, O 0, S 5, 6)."""
_N: Final = len(ALPHABET)
_SPACE: Final = _N**4
_STRIDE: Final = 271_829
"""Has no factor of 26, so that ``index * stride`` visits every code once."""
_CHECKS: Final = ((1, 3, 5, 7, 0), (7, 1, 11, 17, 9))
"""Weights of the four characters and an offset; prime to 26, so one wrong character always shows."""


def nonce(seed: int, index: int) -> str:
    """Code of item ``index``; distinct for all ``index`` below 456,976 under one seed."""
    number = (seed * 7919 + index * _STRIDE) % _SPACE
    digits = [number // _N**k % _N for k in range(4)]
    return "".join(ALPHABET[d] for d in digits + _check(digits))


def _check(digits: list[int]) -> list[int]:
    return [(sum(w * d for w, d in zip(row, digits, strict=False)) + row[4]) % _N for row in _CHECKS]


def is_nonce(code: str) -> bool:
    """Whether ``code`` is one that ``nonce`` can give (1 in 676 of random codes pass)."""
    if len(code) != 6 or any(c not in ALPHABET for c in code):
        return False
    digits = [ALPHABET.index(c) for c in code]
    return _check(digits[:4]) == digits[4:]
