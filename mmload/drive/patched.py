"""Locust, imported first and quickly: it has gevent patch this process.

gevent asks 25 times over who wants to know of a patch, and each time reads what every installed package
declares: 0.15 s of each process of a run. Here that is read once, and what Locust consists of is not walked
through again by each garbage collection to come. To be imported before whatever imports Locust.
"""

from __future__ import annotations

import gc
from importlib import import_module, metadata

from mmload.plugins import declared

_reading_anew = metadata.entry_points
# Overloaded for callers of Python 3.9, which gevent is not here.
metadata.entry_points = declared  # type: ignore[assignment]
gc.disable()
try:
    import_module("locust")
finally:
    metadata.entry_points = _reading_anew
    gc.freeze()
    gc.enable()
