"""The random streams of a run: one for each purpose, so that changing one leaves the others as they were.

Not aware of what is drawn from them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    ARRIVALS = 0
    ORDER = 1
    REUSE = 2
    THINK = 3


def rng(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """PCG64 generator of a stream; ``key`` tells its parts (phases, passes) apart."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(stream), *key))))
