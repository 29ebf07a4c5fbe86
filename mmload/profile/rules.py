"""What a well-formed profile may still have wrong: contradictions, weights without weight, unknown names.

Not aware of files and lines; it gives problems by key path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from ipaddress import ip_address
from urllib.parse import urlsplit

from mmload.profile.lines import KeyPath
from mmload.profile.problems import Problem, found, nearest
from mmload.profile.schema import Judge, Phase, Profile, Target
from mmload.profile.shape_keys import BUILT_IN, COMMON, Keys

_FORMAT = re.compile(r"png|(jpeg|webp)-([1-9]|[1-9]\d|100)")
_VARIANT = re.compile(r"[a-z][a-z0-9_-]*(@[1-5])?")
_SECRET_HEADERS = {"authorization", "api-key", "x-api-key", "cookie", "proxy-authorization"}
_OWN_HEADERS = {
    "host",
    "content-length",
    "content-type",
    "connection",
    "transfer-encoding",
    "accept-encoding",
}
MAX_TURNS = 16
MAX_IMAGES = 16
_MAX_PLANNED = 20_000_000
"""Arrivals of a run: each takes some 40 bytes in every process that holds the schedule."""


def problems(profile: Profile, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Everything that contradicts itself.

    ``known`` gives the valid names of ``shape``, ``task`` and ``protocol``; what it lacks is not checked.
    """
    yield from _target(profile.target, known)
    if profile.quality.judge is not None:
        yield from _judge(profile.quality.judge, profile.target.allow_remote)
    yield from _phases(profile, known)
    yield from _weights(profile)
    yield from _sessions(profile)
    yield from _mix_names(profile, known)
    yield from _task_names(profile)
    yield from _workflows(profile)
    if profile.cost.as_of and not _is_date(profile.cost.as_of):
        yield Problem(("cost", "as_of"), f'found "{profile.cost.as_of}"; it must be a date as "2026-01-31"')


def _workflows(profile: Profile) -> Iterator[Problem]:
    """A task that two workflows claim would be paid twice."""
    owner: dict[str, str] = {}
    for name, tasks in profile.cost.workflows.items():
        for task in tasks:
            if owner.setdefault(task, name) != name:
                yield Problem(
                    ("cost", "workflows", name), f'task "{task}" belongs to workflow "{owner[task]}" already'
                )
            yield from _name(("cost", "workflows", name), task, list(profile.mix.tasks))


def is_local(url: str) -> bool:
    """Whether the host of a URL is this machine, by its name alone (no look-up)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _target(target: Target, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    if (target.engine is None) == (target.url is None):
        have = "neither" if target.engine is None else "both"
        yield Problem(
            ("target",), f'found {have} of engine and url; give one: engine = "sim" or url = "http://..."'
        )
    if target.url is not None:
        yield from _url(("target", "url"), target.url, target.allow_remote)
    named = target.metrics_url
    for page in [named] if isinstance(named, str) else named or []:
        yield from _url(("target", "metrics_url"), page, target.allow_remote)
    if "protocol" in known:
        yield from _name(("target", "protocol"), target.protocol, known["protocol"])
    if (target.protocol == "template") != (target.template is not None):
        text = 'a TOML file and protocol = "template" go together; found the one without the other'
        yield Problem(("target", "template"), text)
    for header, value in target.headers.items():
        if text := header_problem(header, value):
            yield Problem(("target", "headers", header), text)
    yield from _variable(("target", "api_key_env"), target.api_key_env)


def _judge(judge: Judge, allow_remote: bool) -> Iterator[Problem]:
    table: KeyPath = ("quality", "judge")
    yield from _url((*table, "url"), judge.url, allow_remote)
    yield from _variable((*table, "api_key_env"), judge.api_key_env)
    for key in sorted({"model", "messages", "stream"} & judge.body.keys()):
        yield Problem((*table, "body", key), "mmload sets this field of the request itself")
    if (judge.input_usd_per_mtok is None) != (judge.output_usd_per_mtok is None):
        yield Problem(table, "input_usd_per_mtok and output_usd_per_mtok go together; found the one alone")


def _variable(path: KeyPath, name: str | None) -> Iterator[Problem]:
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        yield Problem(path, "it must be the name of an environment variable, never the key itself")


def header_problem(header: str, value: str) -> str:
    """Why a file may not ask for this header; empty if it may."""
    if header.lower() in _SECRET_HEADERS:
        return "a secret does not belong in a file; name its variable in target.api_key_env"
    if header.lower() in _OWN_HEADERS:
        return "mmload sets this header itself"
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", header) or re.search(
        r"[^\t\x20-\x7e\x80-\xff]", value
    ):
        return "not a header that HTTP allows"
    return ""


def _url(path: KeyPath, url: str, allow_remote: bool) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x1f]", url):
        yield Problem(path, f'found {found(url)}; it must be as "http://127.0.0.1:8000/v1"')
    elif parts.username is not None or parts.password is not None:
        yield Problem(path, "a user name or password in a URL ends up in logs; use api_key_env")
    elif parts.query or parts.fragment:
        yield Problem(path, "a base URL has no '?' and no '#'")
    elif not allow_remote and not is_local(url):
        text = f"{parts.hostname} is not this machine; set target.allow_remote = true if you may load it"
        yield Problem(path, text)


def _phases(profile: Profile, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    names: Counter[str] = Counter()
    for number, phase in enumerate(profile.phase):
        path: KeyPath = ("phase", number)
        names.update(replicate_names(phase))
        if any(names[name] > 1 for name in replicate_names(phase)):
            yield Problem(
                (*path, "name"), f'"{phase.name}" is the name of an earlier phase; names must differ'
            )
        if "shape" in known:
            yield from _name((*path, "shape"), phase.shape, known["shape"])
        if phase.shape in BUILT_IN:
            yield from _shape_keys(path, phase, BUILT_IN[phase.shape])
    if all(phase.warmup for phase in profile.phase):
        yield Problem(("phase",), "every phase is a warm-up; nothing would be measured")
    planned = sum(_most_arrivals(phase) for phase in profile.phase)
    if planned > _MAX_PLANNED:
        yield Problem(
            ("phase",), f"plans up to {planned:,.0f} requests; at most {_MAX_PLANNED:,} fit in one run"
        )


def replicate_names(phase: Phase) -> list[str]:
    """Names of the repetitions of a phase, as the plan and the report show them."""
    if phase.repeats == 1:
        return [phase.name]
    return [f"{phase.name}.{k + 1}" for k in range(phase.repeats)]


def _most_arrivals(phase: Phase) -> float:
    rates = phase.rpm if isinstance(phase.rpm, list) else [phase.rpm]
    steady = max((rate or 0.0 for rate in rates), default=0.0) + (phase.amplitude_rpm or 0.0)
    rpm = max(steady, phase.peak_rpm or 0.0, phase.from_rpm or 0.0, phase.to_rpm or 0.0)
    return rpm / 60.0 * phase.duration_s * phase.repeats


def _shape_keys(path: KeyPath, phase: Phase, keys: Keys) -> Iterator[Problem]:
    given = phase.model_fields_set - COMMON
    takes = f'"{phase.shape}" takes {keys.ways()}'
    for key in sorted(given - keys.all):
        yield Problem((*path, key), f"not a key of this shape: {takes}")
    open_loop = given & {*keys.open, *keys.open_optional}
    closed_loop = given & {*keys.closed, *keys.closed_optional}
    if open_loop and closed_loop:
        yield Problem((*path, min(closed_loop)), f"contradicts {', '.join(sorted(open_loop))}: {takes}")
    elif missing := [key for key in (keys.closed if closed_loop else keys.open) if key not in given]:
        yield Problem(path, f"{' and '.join(missing)} missing: {takes}")
    else:
        yield from _lists(path, phase, keys)
        yield from _windows(path, phase)
        yield from _swing(path, phase)
        yield from _rates(path, phase)


def _lists(path: KeyPath, phase: Phase, keys: Keys) -> Iterator[Problem]:
    for key in ("rpm", "users"):
        value = getattr(phase, key)
        if value is not None and isinstance(value, list) != keys.lists:
            example = f"a list, as {key} = [60, 120, 240]" if keys.lists else "one number"
            have = "a list" if isinstance(value, list) else f"{value:g}"
            yield Problem((*path, key), f'found {have}; "{phase.shape}" takes {example}')
        elif isinstance(value, list) and not value:
            yield Problem((*path, key), "an empty list has no steps")


def _windows(path: KeyPath, phase: Phase) -> Iterator[Problem]:
    if phase.shape != "burst":
        return
    start, length = burst_window(phase)
    if start + length > phase.duration_s * (1 + 1e-9):
        key = "burst_s" if phase.burst_s is not None else "burst_start_s"
        text = f"the burst would end {start + length:g} s into a phase of {phase.duration_s:g} s"
        yield Problem((*path, key), text)
    if phase.burst_every_s is not None and phase.burst_every_s <= length:
        text = f"found {phase.burst_every_s:g}; it must be longer than the burst itself ({length:g} s)"
        yield Problem((*path, "burst_every_s"), text)


def burst_window(phase: Phase) -> tuple[float, float]:
    """Start and length of the first burst in seconds, with the defaults filled in."""
    start = phase.duration_s / 3 if phase.burst_start_s is None else phase.burst_start_s
    return start, phase.duration_s / 6 if phase.burst_s is None else phase.burst_s


def _swing(path: KeyPath, phase: Phase) -> Iterator[Problem]:
    for mean, key in ((phase.rpm, "amplitude_rpm"), (phase.users, "amplitude_users")):
        swing = getattr(phase, key)
        if swing is not None and isinstance(mean, int | float) and swing > mean:
            yield Problem(
                (*path, key), f"found {swing:g}; above the mean ({mean:g}) the rate would be negative"
            )


def _rates(path: KeyPath, phase: Phase) -> Iterator[Problem]:
    rates = [phase.rpm, phase.peak_rpm, phase.from_rpm, phase.to_rpm]
    given = [r for rate in rates if rate is not None for r in (rate if isinstance(rate, list) else [rate])]
    if given and not any(given):
        key = "to_rpm" if phase.shape == "ramp" else "rpm"
        yield Problem((*path, key), "every rate of this phase is 0: nothing would be sent")
    if phase.shape == "ramp" and phase.to_users == 0 and not phase.from_users:
        yield Problem((*path, "to_users"), "the ramp has no users: nothing would be sent")


def _sessions(profile: Profile) -> Iterator[Problem]:
    path: KeyPath = ("sessions", "turns")
    turns = profile.sessions.turns
    if isinstance(turns, dict):
        wrong = [n for n in turns if not (n.isascii() and n.isdigit() and 1 <= int(n) <= MAX_TURNS)]
        for name in wrong:
            yield Problem((*path, name), f"the key must be a whole number from 1 to {MAX_TURNS}")
        if wrong:
            return
        if not sum(turns.values()) > 0:
            yield Problem(path, "the weights sum to 0; at least one must be above 0")
            return
    if profile.sessions.several:
        yield from _conversing(profile, max(profile.sessions.weights))


def _conversing(profile: Profile, most: int) -> Iterator[Problem]:
    """What sessions of several turns do not go with."""
    for number, phase in enumerate(profile.phase):
        if phase.users is not None or phase.to_users is not None:
            text = "sessions of several turns need an open loop (a rate): the schedule says when they begin"
            yield Problem(("phase", number), text)
        elif phase.shape == "replay":
            text = "a trace says itself when each request leaves; sessions.turns must be 1 with it"
            yield Problem(("phase", number, "shape"), text)
    counts = profile.mix.images_per_request.items()
    images = most * max((int(n) for n, w in counts if w > 0 and n.isdigit()), default=1)
    if profile.target.engine is not None and images > MAX_IMAGES:
        text = f"{most} turns show up to {images} images; an embedded pipeline takes {MAX_IMAGES} at once"
        yield Problem(("sessions", "turns"), text)


def _weights(profile: Profile) -> Iterator[Problem]:
    mix = profile.mix
    tables: dict[str, Mapping[str, float]] = {
        "tasks": mix.tasks,
        "images": {name: size.weight for name, size in mix.images.items()},
        "formats": mix.formats,
        "prompt_tokens": mix.prompt_tokens,
        "images_per_request": mix.images_per_request,
        "variants": mix.variants,
    }
    for name, weights in tables.items():
        if not sum(weights.values()) > 0:
            yield Problem(("mix", name), "the weights sum to 0; at least one must be above 0")
    own = profile.quality.task_weights
    if own and not sum(own.values()) > 0:
        yield Problem(("quality", "task_weights"), "the weights sum to 0; at least one must be above 0")


def _mix_names(profile: Profile, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    mix = profile.mix
    if "task" in known:
        for task in mix.tasks:
            yield from _name(("mix", "tasks", task), task, known["task"])
    for name in mix.formats:
        if not _FORMAT.fullmatch(name):
            yield Problem(
                ("mix", "formats", name), "a format is png, jpeg-QUALITY or webp-QUALITY, as jpeg-85"
            )
    for name in mix.variants:
        if not _VARIANT.fullmatch(name):
            text = "a variant is clean, or a degradation as blur or blur@3 (severity 1 to 5)"
            yield Problem(("mix", "variants", name), text)
    for table, low, high in (("prompt_tokens", 16, 100_000), ("images_per_request", 1, 16)):
        for name in getattr(mix, table):
            if not (name.isascii() and name.isdigit() and low <= int(name) <= high):
                yield Problem(("mix", table, name), f"the key must be a whole number from {low} to {high}")


def _task_names(profile: Profile) -> Iterator[Problem]:
    tasks = list(profile.mix.tasks)
    for path, names, more in (
        (("quality", "sample_by_task"), profile.quality.sample_by_task, []),
        (("quality", "task_weights"), profile.quality.task_weights, []),
        (("slo",), profile.slo, ["default"]),
    ):
        for name in names:
            yield from _name((*path, name), name, [*tasks, *more])
    if profile.quality.baseline is not None:
        yield from _name(("quality", "baseline"), profile.quality.baseline, [p.name for p in profile.phase])
    elif profile.gates.quality_loss_max is not None:
        yield Problem(("gates", "quality_loss_max"), "it needs quality.baseline, the phase to compare with")


def _name(path: KeyPath, name: str, allowed: Sequence[str]) -> Iterator[Problem]:
    if name not in allowed:
        yield Problem(path, f'found "{name}"; allowed are {", ".join(allowed)}{nearest(name, allowed)}')
