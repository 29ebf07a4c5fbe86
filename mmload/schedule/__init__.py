"""Profile + seed -> every arrival of the run, and any worker's stripe of them.

Not aware of HTTP, of how many workers there are, or of any clock.
"""

from __future__ import annotations

from mmload.schedule.arrivals import invert
from mmload.schedule.compiling import compile
from mmload.schedule.planned import CLOSED_RESERVE, Schedule, Suite
from mmload.schedule.turns import Turns

__all__ = ["CLOSED_RESERVE", "Schedule", "Suite", "Turns", "compile", "invert"]
