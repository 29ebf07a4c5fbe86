"""The main job: start the processes of a run, watch them to the end, write the folder.

Order: plan (suite, bodies, schedule), run folder, target, master and workers, scorer; then the live
view; then, when the master has written its last frame and the scorer has read it, the figures.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mmload import baseline
from mmload import plan as planning
from mmload.baseline import Baseline
from mmload.baseline import read as read_baseline
from mmload.launch.breaker import Breaker
from mmload.launch.children import Child
from mmload.launch.environment import environment
from mmload.launch.finish import Finished, finish
from mmload.launch.fleet import Fleet, Interrupt
from mmload.launch.options import RunOptions
from mmload.launch.target import probe
from mmload.launch.watch import Watch
from mmload.model import InputError
from mmload.plan import Plan
from mmload.profile import Profile, api_key, judge_key
from mmload.report.live import LiveView

_TICK_S: Final = 0.5


def run(profile: Profile, base_dir: Path, options: RunOptions) -> tuple[Finished, bool]:
    """Run ``profile``; gives the finished run and whether it was interrupted.

    Raises ``InputError`` before anything was sent, ``MmloadError`` if the run could not be carried out.
    """
    held_against = read_baseline(options.baseline) if options.baseline else None
    judge = profile.quality.judge
    keys = [judge_key(judge, os.environ) if judge else None]
    if profile.target.url is not None:
        probe(profile.target)
    elif options.remote_workers:
        raise InputError(
            "--master: workers of other hosts cannot reach the embedded pipeline; start it with "
            "`mmload serve PROFILE --host ADDRESS --port PORT` and give --target http://ADDRESS:PORT/v1"
        )
    run_dir = planning.make_folder(profile, options.out)
    interrupt = Interrupt()
    with _signals(interrupt), Fleet(run_dir) as fleet:
        fleet.call_up(profile, options)
        plan = _plan(profile, base_dir, run_dir, options, held_against)
        watch = fleet.start(plan, options)
        _attend(fleet, watch, options, interrupt, profile)
        fleet.ended = watch.reader.end is not None
        fleet.settle(interrupt)
        fleet.settle_judge(interrupt, options)
        keys.append(api_key(profile.target, os.environ))
        secrets = tuple(key for key in keys if key)
        finished = finish(run_dir, environment(), secrets, watch.reader, brief=options.brief)
        fleet.settle_outlets(finished)
    return finished, interrupt.count > 0


def _plan(
    profile: Profile, base_dir: Path, run_dir: Path, options: RunOptions, held_against: Baseline | None
) -> Plan:
    """The plan; one that is refused leaves nothing of ours in the folder, and touches nothing else."""
    try:
        plan = planning.build(profile, base_dir, progress=_progress(options))
        if options.baseline is not None and held_against is not None:
            baseline.same_work(held_against, plan.fingerprint, options.baseline)
            shutil.copyfile(options.baseline, run_dir / baseline.FILE)
        return plan
    except InputError:
        for ours in ("journal", "logs"):
            shutil.rmtree(run_dir / ours, ignore_errors=True)
        with suppress(OSError):
            run_dir.rmdir()
        raise


def _progress(options: RunOptions) -> planning.Progress:
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if options.show and (now - last > 2 or done == total):
            last = now
            options.say(f"drawing the suite: {done} of {total} items")

    return report


@contextmanager
def _signals(interrupt: Interrupt) -> Iterator[None]:
    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _attend(fleet: Fleet, watch: Watch, options: RunOptions, interrupt: Interrupt, profile: Profile) -> None:
    """Until the master ends: the live view, Ctrl-C, the budget."""
    assert fleet.master is not None
    told, spent, broken = 0, False, False
    budget = profile.cost.budget_usd
    breaker = Breaker(profile.target)
    with LiveView(show=options.show) as view:

        def tell(text: str) -> None:
            view.say(text)
            if options.events is not None:
                options.events.notice(text)

        while fleet.master.alive and watch.reader.end is None:
            watch.poll()
            if watch.began_s is not None:
                fleet.start_scoring(profile)
            state = watch.state(time.time())
            view.update(state)
            if options.events is not None:
                options.events.progress(state)
            if budget and not spent and state.cost_usd is not None and state.cost_usd >= budget:
                tell(f"the budget of {budget:g} USD is spent: no more requests")
                fleet.master.signal(signal.SIGUSR1)
                spent = True
            if not broken and breaker.open(watch.reader.summary, watch.reader.info):
                tell(f"{breaker.ratio:.0%} of the last requests failed: no more requests")
                fleet.master.signal(signal.SIGHUP)
                broken = True
            if options.settled is not None and not spent and (why := options.settled(watch.reader)):
                tell(why)
                fleet.master.signal(signal.SIGUSR2)
                spent = True
            if interrupt.count > told:
                told = interrupt.count
                tell("interrupted: no more requests; once more leaves at once")
                fleet.master.signal(signal.SIGINT if told == 1 else signal.SIGKILL)
            _pause(fleet.master, watch, interrupt, told)
        watch.poll()
        if watch.began_s is not None:
            fleet.start_scoring(profile)


def _pause(master: Child, watch: Watch, interrupt: Interrupt, told: int) -> None:
    """Until the next look: half a second, or the run's start or end."""
    until = time.monotonic() + _TICK_S
    waiting = watch.began_s is None
    while time.monotonic() < until and master.alive and interrupt.count == told:
        time.sleep(0.05)
        watch.poll()
        if watch.reader.end is not None or (waiting and watch.began_s is not None):
            return
