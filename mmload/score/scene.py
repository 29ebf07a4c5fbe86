"""Claims of a scene description held against its scene graph.

Counts what AMBER (arXiv 2311.07397), POPE (2305.10355) and HallusionBench (2310.14566) add up over responses;
the figures themselves are made in ``mmload.summary.benchmarks``. Not aware of how scenes are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmload.score.claims import Claims


@dataclass(slots=True)
class Described:
    claims: Claims
    cover: float
    """Share of the true objects that were named."""
    detail: dict[str, float]
    """Counts: ``mentions`` of objects and the false ones, ``objects`` that are there and those covered,
    ``bait`` objects and those named, probes asked and answered by (is it there, was it said)."""


def judge_scene(
    answer: Mapping[str, Any], graph: Mapping[str, Any], bait: Sequence[str], asked: Sequence[str]
) -> Described:
    """``graph``: objects {label: attrs}, relations [[s, p, o]], actions [[verb, target]]; ``bait``: likely
    labels that are absent; ``asked``: labels of the yes/no probes. A claim about an absent object is an
    object hallucination, counted once."""
    objects = graph["objects"]
    named = [o["label"] for o in answer["objects"]]
    claims = Claims()
    invented: set[str] = set()
    for one in answer["objects"]:
        true = one["label"] in objects
        if true or one["label"] not in invented:
            claims.add("object", true)
        if true:
            for name, value in one["attrs"].items():
                claims.add("attribute", objects[one["label"]].get(name) == value, critical=name == "state")
        else:
            invented.add(one["label"])
    _actions(claims, answer["actions"], graph, invented)
    _relations(claims, answer["relations"], graph, invented)
    for label, said in answer["probes"].items():
        if said == "yes" and label not in objects and label not in invented:
            claims.add("object", False)
            invented.add(label)
    covered = len(set(named) & set(objects))
    detail: dict[str, float] = {
        "mentions": len(named),
        "mentions_false": sum(n not in objects for n in named),
        "objects": len(objects),
        "objects_covered": covered,
        "bait": len(bait),
        "bait_named": len(invented & set(bait)),
        **_probes(answer["probes"], objects, asked),
    }
    return Described(claims, covered / (len(objects) or 1), detail)


def _probes(said: Mapping[str, str], objects: Mapping[str, Any], asked: Sequence[str]) -> dict[str, int]:
    """Cells of the table (there or absent) x (yes or no), of the probes that were answered."""
    cells = {"there_yes": 0, "there_no": 0, "absent_yes": 0, "absent_no": 0}
    for label in asked:
        if label in said:
            cells[f"{'there' if label in objects else 'absent'}_{said[label]}"] += 1
    right = cells["there_yes"] + cells["absent_no"]
    return {"probes": len(asked), **cells, "probes_all_right": int(right == len(asked))}


def _actions(
    claims: Claims, actions: Sequence[Mapping[str, Any]], graph: Mapping[str, Any], invented: set[str]
) -> None:
    possible = {(verb, target) for verb, target in graph["actions"]}
    for one in actions:
        true = (one["verb"], one["target"]) in possible
        claims.add("action", true, critical=True)
        if not true and one["target"] not in graph["objects"]:
            invented.add(one["target"])


def _relations(
    claims: Claims, relations: Sequence[Sequence[str]], graph: Mapping[str, Any], invented: set[str]
) -> None:
    holds = {tuple(r) for r in graph["relations"]}
    for s, p, o in relations:
        absent = [x for x in (s, o) if x not in graph["objects"]]
        if not absent:
            claims.add("relation", (s, p, o) in holds)
        for label in absent:
            if label not in invented:
                claims.add("object", False)
                invented.add(label)
