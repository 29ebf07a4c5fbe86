"""Drives a search: every step is a run of its own in ``levels/NN``, against one target that stays up.

What was seen is in ``journal/search.mmj`` before the next step begins, so that a search that was cut off at
any instant goes on from its last whole step. Not aware of how steps are chosen.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import mmload
from mmload import journal
from mmload import plan as planning
from mmload.launch.children import Child
from mmload.launch.environment import environment
from mmload.launch.options import RunOptions
from mmload.launch.run import look, run
from mmload.model import InputError, MmloadError
from mmload.profile import Profile, frozen_toml, to_toml_dict
from mmload.report.files import write_text
from mmload.report.pages import write_capacity
from mmload.search.answer import answer
from mmload.search.level import hysteresis, level_of, needed, seen_of
from mmload.search.settling import Settling
from mmload.search.steps import Kind, Settings, Step, Stop, decide

JOURNAL: Final = "journal/search.mmj"
_LEVEL: Final = "level"
_COLD: Final = 3.0
"""The first step's warm-up is so many times as long: a target that was just started loads and compiles."""
_ASIDE_MIN: Final = 0.1
"""What a search takes beside its steps: drawing the suite, starting the target, the report. Of two minutes it
counts."""
_BUDGETS: Final = ("max_requests", "max_minutes", "max_usd")


@dataclass
class SearchOptions:
    """How, not what."""

    out: Path | None = None
    resume: Path | None = None
    quick: bool = False
    show: bool = True
    """Live view of each step on stderr."""
    say: Callable[[str], None] = field(default=lambda _line: None)


def settings_of(profile: Profile, quick: bool) -> Settings:
    """``[capacity]`` with its defaults; ``quick`` is the same search on a fifth of the time."""
    c = profile.capacity
    start = c.start_rpm or (profile.expected_peak_rpm or 120.0) / 2
    s = Settings(
        start_rpm=min(start, c.max_rpm),
        growth=c.growth,
        max_rpm=c.max_rpm,
        step_s=c.step_s,
        warmup_s=c.warmup_s,
        replicates=c.replicates,
        replicate_s=c.replicate_s,
        precision=c.precision,
        max_requests=c.max_requests,
        max_minutes=c.max_minutes,
        max_usd=c.max_usd,
        needed=needed(profile.gates),
    )
    if not quick:
        return s
    return Settings(
        **{
            **s.__dict__,
            "growth": max(s.growth, 2.0),
            "step_s": max(2.0, s.step_s * 0.4),
            "warmup_s": max(1.0, s.warmup_s / 2),
            "replicates": 4,
            "replicate_s": max(2.0, s.replicate_s * 0.4),
            "precision": max(s.precision, 0.2),
            "max_minutes": max(s.max_minutes / 5 - _ASIDE_MIN, s.max_minutes / 6),
            "extras": False,
        }
    )


def conduct(profile: Profile, base_dir: Path, options: SearchOptions) -> tuple[dict[str, Any], Path, bool]:
    """Search; gives what was found, its folder, and whether it was interrupted.

    Raises ``InputError`` before anything was sent, ``MmloadError`` if a step could not be carried out.
    """
    settings = settings_of(profile, options.quick)
    look(profile)
    record = _Record.open(profile, options)
    interrupted = False
    warm = False
    ended: Stop | None = None
    try:
        with _served(profile, base_dir, record.folder) as aimed:
            while True:
                following = decide(settings, [seen_of(level) for level in record.levels])
                if isinstance(following, Stop):
                    ended = following
                    break
                options.say(_announcement(following, len(record.levels) + 1))
                level, interrupted = _step(aimed, base_dir, following, settings, record, options, warm)
                warm = True
                if interrupted:
                    break
                record.add(level)
                options.say(f"    {_outcome(level)}")
                record.write(profile, settings, None, options)
    except KeyboardInterrupt:
        interrupted = True
    except MmloadError as error:
        # A target that has gone, a worker that was lost: what had been seen is told all the same.
        if not record.levels:
            raise
        record.write(profile, settings, None, options, interrupted=True)
        raise type(error)(f"{error}; go on with --resume {record.folder}") from None
    return record.write(profile, settings, ended, options, interrupted), record.folder, interrupted


class _Record:
    """What was seen so far, in memory and on disk."""

    def __init__(self, folder: Path, header: Mapping[str, Any], levels: list[dict[str, Any]]) -> None:
        self.folder, self.header, self.levels = folder, header, levels
        self._writer = journal.Writer(folder / JOURNAL)

    @classmethod
    def open(cls, profile: Profile, options: SearchOptions) -> _Record:
        """A new folder, or that of a search that was cut. Raises ``InputError``."""
        if options.resume is not None:
            return cls._again(profile, options.resume, options.quick)
        folder = journal.make_folder(profile.name, options.out)
        header = {
            "profile": to_toml_dict(profile),
            "quick": options.quick,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "mmload_version": mmload.__version__,
        }
        made = cls(folder, header, [])
        made._writer.append(journal.RUN, header)
        write_text(folder / "profile.toml", frozen_toml(profile))
        write_text(folder / "environment.json", json.dumps(environment(), indent=2) + "\n")
        return made

    @classmethod
    def _again(cls, profile: Profile, folder: Path, quick: bool) -> _Record:
        path = folder / JOURNAL
        header, levels, whole = read_record(path)
        if _but_budgets(header["profile"]) != _but_budgets(to_toml_dict(profile)):
            raise InputError(
                f"--resume {folder}: it was begun with another profile; give the one that it was begun with, "
                "and the same --set, --target, --workers and --seed (budgets may be raised)"
            )
        if header["quick"] != quick:
            raise InputError(
                f"--resume {folder}: it was begun {'with' if header['quick'] else 'without'} --quick"
            )
        # Behind the last whole frame there may be half of one: nothing may be appended to that.
        os.truncate(path, whole)
        return cls(folder, header, levels)

    def add(self, level: dict[str, Any]) -> None:
        self._writer.append(_LEVEL, level)
        self._writer.sync()
        self.levels.append(level)

    def level_folder(self) -> Path:
        """The next free ``levels/NN``: what a cut step left behind stays as it is."""
        number = len(self.levels) + 1
        while (self.folder / "levels" / f"{number:02d}").exists():
            number += 1
        return self.folder / "levels" / f"{number:02d}"

    def write(
        self,
        profile: Profile,
        settings: Settings,
        ended: Stop | None,
        options: SearchOptions,
        interrupted: bool = False,
    ) -> dict[str, Any]:
        """``capacity.json``; at the end, or when interrupted, the pages too."""
        about = {
            "target": profile.target.engine or profile.target.url,
            "started_at": self.header["started_at"],
            "quick": options.quick,
            "interrupted": interrupted,
            "mmload_version": mmload.__version__,
        }
        found = answer(profile, settings, self.levels, ended, about)
        write_text(self.folder / "capacity.json", json.dumps(found, indent=2, allow_nan=False) + "\n")
        if ended is not None or interrupted:
            write_capacity(self.folder, found)
        return found


def _but_budgets(profile: Mapping[str, Any]) -> dict[str, Any]:
    """More may be spent on a search than was meant at first; nothing else of it may change."""
    rest = {key: v for key, v in profile["capacity"].items() if key not in _BUDGETS}
    return {**profile, "capacity": rest}


def read_record(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """(header, whole levels, bytes up to the last whole frame) of a search. Raises ``InputError``."""
    follower = journal.Follower(path)
    frames = list(follower.poll())
    if not frames or frames[0][0] != journal.RUN:
        raise InputError(f"{path}: no capacity search begins here")
    return frames[0][1], [body for kind, body in frames[1:] if kind == _LEVEL], follower.offset


@contextmanager
def _served(profile: Profile, base_dir: Path, folder: Path) -> Iterator[Profile]:
    """The profile with a target that answers: an embedded pipeline is started once, for all steps."""
    engine = profile.target.engine
    if engine is None:
        yield profile
        return
    suite = planning.build(profile, base_dir).suite
    config = getattr(profile.target, engine).model_dump_json()
    arguments = ("--engine", engine, "--port", "0", "--suite", str(suite.dir), "--config", config)
    target = Child("target", "mmload.serve", arguments, folder / "logs", pipe=True)
    try:
        url = str(target.ready_line(60)["url"])
        aim = profile.target.model_copy(update={"engine": None, "url": url})
        yield profile.model_copy(update={"target": aim})
    finally:
        target.end()


def _step(
    profile: Profile,
    base_dir: Path,
    step: Step,
    settings: Settings,
    record: _Record,
    options: SearchOptions,
    warm: bool,
) -> tuple[dict[str, Any], bool]:
    began = time.monotonic()
    number, folder = len(record.levels) + 1, record.level_folder()
    made = stepped(profile, step, number, settings.warmup_s * (1 if warm else _COLD))
    watch = Settling(profile.gates)
    run_options = RunOptions(
        out=folder,
        show=options.show,
        prometheus_port=None,
        brief=True,
        settled=None if step.kind is Kind.DOWN else watch,
        say=options.say if options.show else lambda _line: None,
    )
    finished, interrupted = run(made, base_dir, run_options)
    minutes = (time.monotonic() - began) / 60
    level = level_of(step, finished.figures, profile.gates, number, minutes, watch.gate)
    level["folder"] = str(folder.relative_to(record.folder))
    level["over_rpm"] = step.over_rpm or None
    level["hysteresis"] = (
        hysteresis(finished.figures, step, profile.gates) if step.kind is Kind.DOWN else None
    )
    return level, interrupted


def stepped(profile: Profile, step: Step, number: int, warmup_s: float) -> Profile:
    """The profile of one step's run: fresh arrivals and order, the same items.

    A baseline phase of the profile comes first; the warm-up is at the step's own rate.
    """
    kept = [p for p in profile.phase if p.name == profile.quality.baseline]
    warm = {"name": "warm-up", "shape": "sustained", "duration_s": warmup_s, "warmup": True}
    phase: dict[str, Any] = {"name": f"rpm-{step.rpm:g}", "rpm": step.rpm}
    if step.kind is Kind.DOWN:
        third = step.seconds
        phase |= {"shape": "burst", "duration_s": 3 * third, "peak_rpm": step.over_rpm}
        phase |= {"burst_start_s": third, "burst_s": third}
    else:
        phase |= {"shape": "sustained", "duration_s": step.seconds, "repeats": step.replicates}
    data = to_toml_dict(profile)
    data["phase"] = [
        *[p.model_dump(mode="json", include=p.model_fields_set) | {"warmup": True} for p in kept],
        warm | {"rpm": step.rpm},
        phase,
    ]
    digest = hashlib.blake2b(f"{profile.seed}|{number}".encode(), digest_size=7).digest()
    return Profile.model_validate(data | {"seed": int.from_bytes(digest, "big")})


def _announcement(step: Step, number: int) -> str:
    phases = f"{step.replicates} x {step.seconds:g} s" if step.replicates > 1 else f"{step.seconds:g} s"
    over = f", {step.over_rpm:g} rpm and down again" if step.kind is Kind.DOWN else ""
    return f"{number:2d}  {step.kind.value:<8} {step.rpm:g} rpm{over}, {phases}"


def _outcome(level: Mapping[str, Any]) -> str:
    if not level["valid"]:
        return f"invalid: {level['reasons'][0]}"
    quality, p95 = level["quality"], level["e2e_p95_ms"]
    said = [level["verdict"] + (f" ({level['limited_by']})" if level["limited_by"] else "")]
    said += [f"quality {quality:.3f}"] if quality is not None else []
    said += [f"p95 {p95:,.0f} ms"] if p95 is not None else []
    return ", ".join(said) + (", ended early" if level["ended_early"] else "")
