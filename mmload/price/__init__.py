"""What requests cost: price books, a catalogue of public prices, and the tokens that images are billed as."""

from mmload.price.book import (
    ANSWERED_BADLY,
    COMPONENTS,
    MICRO,
    TIMEOUTS,
    Bill,
    PriceBook,
    Rate,
    micro,
    spread,
    usd,
)
from mmload.price.vision import image_tokens

__all__ = [
    "ANSWERED_BADLY",
    "COMPONENTS",
    "MICRO",
    "TIMEOUTS",
    "Bill",
    "PriceBook",
    "Rate",
    "image_tokens",
    "micro",
    "spread",
    "usd",
]
