"""The contract test that plug-in writers get: the built-in shapes keep it, and broken ones are caught."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mmload import plugins
from mmload.profile import Phase, load
from mmload.shapes.sustained import Sustained
from mmload.testing import check_shape

PROFILES = Path(__file__).parents[2] / "traffic_profiles"
PHASES = [(file.stem, phase) for file in sorted(PROFILES.glob("*.toml")) for phase in load(file).phase]
CLOSED = [
    {"shape": "ramp", "to_users": 4},
    {"shape": "steps", "users": [1, 2]},
    {"shape": "sine", "users": 3, "amplitude_users": 3},
    {"shape": "burst", "users": 1, "peak_users": 5},
]


@pytest.mark.parametrize(("profile", "phase"), PHASES, ids=[f"{name}-{p.name}" for name, p in PHASES])
def test_every_phase_that_is_shipped_keeps_the_contract(profile: str, phase: Phase) -> None:
    kind: Any = plugins.get("shapes", phase.shape)
    check_shape(kind(phase, PROFILES))


@pytest.mark.parametrize("keys", CLOSED, ids=lambda k: k["shape"])
def test_closed_loops_keep_the_contract(keys: dict[str, Any]) -> None:
    kind: Any = plugins.get("shapes", keys["shape"])
    check_shape(kind(Phase(name="p", duration_s=10, **keys), Path()))


def test_the_shape_of_the_howto_keeps_the_contract() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto-add-a-shape.md").read_text()
    names: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    phase = tomllib.loads(page.split("```toml\n")[1].split("```")[0])["phase"][0]
    check_shape(names["Saw"](Phase(**phase), Path()))


class Broken(Sustained):
    """A sound shape whose behaviour a test spoils."""

    def __init__(self, **spoilt: Any) -> None:
        super().__init__(Phase(name="p", shape="sustained", duration_s=10, rpm=60), Path())
        for name, value in spoilt.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"duration_s": 0.0}, "duration_s must be above 0"),
        ({"bursts": [(5, 3)]}, "burst window 5 to 3 s"),
        ({"bursts": [(5, 30)]}, "burst window 5 to 30 s"),
        ({"expected": lambda t: t + 1}, "expected\\(0\\) must be 0, not 1"),
        ({"expected": lambda t: t * (9 - t)}, "expected falls after"),
        ({"expected": lambda t: t}, "constant after the phase"),
        ({"rate": lambda t: 2.0}, "rate adds up to 20 requests, expected says 10"),
        ({"users": lambda t: 1}, "users\\(t\\) must be 0"),
        ({"inverse": lambda counts: counts + 1e-6}, "inverse\\(0.1\\)"),
        ({"exact_s": [3.0, 2.0]}, "exact_s must be sorted"),
        ({"open_loop": False, "users": lambda t: 0}, "needs users at some time"),
        ({"open_loop": False, "users": lambda t: -1}, "whole number, 0 or more"),
    ],
)
def test_a_broken_shape_is_caught(spoilt: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_shape(Broken(**spoilt))


def test_a_sound_one_is_not() -> None:
    check_shape(Broken())
