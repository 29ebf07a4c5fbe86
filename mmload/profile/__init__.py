"""A traffic profile: TOML -> ``Profile``. All validation of what a user asks for lives here.

Not aware of how a shape, a task or a wire adapter works: it knows their names and their keys only.
"""

from mmload.profile.reading import api_key, frozen_toml, judge_key, key_in, load, tables, to_toml_dict
from mmload.profile.schema import (
    Arrivals,
    Capacity,
    Cost,
    Gates,
    ImageSize,
    Judge,
    Mix,
    ModelPrice,
    Ocr,
    Phase,
    Profile,
    Quality,
    Sessions,
    Sim,
    Slo,
    Target,
)

__all__ = [
    "Arrivals",
    "Capacity",
    "Cost",
    "Gates",
    "ImageSize",
    "Judge",
    "Mix",
    "ModelPrice",
    "Ocr",
    "Phase",
    "Profile",
    "Quality",
    "Sessions",
    "Sim",
    "Slo",
    "Target",
    "api_key",
    "frozen_toml",
    "judge_key",
    "key_in",
    "load",
    "tables",
    "to_toml_dict",
]
