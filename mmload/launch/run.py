"""The main job: call up the processes of a run, and see it through."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmload import journal
from mmload.launch.crew import Crew, Interrupt
from mmload.launch.limits import shortage
from mmload.launch.options import RunOptions
from mmload.launch.target import probe
from mmload.model import InputError
from mmload.profile import Profile, api_key, judge_key

if TYPE_CHECKING:
    from mmload.launch.finish import Finished


def run(profile: Profile, base_dir: Path, options: RunOptions) -> tuple[Finished, bool]:
    """Run ``profile``; gives the finished run and whether it was interrupted.

    Raises ``InputError`` before anything was sent, ``MmloadError`` if the run could not be carried out.
    """
    secrets = _secrets(profile)
    if profile.target.url is not None:
        if refused := probe(profile.target):
            options.say(refused)
    elif options.remote_workers:
        raise InputError(
            "--master: workers of other hosts cannot reach the embedded pipeline; start it with "
            "`mmload serve PROFILE --host ADDRESS --port PORT` and give --target http://ADDRESS:PORT/v1"
        )
    if warning := shortage(profile):
        options.say(warning)
    run_dir = journal.make_folder(profile.name, options.out)
    interrupt = Interrupt()
    with _signals(interrupt), Crew(run_dir) as crew:
        master = crew.call_up(profile, options)
        # Here and not at the head of this file: half a second, while master and workers load theirs.
        from mmload.launch.conduct import conduct

        finished = conduct(crew, master, profile, base_dir, options, interrupt, secrets)
    return finished, interrupt.count > 0


def look(profile: Profile) -> None:
    """Raises the ``InputError`` that a run would begin with: a key that is not set, a target that is not
    there. For who drives several runs, before the first of them."""
    _secrets(profile)
    if profile.target.url is not None:
        probe(profile.target)


def _secrets(profile: Profile) -> tuple[str, ...]:
    """The keys of target and judge, which no file may hold; raises ``InputError`` for one that is not set."""
    judge = profile.quality.judge
    keys = (api_key(profile.target, os.environ), judge_key(judge, os.environ) if judge else None)
    return tuple(key for key in keys if key)


@contextmanager
def _signals(interrupt: Interrupt) -> Iterator[None]:
    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
