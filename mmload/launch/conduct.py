"""A run from its plan to its figures: make the plan, watch the processes, write the folder.

Order: plan (suite, bodies, schedule), target, order to the master, scorer; then the live view; then, when
the master has written its last frame and the scorer has read it, the figures.
"""

from __future__ import annotations

import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmload import baseline
from mmload import plan as planning
from mmload.launch.breaker import Breaker
from mmload.launch.children import Child
from mmload.launch.crew import Crew, Interrupt
from mmload.launch.environment import environment
from mmload.launch.fleet import Fleet
from mmload.launch.options import RunOptions
from mmload.launch.watch import Watch
from mmload.model import InputError
from mmload.plan import Plan
from mmload.profile import Profile
from mmload.report.live import LiveView

if TYPE_CHECKING:
    from mmload.launch.finish import Finished

_TICK_S: Final = 0.5


def conduct(
    crew: Crew,
    master: Child,
    profile: Profile,
    base_dir: Path,
    options: RunOptions,
    interrupt: Interrupt,
    secrets: tuple[str, ...],
) -> Finished:
    """Give ``master`` and its workers their plan, and see the run to its end. ``secrets``: what no file of
    the run may hold.

    Raises ``InputError`` before anything was sent, ``MmloadError`` if the run could not be carried out.
    """
    plan = _plan(profile, base_dir, crew.run_dir, options)
    with Fleet(crew, master) as fleet:
        watch = fleet.start(plan, options)
        _attend(fleet, watch, options, interrupt, profile)
        fleet.ended = watch.reader.end is not None
        fleet.settle(interrupt)
        fleet.settle_judge(interrupt, options)
        # Loaded in the background since the plan stood (``Fleet.start``).
        from mmload.launch.finish import finish

        finished = finish(crew.run_dir, environment(), secrets, watch.reader, brief=options.brief)
        fleet.settle_outlets(finished)
    return finished


def _plan(profile: Profile, base_dir: Path, run_dir: Path, options: RunOptions) -> Plan:
    """The plan; one that is refused leaves nothing of ours in the folder, and touches nothing else."""
    try:
        held_against = baseline.read(options.baseline) if options.baseline else None
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


def _attend(fleet: Fleet, watch: Watch, options: RunOptions, interrupt: Interrupt, profile: Profile) -> None:
    """Until the master ends: the live view, Ctrl-C, the budget."""
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
