"""Every load tool of the comparison behind one call: what to send, for how long -> what it says of it.

Not aware of targets to reach or of tables. A tool that is not installed says so; it is never left out.
"""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEER_VENV = Path(os.environ.get("MMLOAD_BENCH_PEERS", HERE / ".peers"))
"""Virtual environment with uvloop, aiperf and guidellm; see docs/benchmarks.md."""
GENERATOR_CORE = 0
SERVER_CORE = 1


class NotInstalled(Exception):
    """The tool is not on this machine."""


class NotApplicable(Exception):
    """This is not to be measured with the tool or on the machine, for the reason given; without one, it is
    measured already."""


@dataclass(frozen=True)
class Work:
    """What is sent. ``rate`` 0 is a closed loop of ``users``."""

    mode: str
    body_bytes: int = 300
    seconds: float = 3.0
    users: int = 64
    rate: float = 0.0
    arrivals: str = "poisson"

    @property
    def light(self) -> bool:
        """Leaves a good part of the generator's core idle."""
        return 0 < self.rate <= 5_000

    @property
    def stream(self) -> bool:
        return self.mode in ("one", "many", "paced")


@dataclass
class Said:
    """What a tool reports of itself, and what it cost."""

    cpu_s: float
    wall_s: float
    figures: dict[str, Any] = field(default_factory=dict)


def pinned(command: list[str], core: int = GENERATOR_CORE, real_time: bool = False) -> list[str]:
    """``command`` on one core, before other work of this machine where that is permitted.

    ``real_time`` is for generators that leave part of their core idle: a neighbour's time slice is 4 ms, and
    would be measured as their lateness. (Linux takes 5% of a core away from those that would use all of it.)
    """
    if os.geteuid() != 0:
        first = []
    elif real_time and shutil.which("chrt"):
        first = ["chrt", "--fifo", "1"]
    else:
        first = ["nice", "-n", "-20"]
    return [*first, "taskset", "-c", str(core), *command]


def run(
    command: list[str], env: Mapping[str, str] | None = None, timeout: float = 300
) -> tuple[str, float, float]:
    """stdout, CPU seconds and wall seconds of a tool. Raises ``RuntimeError`` with its last words."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = os.times().elapsed
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
        check=False,
    )
    wall = os.times().elapsed - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command[:6])}: exit {done.returncode}: {(done.stderr or done.stdout)[-600:]}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, cpu, wall


def wrk(url: str, work: Work) -> Said:
    """wrk, one thread; closed loop only."""
    if not shutil.which("wrk"):
        raise NotInstalled("wrk")
    command = [
        "wrk",
        "-t1",
        f"-c{work.users}",
        f"-d{math.ceil(work.seconds)}s",
        "--latency",
        "-s",
        str(HERE / "peers/body.lua"),
    ]
    out, cpu, wall = run(pinned([*command, url + "/chat/completions"]), {"BODY_BYTES": str(work.body_bytes)})
    rate = next(float(line.split(":")[1]) for line in out.splitlines() if line.startswith("Requests/sec"))
    return Said(cpu, wall, {"requests_per_s": rate})


def locust(url: str, work: Work, lines: bool = False) -> Said:
    """Plain Locust FastHttpUser, as documented; its open loop is ``constant_throughput`` of many users.

    ``lines``: it reads a streamed answer line by line, as who wants its time to first token must.
    """
    report = Path(tempfile.mkstemp(suffix=".json")[1])
    per_user = 1.0 if work.rate else 0.0
    users = int(work.rate) if work.rate else work.users
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(HERE / "peers/locust_fast.py"),
        "--headless",
        "-u",
        str(users),
    ]
    command += [
        "-r",
        str(users),
        "--run-time",
        f"{math.ceil(work.seconds) + 1}s",
        "--host",
        url,
        "--exit-code-on-error",
        "0",
    ]
    command += ["--only-summary", "--loglevel", "ERROR", "--reset-stats"]
    env = {"BODY_BYTES": str(work.body_bytes), "PER_USER": str(per_user), "REPORT": str(report)}
    env["STREAM"] = "1" if lines or work.mode == "paced" else "0"
    _, cpu, wall = run(pinned(command, real_time=work.light), env)
    figures = json.loads(report.read_text())
    report.unlink()
    return Said(cpu, wall, figures)


def locust_lines(url: str, work: Work) -> Said:
    """Locust reading the lines of streamed answers; it differs from ``locust`` for those only."""
    if work.mode not in ("one", "many"):
        raise NotApplicable
    return locust(url, work, lines=True)


def bare_loop(url: str, work: Work) -> Said:
    """The parts of mmload's sending path without anything that makes it a load tool; closed loop only."""
    command = [sys.executable, str(HERE / "peers/bare_loop.py"), url, "--seconds", f"{work.seconds + 1:g}"]
    out, cpu, wall = run(pinned([*command, "--users", str(work.users), "--body", str(work.body_bytes)]))
    return Said(cpu, wall, json.loads(out))


def aiohttp(url: str, work: Work) -> Said:
    """aiohttp (on uvloop where the peers' environment has it), closed or open loop."""
    python = PEER_VENV / "bin/python"
    command = [str(python) if python.exists() else sys.executable, str(HERE / "peers/aiohttp_loop.py"), url]
    command += ["--seconds", f"{work.seconds:g}", "--users", str(work.users), "--rate", f"{work.rate:g}"]
    command += ["--body", str(work.body_bytes), "--arrivals", work.arrivals] + (
        ["--stream"] if work.stream else []
    )
    out, cpu, wall = run(pinned(command, real_time=work.light))
    return Said(cpu, wall, json.loads(out))


def aiperf(url: str, work: Work) -> Said:
    """aiperf, where the peers' environment has it; all its processes on the one core."""
    out, tokenizer = _prepared("aiperf")
    command = [
        str(PEER_VENV / "bin/aiperf"),
        "profile",
        "--model",
        "reference",
        "--tokenizer",
        str(tokenizer),
    ]
    command += ["--url", url.rsplit("/", 2)[0], "--endpoint", f"/{work.mode}/v1/chat/completions"]
    command += ["--endpoint-type", "chat", "--ui", "simple", "--output-artifact-dir", str(out)]
    command += ["--benchmark-duration", f"{max(work.seconds, 6.0):g}", "--benchmark-grace-period", "3"]
    command += ["--synthetic-input-tokens-mean", "60"] + (["--streaming"] if work.stream else [])
    command += ["--request-rate", f"{work.rate:g}"] if work.rate else ["--concurrency", str(work.users)]
    try:
        _, cpu, wall = run(pinned(command, real_time=False), timeout=120)
        found = json.loads(next(out.rglob("profile_export_aiperf.json")).read_text())
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return Said(
        cpu, wall, {"service_ms": found["request_latency"], "ttft_ms": found.get("time_to_first_token", {})}
    )


def guidellm(url: str, work: Work) -> Said:
    """guidellm, where the peers' environment has it; all its processes on the one core."""
    out, tokenizer = _prepared("guidellm")
    shape = f"kind=poisson,rate={work.rate:g}" if work.rate else f"kind=concurrent,streams={work.users}"
    target = f"target={url.removesuffix('/v1')},model=reference,request_format=/v1/chat/completions"
    streaming = f"validate_backend=false,stream={str(work.stream).lower()}"
    command = [str(PEER_VENV / "bin/guidellm"), "run", "--backend", f"kind=openai_http,{target},{streaming}"]
    command += ["--profile", shape, "--constraint", f"kind=max_duration,seconds={max(work.seconds, 6.0):g}"]
    command += ["--tokenizer", f"kind=huggingface_auto,model={tokenizer}", "--disable-console"]
    command += ["--data", "kind=synthetic_text,prompt_tokens=60,output_tokens=20"]
    command += ["--output", f"kind=json,path={out / 'said.json'}"]
    try:
        _, cpu, wall = run(pinned(command), {"HF_HUB_OFFLINE": "1"}, timeout=180)
        found = json.loads((out / "said.json").read_text())["benchmarks"][0]["metrics"]
    finally:
        shutil.rmtree(out, ignore_errors=True)
    seconds = found["request_latency"]["successful"]["percentiles"]
    return Said(
        cpu,
        wall,
        {
            "service_ms": {name: 1000 * value for name, value in seconds.items()},
            "ttft_ms": found["time_to_first_token_ms"]["successful"]["percentiles"],
        },
    )


def _prepared(program: str) -> tuple[Path, Path]:
    """A folder for what ``program`` writes, and a tokenizer in it. Raises ``NotInstalled``."""
    if not (PEER_VENV / "bin" / program).exists():
        raise NotInstalled(program)
    out = Path(tempfile.mkdtemp(prefix="mmload-bench-"))
    run([str(PEER_VENV / "bin/python"), str(HERE / "peers/byte_tokenizer.py"), str(out / "tokenizer")])
    return out, out / "tokenizer"


Tool = Callable[[str, Work], Said]
PEERS: dict[str, Tool] = {
    "wrk": wrk,
    "locust": locust,
    "locust reading lines": locust_lines,
    "aiohttp": aiohttp,
    "bare loop": bare_loop,
    "aiperf": aiperf,
    "guidellm": guidellm,
}
SLOW_PEERS = ("aiperf", "guidellm")
"""They take ten seconds to a minute for each run, and send texts that they make up themselves."""
