"""What surrounds master and workers: target, scorer, judge, outlets, in the order in which they are needed.

Not aware of when the run is over, nor of what is made of it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread, get_native_id
from typing import TYPE_CHECKING, Any, Final

from mmload import plan as planning
from mmload.journal import RUN_JOURNAL
from mmload.launch.children import Child
from mmload.launch.crew import Crew, Interrupt
from mmload.launch.options import RunOptions
from mmload.launch.outlets import LiveFile, Outlets
from mmload.launch.scraping import Scraper, metrics_urls
from mmload.launch.watch import Watch
from mmload.model import MmloadError
from mmload.plan import Plan
from mmload.profile import Profile
from mmload.report.files import write_text

if TYPE_CHECKING:
    from mmload.launch.finish import Finished

_SCORER_S: Final = 300.0
_KILLED_S: Final = 5.0
"""Without a last frame the scorer waits for more; it has scored what there is by then."""
_JUDGE_S: Final = 130.0
"""A little more than the judge gives itself after the last frame (``mmload.judge.AFTER_END_S``)."""


class Fleet:
    """All that a run needs beside the master and the workers, from the plan to the last figure."""

    def __init__(self, crew: Crew, master: Child) -> None:
        self.run_dir = crew.run_dir
        self.crew = crew
        self.master = master
        self.scorer: Child | None = None
        self.judge: Child | None = None
        self.ended = False
        """The last frame has been seen: the master ended as it should."""
        self._scraper: Scraper | None = None
        self._outlets: Outlets | None = None

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        if self._scraper is not None:
            self._scraper.stop()
        if self._outlets is not None:
            self._outlets.close()

    def start(self, plan: Plan, options: RunOptions) -> Watch:
        """The target, the order that the master waits for, and what follows the run."""
        profile = plan.profile
        target = None
        if profile.target.engine is not None:
            config = getattr(profile.target, profile.target.engine).model_dump_json()
            suite = str(plan.suite.dir)
            target = self.crew.spawn(
                "target", "mmload.serve", "--engine", profile.target.engine, "--port", "0",
                "--suite", suite, "--config", config, pipe=True,
            )  # fmt: skip
        url = str(target.ready_line(60)["url"]) if target else str(profile.target.url)
        self._scrape(profile, url, options)
        order = planning.order(plan, url, self.run_dir, options.remote_workers, options.web_port is not None)
        self._outlets = outlets = Outlets(options, plan, order["run_frame"], options.say)
        order["metrics_url"] = outlets.url
        write_text(self.run_dir / "journal" / "plan.json", json.dumps(order))
        Thread(target=_load_writers, daemon=True).start()
        _announce(plan, order, self.run_dir, options)
        page = [LiveFile(self.run_dir)] if options.web_port is not None else []
        return Watch(self.run_dir, [*outlets.sinks, *page], profile.workers)

    def start_scoring(self, profile: Profile) -> None:
        """What follows the journal, once there is one: until the workers stand ready they need the cores."""
        if self.scorer is None:
            self.scorer = self.crew.spawn("scorer", "mmload.grade", str(self.run_dir))
            if profile.quality.judge is not None:
                self.judge = self.crew.spawn("judge", "mmload.judge", str(self.run_dir))

    def _scrape(self, profile: Profile, url: str, options: RunOptions) -> None:
        """The target's own metrics, beside ours, if it has any."""
        urls, named = metrics_urls(profile.target, url)
        target = profile.target
        self._scraper = Scraper(self.run_dir, urls, target.metrics_interval_s, target.tls_verify)
        for line in self._scraper.start(named):
            options.say(line)

    def settle(self, interrupt: Interrupt) -> None:
        """The master has ended: let the scorer read to the end. Raises ``MmloadError`` if it failed."""
        if self._scraper is not None:
            self._scraper.stop()
        # The last frame is the master's last word; Locust's then sleeps for half a second.
        self.master.said_all = self.ended
        code = 0 if self.ended else self.master.process.wait()
        if self.scorer is None or (code and not self._has_begun()):
            if interrupt.count:
                raise KeyboardInterrupt
            raise MmloadError(self.master.last_words())
        patience_s = _KILLED_S if code or interrupt.count > 1 else _SCORER_S
        _await(self.scorer, patience_s, interrupt)
        if self.scorer.failed:
            # Killed, for want of memory say: another goes on where it left its journal.
            self.scorer = self.crew.spawn("scorer-again", "mmload.grade", str(self.run_dir))
            _await(self.scorer, patience_s, interrupt)
        if self.scorer.failed:
            self._need_room()
            raise MmloadError(f"the scorer failed: {self.scorer.last_words()}")

    def _need_room(self) -> None:
        """Raises ``OSError`` if the disk is full: whoever failed for that could not write down why."""
        probe = self.crew.logs / "room"
        try:
            probe.write_bytes(bytes(4096))
        finally:
            probe.unlink(missing_ok=True)

    def settle_judge(self, interrupt: Interrupt, options: RunOptions) -> None:
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
        return (self.run_dir / RUN_JOURNAL).stat().st_size > 64

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


def _load_writers() -> None:
    """Import what writes the report while the run runs: half a second that is not waited for at its end.

    With what the other processes leave of the cores: they make themselves ready.
    """
    if sys.platform == "linux":
        # Who runs under `nice` is further down already, and may not come up.
        thread = get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(5, os.getpriority(os.PRIO_PROCESS, thread)))
    importlib.import_module("mmload.launch.finish")
    from mmload.report import folder

    folder.prepare()


def _await(child: Child, patience_s: float, interrupt: Interrupt) -> None:
    give_up = time.monotonic() + patience_s
    while child.alive and time.monotonic() < give_up and interrupt.count < 2:
        time.sleep(0.05)
