"""Unanswerable twins: pairs of items of other tasks, of which one lacks the evidence. Who always answers and
who always abstains both score zero on pairs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from mmload.model import Item, Score
from mmload.score.envelope import schema_of
from mmload.tasks import Drawn, Want
from mmload.tasks.chart import ChartReading
from mmload.tasks.compose import compose
from mmload.tasks.drawn import DrawnTask
from mmload.tasks.extract import Extract
from mmload.tasks.ui import Ui

_HOSTS: Final[dict[str, type[DrawnTask]]] = {host.name: host for host in (Extract, Ui, ChartReading)}


class Overreach:
    name = "overreach"
    version = "-".join(("2", *(host.version for host in _HOSTS.values())))
    schema: Mapping[str, Any] = schema_of({"anyOf": [host.answer for host in _HOSTS.values()]})
    pairs = True
    want = Want

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        host = rng.choice(sorted(_HOSTS))
        scene = _HOSTS[host].scene(rng, want)
        scene.extra = {**scene.extra, "host": host}
        scene.slices = {**scene.slices, "host": host}
        return compose(rng, want, scene)

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        return _HOSTS[item.truth["host"]].score(item, text, seq, nonces)
