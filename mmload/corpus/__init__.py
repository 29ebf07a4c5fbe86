"""The suite of items: planned from the mix, drawn once, cached, verified, and made into request bodies.

Not aware of Locust, of wire protocols or of any one task: those come as arguments.
"""

from __future__ import annotations

from mmload.corpus.bodies import Bodies, EncodeItem, encode, streams
from mmload.corpus.build import build, default_cache, location
from mmload.corpus.preview import preview
from mmload.corpus.scripts import Ask, Scripts, arrange, reference, scripts, text_tokens
from mmload.corpus.suite import NoncesBut, Suite, load, load_items, nonces, strata, verify

__all__ = [
    "Ask",
    "Bodies",
    "EncodeItem",
    "NoncesBut",
    "Scripts",
    "Suite",
    "arrange",
    "build",
    "default_cache",
    "encode",
    "load",
    "load_items",
    "location",
    "nonces",
    "preview",
    "reference",
    "scripts",
    "strata",
    "streams",
    "text_tokens",
    "verify",
]
