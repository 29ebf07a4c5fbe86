"""Which items are asked in one session, turn by turn: scripts, a pure function of suite and seed.

An item belongs to one script at most, and stands at one turn of it, so that its request (with what was said
before) is as fixed as that of a single question. Not aware of when sessions begin, nor of protocols.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from mmload.corpus.plan import deal
from mmload.model import ImageFile, InputError, Item
from mmload.profile import Sessions


class Ask(NamedTuple):
    """What must be known of an item to give it a place."""

    task: str
    system: str
    """A session has one system text throughout, or its beginning could not be cached."""
    kin: str
    """The same for twins: they are never in one script, or the answer to one would give away the other."""
    pictures: tuple[str, ...]
    """Identity of what is shown; a script stays with its pictures as long as there are items that do."""


@dataclass(frozen=True)
class Scripts:
    """The items of each kind of session, by turn; ``items`` of them in the suite."""

    turns: tuple[tuple[int, ...], ...]
    items: int

    @classmethod
    def of_run(cls, header: Mapping[str, Any], items: int) -> Scripts | None:
        """Those of a run, from the first frame of its journal; None if its requests stood alone."""
        turns = header.get("scripts")
        return cls(tuple(tuple(script) for script in turns), items) if turns else None

    @cached_property
    def place(self) -> list[int]:
        """Turn at which each item is asked, from 0; -1 if it is asked in no session."""
        place = [-1] * self.items
        for script in self.turns:
            for turn, item in enumerate(script):
                place[item] = turn
        return place

    @cached_property
    def of(self) -> list[int]:
        """Script that each item belongs to, or -1."""
        of = [-1] * self.items
        for number, script in enumerate(self.turns):
            for item in script:
                of[item] = number
        return of

    @property
    def mean(self) -> float:
        return sum(map(len, self.turns)) / len(self.turns)

    def length(self, item: int) -> int:
        """Turns of the session that asks an item; 1 for one that is in no script."""
        return len(self.turns[self.of[item]]) if self.of[item] >= 0 else 1

    def fresh(self, items: Sequence[Item]) -> list[tuple[ImageFile, ...]]:
        """By item, those of its images that its session has not shown before its turn."""
        fresh = [item.images for item in items]
        for script in self.turns:
            shown: set[str] = set()
            for number in script:
                fresh[number] = tuple(i for i in items[number].images if i.sha256 not in shown)
                shown.update(image.sha256 for image in items[number].images)
        return fresh

    def carried(self, asked: Sequence[int], answered: Sequence[int]) -> list[int]:
        """By item, what a request carries in all: ``asked`` of its own question, and of every turn before it
        ``asked`` and ``answered``."""
        return [
            own + sum(asked[turn] + answered[turn] for turn in self.before(item))
            for item, own in enumerate(asked)
        ]

    def before(self, item: int) -> tuple[int, ...]:
        """Items that were asked before this one in its session."""
        return self.turns[self.of[item]][: self.place[item]] if self.of[item] >= 0 else ()


def reference(item: Item) -> str:
    """An answer that is right, as text: what a session takes an earlier question to have got."""
    if "text" in item.truth:
        return str(item.truth["text"])
    said = {
        "status": item.truth.get("status", "answered"),
        "answer": item.truth.get("answer"),
        "evidence": [],
        "confidence": 1.0,
        "nonce": item.nonce,
    }
    return json.dumps(said, ensure_ascii=False)


def reference_tokens(item: Item) -> int:
    """Estimate, as for prompts."""
    return -(-len(reference(item)) // 4)


def text_tokens(items: Sequence[Item], scripts: Scripts | None) -> list[int]:
    """By item, text that its request carries, what was said before in its session included (estimated)."""
    own = [item.prompt_tokens for item in items]
    return scripts.carried(own, [reference_tokens(item) for item in items]) if scripts else own


def scripts(sessions: Sessions, items: Sequence[Item], seed: int) -> Scripts | None:
    """Scripts over the items of a suite; None if every session has one turn."""
    asks = [Ask(i.task, i.system, i.twin or i.id, tuple(m.sha256 for m in i.images)) for i in items]
    return arrange(sessions, asks, seed)


def arrange(sessions: Sessions, asks: Sequence[Ask], seed: int) -> Scripts | None:
    """As ``scripts``, of what is known of the items.

    All turns of a script are of one task and have one system text. Lengths are dealt out in proportion to
    their weights; what is left over fills no script. Raises ``InputError`` for a task with too few items.
    """
    if not sessions.several:
        return None
    groups: dict[tuple[str, str], list[int]] = {}
    for number, ask in enumerate(asks):
        groups.setdefault((ask.task, ask.system), []).append(number)
    made: list[tuple[int, ...]] = []
    numbers: Counter[str] = Counter()
    for (task, _), members in groups.items():
        rng = random.Random(f"{seed}|scripts|{task}|{numbers[task]}")
        numbers[task] += 1
        rng.shuffle(members)
        made += _filled(_lengths(rng, sessions, len(members)), members, asks)
    heard = {asks[script[0]].task for script in made}
    for task in dict.fromkeys(ask.task for ask in asks):
        if task not in heard:
            raise InputError(
                f'sessions.turns: {sum(ask.task == task for ask in asks)} items of the task "{task}" make no '
                f"session of {min(sessions.weights)} turns; raise mix.items, or lower the turns"
            )
    return Scripts(tuple(made), len(asks))


def _lengths(rng: random.Random, sessions: Sessions, items: int) -> list[int]:
    """Lengths of as many scripts as the items suffice for, in the proportions asked for."""
    weights = {str(turns): weight for turns, weight in sessions.weights.items()}
    mean = sum(int(n) * w for n, w in weights.items()) / sum(weights.values())
    count = int(items / mean) + 1
    dealt = [int(n) for n in deal(rng, weights, count)]
    while dealt and sum(dealt) > items:
        count -= 1
        dealt = [int(n) for n in deal(rng, weights, count)]
    return dealt


def _filled(lengths: Sequence[int], members: Sequence[int], asks: Sequence[Ask]) -> list[tuple[int, ...]]:
    """A script of each length: an item, then by preference others about its pictures. Where only twins of
    what was asked are left, a script stays shorter."""
    used: set[int] = set()
    sharing: dict[tuple[str, ...], list[int]] = {}
    for member in members:
        if asks[member].pictures:
            sharing.setdefault(asks[member].pictures, []).append(member)
    found = []
    at = 0
    for length in lengths:
        while at < len(members) and members[at] in used:
            at += 1
        script: list[int] = []
        kin: set[str] = set()
        while len(script) < length:
            same = sharing.get(asks[script[-1]].pictures, ()) if script else ()
            fits = (
                member
                for member in chain(same, islice(members, at, None))
                if member not in used and asks[member].kin not in kin
            )
            item = next(fits, None)
            if item is None:
                break
            used.add(item)
            kin.add(asks[item].kin)
            script.append(item)
        if script:
            found.append(tuple(script))
    return found
