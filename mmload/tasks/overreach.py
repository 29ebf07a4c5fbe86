"""Unanswerable twins: pairs of items of other tasks, of which one lacks the evidence. Who always answers and
who always abstains both score zero on pairs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from mmload.model import Item, Score
from mmload.score.card import Judge, mark
from mmload.score.envelope import Envelope, schema_of
from mmload.tasks import Drawn, Want, chart, extract, ui
from mmload.tasks.compose import compose

_HOSTS: Final = {"extract": extract, "ui": ui, "chart": chart}
_TYPES: Final = {"extract": "object", "ui": "action", "chart": "object"}
_ENVELOPES: Final = {name: Envelope(schema_of(host.ANSWER)) for name, host in _HOSTS.items()}
_JUDGES: Final[dict[str, Judge]] = {name: host.judge for name, host in _HOSTS.items()}


class Overreach:
    name = "overreach"
    version = f"2-{extract.Extract.version}-{ui.Ui.version}-{chart.ChartReading.version}"
    schema: Mapping[str, Any] = schema_of({"anyOf": [host.ANSWER for host in _HOSTS.values()]})
    pairs = True
    want = Want

    def draw(self, rng: random.Random, want: Want) -> Drawn:
        host = rng.choice(sorted(_HOSTS))
        scene = _HOSTS[host].scene(rng, want)
        scene.extra = {**scene.extra, "host": host}
        scene.slices = {**scene.slices, "host": host}
        return compose(rng, want, scene)

    def score(self, item: Item, text: str, seq: int, nonces: Mapping[str, int] | None = None) -> Score:
        host = item.truth["host"]
        return mark(item, text, seq, _ENVELOPES[host], _JUDGES[host], nonces, overreach=_TYPES[host])
