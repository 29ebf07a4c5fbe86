"""Public list prices by model name, from the ``genai-prices`` package: bundled with it, no network.

Not aware of runs or requests. The second source of prices: what a profile says comes first.
"""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import NamedTuple


class ListPrice(NamedTuple):
    """Dollars per million tokens, at the lowest tier of prompt length; what is not listed costs as input."""

    input: float
    output: float
    cached: float


def list_price(model: str, when: datetime | None = None) -> ListPrice | None:
    """Price of a model at a time (now if None); None if the catalogue does not know the model."""
    # Imported when first asked: it takes 0.2 s, and most runs bring their own prices.
    from genai_prices import Usage, calc_price

    def usd_per_mtok(**tokens: int) -> float:
        price = calc_price(Usage(**tokens), model, genai_request_timestamp=when)
        return float(price.total_price) * 1000

    try:
        return ListPrice(
            usd_per_mtok(input_tokens=1000),
            usd_per_mtok(output_tokens=1000),
            usd_per_mtok(input_tokens=1000, cache_read_tokens=1000),
        )
    except LookupError:
        return None


def source() -> str:
    """Name and version of the catalogue."""
    return f"genai-prices {version('genai-prices')}"
