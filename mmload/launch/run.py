"""The main job: start the processes of a run, watch them to the end, write the folder.

Order: plan (suite, bodies, schedule), run folder, target, master and workers, scorer; then the live
view; then, when the master has written its last frame and the scorer has read it, the figures.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any, Final

from mmload import baseline
from mmload import plan as planning
from mmload.baseline import Baseline
from mmload.baseline import read as read_baseline
from mmload.launch.breaker import Breaker
from mmload.launch.children import Child, free_port
from mmload.launch.environment import environment
from mmload.launch.finish import Finished, finish
from mmload.launch.outlets import LiveFile, Outlets, Wanted
from mmload.launch.scraping import Scraper, metrics_urls
from mmload.launch.target import probe
from mmload.launch.watch import Watch
from mmload.model import InputError, MmloadError
from mmload.plan import Plan
from mmload.profile import Profile, api_key, judge_key
from mmload.report.events import EventLines
from mmload.report.files import write_text
from mmload.report.live import LiveView
from mmload.summary import RunReader

_TICK_S: Final = 0.5
_SCORER_S: Final = 300.0
_KILLED_S: Final = 5.0
"""Without a last frame the scorer waits for more; it has scored what there is by then."""
_JUDGE_S: Final = 130.0
"""A little more than the judge gives itself after the last frame (``mmload.judge.AFTER_END_S``)."""


@dataclass
class RunOptions:
    """How, not what: the profile says what."""

    out: Path | None = None
    show: bool = True
    """Live view on stderr."""
    prometheus_port: int | None = 0
    """0 takes a free one; ``None`` serves no metrics."""
    prometheus_addr: str = "127.0.0.1"
    metrics_linger_s: float = 0.0
    pushgateway: str | None = None
    """URL of a Prometheus Pushgateway."""
    pushgateway_delete: bool = False
    otlp: str | None = None
    """Endpoint of an OpenTelemetry collector's metrics."""
    events: EventLines | None = None
    """Gets the run as JSON lines."""
    baseline: Path | None = None
    """File of figures that must not have become worse."""
    settled: Callable[[RunReader], str | None] | None = None
    """Asked twice a second; what it answers is why nothing more needs to be sent."""
    brief: bool = False
    """Write figures only: a step of a search, whose report `mmload report` draws when it is wanted."""
    remote_workers: bool = False
    """Wait for workers of other hosts (``mmload worker``) instead of starting some here."""
    master_host: str = "127.0.0.1"
    """Address that Locust's master binds; its protocol knows no password: a trusted network only."""
    master_port: int | None = None
    """``None`` takes a free one."""
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    """Serve Locust's web page."""
    say: Callable[[str], None] = field(default=lambda _line: None)

    @property
    def outlets(self) -> Wanted:
        return Wanted(
            self.prometheus_port,
            self.prometheus_addr,
            self.metrics_linger_s,
            self.pushgateway,
            self.pushgateway_delete,
            self.otlp,
        )


@dataclass
class _Interrupt:
    """Ctrl-C: the first ends the traffic, the second ends everything."""

    count: int = 0

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1


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
    interrupt = _Interrupt()
    with _signals(interrupt), _Fleet(run_dir) as fleet:
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


def _load_writers() -> None:
    """Import what writes the report while the run runs: a second that is not waited for at its end."""
    importlib.import_module("mmload.report.folder")


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
def _signals(interrupt: _Interrupt) -> Iterator[None]:
    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Fleet:
    """The processes of one run. Whatever happens, none of them is left behind."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.logs = run_dir / "logs"
        self.children: list[Child] = []
        self.master: Child | None = None
        self.scorer: Child | None = None
        self.judge: Child | None = None
        self.ended = False
        """The last frame has been seen: the master ended as it should."""
        self._scraper: Scraper | None = None
        self._outlets: Outlets | None = None

    def __enter__(self) -> _Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        if self._scraper is not None:
            self._scraper.stop()
        if self._outlets is not None:
            self._outlets.close()
        for child in reversed(self.children):
            child.end()

    def _spawn(self, name: str, module: str, *arguments: str, pipe: bool = False) -> Child:
        child = Child(name, module, arguments, self.logs, pipe)
        self.children.append(child)
        return child

    def call_up(self, profile: Profile, options: RunOptions) -> None:
        """Master and workers: they load what they need while the plan is made, and wait for it."""
        host, port = options.master_host, str(options.master_port or free_port())
        arguments = ["--run-dir", str(self.run_dir), "--bind-host", host, "--port", port]
        if options.web_port is not None:
            arguments += ["--web-host", options.web_host, "--web-port", str(options.web_port)]
            options.say(f"Locust's page: http://{options.web_host}:{options.web_port}/")
        self.master = self._spawn("master", "mmload.drive.master", *arguments)
        if options.remote_workers:
            options.say(
                f"waiting for {profile.workers} workers: "
                f"mmload worker --master-host {host} --master-port {port}"
            )
        else:
            for i in range(profile.workers):
                name = f"worker-{i}"
                self._spawn(name, "mmload.drive.worker", "--master-host", host, "--master-port", port)

    def start(self, plan: Plan, options: RunOptions) -> Watch:
        """The target, the order that the master waits for, and what follows the run."""
        profile = plan.profile
        target = None
        if profile.target.engine is not None:
            config = getattr(profile.target, profile.target.engine).model_dump_json()
            suite = str(plan.suite.dir)
            target = self._spawn(
                "target", "mmload.serve", "--engine", profile.target.engine, "--port", "0",
                "--suite", suite, "--config", config, pipe=True,
            )  # fmt: skip
        url = str(target.ready_line(60)["url"]) if target else str(profile.target.url)
        self._scrape(profile, url, options)
        order = planning.order(plan, url, self.run_dir, options.remote_workers, options.web_port is not None)
        self._outlets = outlets = Outlets(options.outlets, plan, order["run_frame"], options.say)
        order["metrics_url"] = outlets.url
        write_text(self.run_dir / "journal" / "plan.json", json.dumps(order))
        _announce(plan, order, self.run_dir, options)
        page = [LiveFile(self.run_dir)] if options.web_port is not None else []
        return Watch(self.run_dir, [*outlets.sinks, *page], profile.workers)

    def start_scoring(self, profile: Profile) -> None:
        """What follows the journal, once there is one: until the workers stand ready they need the cores."""
        if self.scorer is None:
            self.scorer = self._spawn("scorer", "mmload.grade", str(self.run_dir))
            if profile.quality.judge is not None:
                self.judge = self._spawn("judge", "mmload.judge", str(self.run_dir))
            Thread(target=_load_writers, daemon=True).start()

    def _scrape(self, profile: Profile, url: str, options: RunOptions) -> None:
        """The target's own metrics, beside ours, if it has any."""
        urls, named = metrics_urls(profile.target, url)
        target = profile.target
        self._scraper = Scraper(self.run_dir, urls, target.metrics_interval_s, target.tls_verify)
        for line in self._scraper.start(named):
            options.say(line)

    def settle(self, interrupt: _Interrupt) -> None:
        """The master has ended: let the scorer read to the end. Raises ``MmloadError`` if it failed."""
        assert self.master is not None
        if self._scraper is not None:
            self._scraper.stop()
        # The last frame is the master's last word; what it then takes to leave is not waited for.
        code = 0 if self.ended else self.master.process.wait()
        if self.scorer is None or (code and not self._has_begun()):
            if interrupt.count:
                raise KeyboardInterrupt
            raise MmloadError(self.master.last_words())
        give_up = time.monotonic() + (_KILLED_S if code or interrupt.count > 1 else _SCORER_S)
        while self.scorer.alive and time.monotonic() < give_up and interrupt.count < 2:
            time.sleep(0.05)
        if not self.scorer.alive and self.scorer.process.returncode:
            raise MmloadError(f"the scorer failed: {self.scorer.last_words()}")

    def settle_judge(self, interrupt: _Interrupt, options: RunOptions) -> None:
        """Let the judge finish within its time, and go on without it if it does not: it decides nothing."""
        if self.judge is None:
            return
        give_up = time.monotonic() + (_JUDGE_S if self.ended and not interrupt.count else 0.0)
        if self.judge.alive and time.monotonic() < give_up:
            options.say(f"waiting for the judge, for {_JUDGE_S:g} s at most")
        while self.judge.alive and time.monotonic() < give_up and not interrupt.count:
            time.sleep(0.05)
        if self.judge.end() > 0:
            options.say(f"the judge failed: {self.judge.last_words()}")

    def _has_begun(self) -> bool:
        return (self.run_dir / "journal" / "run.mmj").stat().st_size > 64

    def settle_outlets(self, finished: Finished) -> None:
        """The verdict to whoever scrapes, and time to take it."""
        if self._outlets is not None:
            self._outlets.settle(finished.figures)


def _announce(plan: Plan, order: Mapping[str, Any], run_dir: Path, options: RunOptions) -> None:
    if options.events is not None:
        frame = order["run_frame"]
        options.events.started(
            run_dir=str(run_dir),
            run_id=frame["run_id"],
            profile=plan.profile.name,
            target=frame["target"],
            workload_fingerprint=plan.fingerprint,
            metrics_url=order["metrics_url"] or None,
        )


def _attend(
    fleet: _Fleet, watch: Watch, options: RunOptions, interrupt: _Interrupt, profile: Profile
) -> None:
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


def _pause(master: Child, watch: Watch, interrupt: _Interrupt, told: int) -> None:
    """Until the next look: half a second, or the run's start or end."""
    until = time.monotonic() + _TICK_S
    waiting = watch.began_s is None
    while time.monotonic() < until and master.alive and interrupt.count == told:
        time.sleep(0.05)
        watch.poll()
        if watch.reader.end is not None or (waiting and watch.began_s is not None):
            return
