"""A profile made ready to run: suite, request bodies, schedule, and the fingerprint of all three.

The same for the launcher, the master and every worker on every host: a pure function of the profile
and its seeds. Not aware of processes or sockets.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np

import mmload
from mmload import corpus, plugins, schedule
from mmload.corpus import Bodies, Scripts, Suite
from mmload.model import NS_PER_S, InputError, Item, Turn
from mmload.profile import Mix, Profile, Target, to_toml_dict
from mmload.schedule import Schedule
from mmload.shapes import Shape
from mmload.tasks import Task, prompts
from mmload.wire import Adapter

Progress = Callable[[int, int], None]
_LOOKS: Final = 4001


@dataclass(frozen=True)
class Plan:
    """Everything that is fixed before the first request leaves."""

    profile: Profile
    base_dir: Path
    tasks: Mapping[str, Task]
    adapter: Adapter
    suite: Suite
    bodies: Bodies
    shapes: Sequence[Shape]
    """By phase of the profile, in its order."""
    schedule: Schedule
    scripts: Scripts | None
    """What sessions of several turns ask; None if all requests stand alone."""
    fingerprint: str
    """sha256 over payload bytes, schedule, mix and scorer versions; the same for any number of workers."""

    def shape_of(self, phase: int) -> Shape:
        """Shape of phase number ``phase`` of the schedule."""
        names = [p.name for p in self.profile.phase]
        return self.shapes[names.index(self.schedule.phases[phase].group)]

    @property
    def prompt_tokens(self) -> list[int]:
        """Text that each item's request carries (``corpus.text_tokens``)."""
        return corpus.text_tokens(self.suite.items, self.scripts)

    @property
    def bursts(self) -> list[tuple[float, float]]:
        """Burst windows of the whole run, in seconds from its start."""
        return [
            (phase.start_ns / NS_PER_S + start, phase.start_ns / NS_PER_S + end)
            for phase in self.schedule.phases
            for start, end in self.shape_of(phase.number).bursts
        ]

    @property
    def task_weights(self) -> dict[str, float]:
        """Declared weights of the tasks in the quality score, never the accidental traffic mix."""
        declared = self.profile.quality.task_weights or self.profile.mix.tasks
        present = {item.task for item in self.suite.items}
        return {task: weight for task, weight in declared.items() if task in present and weight > 0}


def build(
    profile: Profile, base_dir: Path, cache: Path | None = None, progress: Progress | None = None
) -> Plan:
    """Draw or find the suite, encode the bodies, compile the schedule.

    Raises ``InputError`` for a name that no plug-in carries, or keys that a shape refuses.
    """
    shapes, tasks = shapes_of(profile, base_dir), tasks_of(profile.mix)
    target = profile.target
    adapter = plugins.adapter_of(target)
    suite = corpus.build(profile.mix, tasks, cache or corpus.default_cache(), progress)

    scripts = corpus.scripts(profile.sessions, suite.items, profile.mix.suite_seed)
    encode = encoder(adapter, target, scripts is not None)
    bodies = corpus.encode(suite, encode, _wire_key(target, adapter), target.streaming, scripts=scripts)
    names, turns = [item.task for item in suite.items], scripts.turns if scripts else None
    compiled = schedule.compile(profile, shapes, corpus.strata(suite), names, turns)
    return Plan(
        profile,
        base_dir,
        tasks,
        adapter,
        suite,
        bodies,
        shapes,
        compiled,
        scripts,
        _fingerprint(profile, tasks, bodies, compiled),
    )


def shapes_of(profile: Profile, base_dir: Path) -> list[Shape]:
    """One shape a ``[[phase]]``; raises ``InputError`` for keys that a shape does not like."""
    return [plugins.make("shapes", phase.shape, phase, base_dir) for phase in profile.phase]


def tasks_of(mix: Mix) -> dict[str, Task]:
    """The tasks of the mix by name; those of weight 0 are not in it."""
    return {name: plugins.make("tasks", name) for name, weight in mix.tasks.items() if weight > 0}


class Peak(NamedTuple):
    """The most that shapes ask for at any time; 0 of a loop that none of them has."""

    rpm: float
    users: int


def peak_of(shapes: Sequence[Shape]) -> Peak:
    """By looking at every shape at thousands of times, and within each of its bursts: a shape of a plug-in
    needs no keys that are known here."""
    rpm, users = 0.0, 0
    for shape in shapes:
        bursts = [t for start, end in shape.bursts for t in (start, (start + end) / 2)]
        looks = [*np.linspace(0.0, shape.duration_s * (1 - 1e-9), _LOOKS).tolist(), *bursts]
        if shape.open_loop:
            rpm = max(rpm, *(60 * shape.rate(t) for t in looks))
        else:
            users = max(users, *(shape.users(t) for t in looks))
    return Peak(rpm, users)


def encoder(adapter: Adapter, target: Target, sessions: bool) -> corpus.EncodeItem:
    """Makes the body of a request. Raises ``InputError`` for sessions that the adapter cannot tell of."""
    if not sessions:
        return lambda item, images, history: adapter.encode(item, images, item.streaming)
    if "history" not in signature(adapter.encode).parameters:
        raise InputError(
            f'sessions.turns: the adapter of protocol "{target.protocol}" takes no history: its encode '
            "lacks that parameter (docs/protocols.md)"
        )

    def encode(item: Item, images: Sequence[bytes], history: Sequence[Turn]) -> bytes:
        return adapter.encode(item, images, item.streaming, history)

    return encode


def _wire_key(target: Target, adapter: Adapter) -> str:
    return (
        f"{target.protocol}|{adapter.version}|{target.model}|{target.streaming}|{sorted(target.body.items())}"
    )


def _fingerprint(profile: Profile, tasks: Mapping[str, Task], bodies: Bodies, compiled: Schedule) -> str:
    digest = hashlib.sha256(compiled.fingerprint_bytes())
    digest.update(bodies.sha256.encode())
    digest.update(profile.mix.model_dump_json(exclude={"items_file"}).encode())
    digest.update(_session_bytes(profile))
    for name in sorted(tasks):
        digest.update(f"{name}={tasks[name].version}".encode())
    return digest.hexdigest()


def _session_bytes(profile: Profile) -> bytes:
    return profile.sessions.model_dump_json().encode() if profile.sessions.several else b""


def content_fingerprint(plan: Plan) -> str:
    """sha256 of what is asked and when, whoever is asked: as ``fingerprint``, with the suite in the place of
    the request bodies, which name the model. Candidates of a comparison share it."""
    digest = hashlib.sha256(plan.schedule.fingerprint_bytes())
    manifest = plan.suite.manifest
    digest.update(f"{manifest.items_sha256}|{manifest.pixels_sha256}|".encode())
    digest.update(plan.bodies.stream.tobytes())
    digest.update(plan.profile.mix.model_dump_json(exclude={"items_file"}).encode())
    digest.update(_session_bytes(plan.profile))
    for name in sorted(plan.tasks):
        digest.update(f"{name}={plan.tasks[name].version}".encode())
    return digest.hexdigest()


def order(plan: Plan, url: str, run_dir: Path, remote: bool, web: bool) -> dict[str, Any]:
    """What a master is told (``plan.json``): profile, target, and the first frame of the journal.

    ``url`` is where the target answers; ``remote`` that the workers are on other hosts; ``web`` that
    Locust's page is served. Holds no secret.
    """
    # Workers and master plan too; what the scorecard stands on would cost each 80 ms and 7 MB.
    from mmload.scorecard import matrix

    profile = plan.profile
    started = datetime.now(UTC)
    stored = to_toml_dict(profile)
    trace_prefix = secrets.token_hex(8)
    frame = {
        "run_id": f"{profile.name}-{started.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(3)}",
        "profile": stored,
        "suite_dir": str(plan.suite.dir),
        "suite_id": plan.suite.id,
        "phases": [list(p) for p in plan.schedule.phases],
        "bursts": [list(b) for b in plan.bursts],
        "trace_prefix": trace_prefix,
        "scripts": plan.scripts.turns if plan.scripts else None,
        "workers": profile.workers,
        "started_at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "workload_fingerprint": plan.fingerprint,
        "content_fingerprint": content_fingerprint(plan),
        "prompt_versions": {name: _prompt_version(name, task) for name, task in plan.tasks.items()},
        "matrix_version": matrix().version,
        "matrix_id": matrix().id,
        "target": profile.target.engine or urlsplit(url).netloc.rpartition("@")[2],
        "mmload_version": mmload.__version__,
        "task_weights": plan.task_weights,
        "judge_prompt": prompts.name_of(*prompts.JUDGE) if profile.quality.judge else None,
    }
    return {
        "profile": stored,
        "base_dir": str(plan.base_dir.resolve()),
        "url": url,
        "workers": profile.workers,
        "trace_prefix": trace_prefix,
        "run_dir": str(run_dir.resolve()),
        "remote": remote,
        "web": web,
        "metrics_url": "",
        "run_frame": frame,
    }


def _prompt_version(name: str, task: Task) -> str:
    """The task's prompt file by name, version and digest; of a task without one its own version, which holds
    the digest of the files that it uses."""
    try:
        return prompts.name_of(name, 1)
    except InputError:
        return f"{name}@{task.version}"
