"""Walks a page of the documentation: runs its commands in their order, as a reader who follows it would.

A program of its own (``unshare --net --mount python walk.py PAGE.json FOUND.json``): in a network apart
every port is free, every address that a page names can be had, nothing else is reachable. Writes what each
command came to.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import tomli_w

READY_S = 60
LONGEST_S = 180
HOSTS = {"10.0.0.5": "master", "10.0.0.80": "staging.example.com"}
"""Addresses of the pages, all of this machine's own."""
SHORT = {
    "drain_s": 5,
    "arrivals": {"process": "constant"},
    "slo": {"default": {"e2e_ms": 60000}},
    "gates": {"schema_valid_min": 0.1, "error_max": 0.9},
}
PHASE = {"shape": "sustained", "duration_s": 0.4, "rpm": 4800, "repeats": 3}
SMALL_MIX = {
    "items": 24,
    "images": {"s": {"width": 256, "height": 256, "weight": 1}},
    "prompt_tokens": {"64": 1},
}
SEARCH = {
    "start_rpm": 600,
    "max_rpm": 600,
    "step_s": 2,
    "warmup_s": 1,
    "replicates": 4,
    "replicate_s": 2,
    "headroom_min": 0.1,
}


def shortened(text: str) -> str:
    """The same profile with a second of traffic, a small suite and objectives that a busy machine meets."""
    profile = tomllib.loads(text)
    measured = next(phase["name"] for phase in profile["phase"] if not phase.get("warmup"))
    profile |= {**SHORT, "phase": [{"name": measured, **PHASE}]}
    mix = profile.setdefault("mix", {})
    if "items_file" not in mix:
        mix |= SMALL_MIX
    target = profile["target"]
    if target.get("engine") == "sim":
        # Half of the answers are wrong for certain, so that a strict gate fails for certain.
        target["sim"] = {**target.get("sim", {}), "speed": 60, "hallucination_rate": 0.5}
    if "capacity" in profile:
        profile["capacity"] |= SEARCH
    ocr = profile.get("when", {}).get("ocr", {})
    for key in ("phase", "gates", "slo", "drain_s"):
        ocr.pop(key, None)
    if "capacity" in ocr:
        ocr["capacity"] = {"start_rpm": 600, "max_rpm": 600}
    return tomli_w.dumps(profile)


@contextmanager
def running(argv: list[str], ready: tuple[str, int]) -> Iterator[subprocess.Popen[str]]:
    """A program that stays up until it is told to end."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_for(ready, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READY_S)


def wait_for(address: tuple[str, int], process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + READY_S
    while True:
        with socket.socket() as tried:
            if tried.connect_ex(address) == 0:
                return
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"nobody answers at {address}")
        time.sleep(0.05)


class Walk:
    def __init__(self, page: dict[str, Any]) -> None:
        self.page = page
        self.logs = Path(page["logs"])
        self.aside: list[tuple[dict[str, Any], subprocess.Popen[str]]] = []
        self.up: list[tuple[dict[str, Any], subprocess.Popen[str]]] = []
        self.found: list[dict[str, Any]] = []
        self.started = 0

    def go(self) -> None:
        with ExitStack() as beside:
            for argv, host, port in self.page["beside"]:
                beside.enter_context(running(argv, (host, port)))
            for step in self.page["steps"]:
                self.step(step)
            self.gather()
            for step, process in self.up:
                os.killpg(process.pid, signal.SIGTERM)
                self.keep(step, process.wait(LONGEST_S))

    def gather(self) -> None:
        """Wait for what went on beside."""
        while self.aside:
            step, process = self.aside.pop(0)
            self.keep(step, process.wait(LONGEST_S))

    def step(self, step: dict[str, Any]) -> None:
        os.chdir(step["cwd"])
        if step["alone"]:
            self.gather()
        whole = {Path(name): Path(name).read_text() for name in step["shorten"]}
        for path, text in whole.items():
            path.write_text(shortened(text))
        if step["before"]:
            subprocess.run(["bash", "-euc", step["before"]], check=True, timeout=READY_S)
        for _ in range(step["times"]):
            step = dict(step)
            process = self.start(step)
            if step["way"] in ("up", "serve"):
                wait_for(("127.0.0.1", step["ready"] or self.port(step, process)), process)
            if step["way"] in ("up", "aside"):
                (self.up if step["way"] == "up" else self.aside).append((step, process))
                continue
            if step["way"] == "serve":
                os.killpg(process.pid, signal.SIGTERM)
            self.keep(step, process.wait(LONGEST_S))
        for path, text in whole.items():
            path.write_text(text)

    def port(self, step: dict[str, Any], process: subprocess.Popen[str]) -> int:
        """Where a server of ours says that it is."""
        give_up = time.monotonic() + READY_S
        while process.poll() is None and time.monotonic() < give_up:
            said = Path(f"{step['log']}.out").read_text()
            if said.endswith("}\n"):
                return int(json.loads(said)["url"].split(":")[2].split("/")[0])
            time.sleep(0.05)
        raise RuntimeError(f"no word of {step['line']}: {Path(step['log'] + '.err').read_text()}")

    def start(self, step: dict[str, Any]) -> subprocess.Popen[str]:
        step["log"] = log = f"{self.logs}/{self.started}"
        self.started += 1
        with Path(f"{log}.out").open("w") as out, Path(f"{log}.err").open("w") as err:
            return subprocess.Popen(
                ["bash", "-c", step["script"]],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )

    def keep(self, step: dict[str, Any], code: int) -> None:
        out, err = (Path(f"{step['log']}.{end}").read_text() for end in ("out", "err"))
        self.found.append({"line": step["line"], "code": code, "out": out, "err": err})


def main() -> None:
    page = json.loads(Path(sys.argv[1]).read_text())
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in HOSTS:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    hosts = Path(page["logs"]) / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{a} {name}\n" for a, name in HOSTS.items()))
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    walk = Walk(page)
    walk.go()
    Path(sys.argv[2]).write_text(json.dumps(walk.found))


if __name__ == "__main__":
    main()
