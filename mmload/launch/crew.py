"""The processes that a run begins with, started by a launcher that has imported next to nothing yet.

Master and workers take most of a second to load what they need. They are called up before this process
loads what it makes the plan with, so that all of them load at the same time. Not aware of plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mmload.launch.children import Child, free_port
from mmload.launch.options import RunOptions
from mmload.profile import Profile


@dataclass
class Interrupt:
    """Ctrl-C: the first ends the traffic, the second ends everything."""

    count: int = 0

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1


class Crew:
    """The processes of one run. Whatever happens, none of them is left behind."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.logs = run_dir / "logs"
        self._children: list[Child] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.end()

    def spawn(self, name: str, module: str, *arguments: str, pipe: bool = False) -> Child:
        child = Child(name, module, arguments, self.logs, pipe)
        self._children.append(child)
        return child

    def call_up(self, profile: Profile, options: RunOptions) -> Child:
        """Master and workers, who wait for the plan; gives the master."""
        host, port = options.master_host, str(options.master_port or free_port())
        arguments = ["--run-dir", str(self.run_dir), "--bind-host", host, "--port", port]
        if options.web_port is not None:
            arguments += ["--web-host", options.web_host, "--web-port", str(options.web_port)]
            options.say(f"Locust's page: http://{options.web_host}:{options.web_port}/")
        master = self.spawn("master", "mmload.drive.master", *arguments)
        if options.remote_workers:
            options.say(
                f"waiting for {profile.workers} workers: "
                f"mmload worker --master-host {host} --master-port {port}"
            )
        else:
            for i in range(profile.workers):
                name = f"worker-{i}"
                self.spawn(name, "mmload.drive.worker", "--master-host", host, "--master-port", port)
        return master
