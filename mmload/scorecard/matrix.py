"""``matrix.toml``: dimensions, limits, weights and anchors of the scorecard, versioned and hashed.

Not aware of runs. The identity is of the content, not of the file: comments and order of keys change nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from mmload.model import InputError

_HERE: Final = Path(__file__).with_name("matrix.toml")
_SEMVER: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Criterion(_Strict, frozen=True):
    name: str
    """A gate's name, or one of the scorecard's own measures."""
    means: str
    limit: float | None = None
    """None: no limit but the profile's."""


class RankBy(_Strict, frozen=True):
    figure: str
    worst: float
    target: float

    def utility(self, value: float) -> float:
        """0 at ``worst`` or beyond it, 1 at ``target`` or beyond it."""
        return min(1.0, max(0.0, (value - self.worst) / (self.target - self.worst)))


class Dimension(_Strict, frozen=True):
    name: str
    weight: float
    rank_by: RankBy
    criterion: tuple[Criterion, ...]


class FrictionPart(_Strict, frozen=True):
    name: str
    weight: float
    cap: float
    means: str


class Ranking(_Strict, frozen=True):
    equal_quality: float
    equal_relative: float
    draws: int
    concentration: float


class Human(_Strict, frozen=True):
    """Declared, never measured here."""

    quality: float
    seconds: float
    usd_per_hour: float


class Matrix(_Strict, frozen=True):
    name: str
    version: str
    ranking: Ranking
    human: Human
    dimension: tuple[Dimension, ...]
    friction: tuple[FrictionPart, ...]

    @property
    def id(self) -> str:
        """First twelve digits of the SHA-256 of the content as canonical JSON."""
        plain = json.dumps(msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()[:12]

    @property
    def identity(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version, "id": self.id}


def read_matrix(path: Path) -> Matrix:
    """Raises ``InputError`` for a file that is not there, or is no matrix."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        made = msgspec.convert(found, Matrix, strict=False)
    except OSError as e:
        raise InputError(f"{path}: the matrix cannot be read ({e.strerror})") from None
    except (ValueError, RecursionError, msgspec.ValidationError) as e:
        raise InputError(f"{path}: {e}") from None
    if not _SEMVER.fullmatch(made.version):
        raise InputError(f'{path}: version: "{made.version}" is no semantic version as "1.0.0"')
    for dimension in made.dimension:
        if dimension.rank_by.worst == dimension.rank_by.target:
            raise InputError(f"{path}: dimension {dimension.name}: worst and target must differ")
    return made


@lru_cache(maxsize=1)
def matrix() -> Matrix:
    """The one that comes with this version."""
    return read_matrix(_HERE)
