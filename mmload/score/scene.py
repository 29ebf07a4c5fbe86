"""Claims of a scene description held against its scene graph.

CHAIR, Cover and Cog as AMBER computes them for one response (arXiv 2311.07397); probes count "no" as the
positive class there. Not aware of how scenes are drawn.
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


def judge_scene(answer: Mapping[str, Any], graph: Mapping[str, Any], bait: Sequence[str]) -> Described:
    """``graph``: objects {label: attrs}, relations [[s, p, o]], actions [[verb, target]]; ``bait``: likely
    labels that are absent. A claim about an absent object is an object hallucination, counted once."""
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
    probes = answer["probes"]
    right = sum((label in objects) == (said == "yes") for label, said in probes.items())
    for label, said in probes.items():
        if said == "yes" and label not in objects and label not in invented:
            claims.add("object", False)
            invented.add(label)
    mentions = len(named) or 1
    detail = {
        "chair": sum(n not in objects for n in named) / mentions,
        "cover": len(set(named) & set(objects)) / (len(objects) or 1),
        "cog": len(invented & set(bait)) / (len(bait) or 1),
        "probes": right / len(probes) if probes else 0.0,
    }
    return Described(claims, detail["cover"], detail)


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
