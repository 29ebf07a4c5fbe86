"""Candidates driven in turn: each round sends the same traffic to every one, in rotated order.

A candidate is the profile with some keys changed. Rounds have their own seeds, so that the arrivals of one
draw decide nothing; within a round all candidates get the same requests at the same times. What drifts on the
machine or at the provider meets all of them alike. Afterwards the rounds of a candidate are one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mmload import plan as planning
from mmload.compare.pooling import pool
from mmload.launch.environment import environment
from mmload.launch.finish import finish
from mmload.launch.options import RunOptions
from mmload.launch.run import look, run
from mmload.model import InputError
from mmload.profile import Profile

BLOCKS: Final = "blocks"
"""Folder of the single rounds, beside the candidates' own."""


@dataclass(frozen=True)
class Contender:
    name: str
    profile: Profile


def rotated(names: Sequence[str], rounds: int) -> list[list[str]]:
    """Order of the candidates in each round: A B, B A, ... for two; each next round begins one further on and
    every second pass runs backwards, so that no one is always first or always after the same."""
    out = []
    for k in range(rounds):
        turn = [*names[k % len(names) :], *names[: k % len(names)]]
        out.append(turn if (k // len(names)) % 2 == 0 else [turn[0], *turn[:0:-1]])
    return out


def _same_work(contenders: Sequence[Contender], base_dir: Path) -> None:
    """Raises ``InputError`` before anything is sent if the candidates would not be asked the same."""
    prints = [planning.content_fingerprint(planning.build(c.profile, base_dir)) for c in contenders]
    for contender, found in zip(contenders, prints, strict=True):
        if found != prints[0]:
            raise InputError(
                f"--candidate {contender.name}: it would be asked other things than {contenders[0].name}: "
                "phases, arrivals, mix, seed and target.streaming must be the same for all"
            )


def _all_there(contenders: Sequence[Contender]) -> None:
    """Raises ``InputError`` before the first is driven if the last could not be."""
    for contender in contenders:
        try:
            look(contender.profile)
        except InputError as e:
            raise InputError(f"--candidate {contender.name}: {e}") from None


def drive(
    contenders: Sequence[Contender],
    base_dir: Path,
    out: Path,
    rounds: int,
    say: Callable[[str], None],
    show: bool,
) -> tuple[list[Path], bool]:
    """Run all; gives the folders of the candidates in order, and whether it was interrupted.

    Raises ``InputError`` for an ``out`` that holds something and for candidates whose work would differ,
    ``MmloadError`` if a run cannot be carried out.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {out}: the folder is not empty; give another")
    _all_there(contenders)
    _same_work(contenders, base_dir)
    by_name = {c.name: c.profile for c in contenders}
    parts: dict[str, list[Path]] = {c.name: [] for c in contenders}
    for k, turn in enumerate(rotated(list(by_name), rounds)):
        for name in turn:
            profile = by_name[name].model_copy(update={"seed": by_name[name].seed + k})
            folder = out / BLOCKS / f"{k + 1}-{name}"
            say(f"round {k + 1} of {rounds}: {name}")
            _, interrupted = run(
                profile, base_dir, RunOptions(out=folder, show=show, prometheus_port=None, say=say)
            )
            parts[name].append(folder)
            if interrupted:
                return [], True
    folders = []
    for name, blocks in parts.items():
        folder = out / name
        pool(blocks, folder)
        finish(folder, environment())
        folders.append(folder)
    return folders, False
