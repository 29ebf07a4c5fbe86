"""The real check of the pictures: who knows nothing of how they were drawn can read them."""

from __future__ import annotations

import pytest
from ocr_reader import Reader, item, read_fields

SIZES = ((512, 512), (320, 320), (256, 256))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_an_ocr_reads_at_least_95_percent_of_the_clean_fields(reader: Reader) -> None:
    found = [ok for seed in range(9) for _, ok in read_fields(reader, item(seed, *SIZES[seed % 3]))]
    assert len(found) >= 50 and sum(found) / len(found) >= 0.95


def test_what_it_reads_falls_monotonically_with_blur(reader: Reader) -> None:
    shares = []
    for severity in range(6):
        right = total = 0
        for seed in (0, 1, 2):
            clean = item(seed, 320, 320)
            if severity:
                clean.images = item(seed, 320, 320, "gaussian_blur", severity).images
            found = [ok for _, ok in read_fields(reader, clean)]
            right, total = right + sum(found), total + len(found)
        shares.append(right / total)
    assert shares == sorted(shares, reverse=True) and shares[0] >= 0.95 and shares[-1] < shares[0]
