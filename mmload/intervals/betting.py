"""Evidence that grows while one watches: a bet against a claim about a mean, stopped at will."""

from __future__ import annotations

import math
from collections.abc import Iterable


def against_mean(values: Iterable[float], limit: float, upper: bool, alpha: float = 0.05) -> float:
    """Wealth of a gambler who bets that the mean of ``values`` in [0, 1] is beyond ``limit``: above it if
    ``upper`` (the limit is a maximum), else below it.

    If the mean keeps the limit, the wealth ever reaches 1/alpha with probability at most alpha, however often
    one looks (Ville's inequality), so that 1/alpha settles a failure and never a pass. K_t = prod(1 + s l_t
    (X_t - m)), s = 1 or -1, with the predictable stakes of Waudby-Smith and Ramdas (2024, JRSS B 86:1, arXiv
    2010.09686), at most half of what could ruin the gambler. Values must be independent given the past: feed
    means of blocks longer than what makes neighbours alike.
    """
    m = limit if upper else 1 - limit
    if not 0 <= m < 1:
        return 1.0
    most = 0.5 / m if m > 0 else math.inf
    wealth, total, squares = 1.0, 0.5, 0.25
    for t, value in enumerate(values, start=1):
        x = value if upper else 1 - value
        variance = squares / t
        stake = math.sqrt(2 * math.log(1 / alpha) / (max(variance, 1e-4) * t * math.log(t + 1)))
        wealth *= max(1e-12, 1 + min(stake, most, 1e6) * (x - m))
        total += x
        squares += (x - total / (t + 1)) ** 2
    return wealth
