"""Thousands of requests in flight at once: ``python tests/reliability/in_flight.py --rps 1000 --hold 5``.

One worker against a target that answers each request after ``--hold`` seconds. Held against the run: every
planned request is answered, once; the target saw as many waiting at once as rate times hold; the limit of
open files was no obstacle. Prints one line; exits with 1 at the first broken promise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from whole_runs import command

from mmload import journal
from reliability.servers import head


class Found(NamedTuple):
    counts: dict[str, int]
    most_waiting: int
    """At once, as the target saw it."""
    sent: int
    """Requests that the target received."""
    lag_ms: tuple[float, float]
    """Due to sent: median and p99, behind the first second."""
    rss_mib: tuple[float, float]
    """Of the worker: least and most."""
    wrong: str


@contextmanager
def late(hold_s: float, seen: dict[str, Any]) -> Iterator[str]:
    """URL of the target; afterwards ``seen`` has what it saw."""
    here = Path(__file__).with_name("slow_answers.py")
    server = subprocess.Popen(
        [sys.executable, str(here), str(hold_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        said, _ = server.communicate(timeout=30)
        seen.update(json.loads(said))


def meet(rps: int, hold_s: float, seconds: float, where: Path, before: str = "") -> Found:
    """``before``: a command of the shell that runs first, as ``ulimit``."""
    profile, folder = where / "p.toml", where / "run"
    seen: dict[str, Any] = {}
    with late(hold_s, seen) as url:
        phase = f'[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = {seconds:g}\nrpm = {60 * rps}\n'
        lanes = round(rps * hold_s * 1.3)
        times = {"first_byte_timeout_s": hold_s + 20, "total_timeout_s": hold_s + 30}
        profile.write_text(head(url, max_in_flight=lanes, streaming=0, **times) + phase)
        run = " ".join(command("run", str(profile), "--out", str(folder), "--no-progress"))
        done = subprocess.run(
            ["sh", "-c", f"{before}{run}"], capture_output=True, text=True, timeout=seconds + hold_s + 120
        )
    if not (folder / "requests.parquet").exists():
        raise RuntimeError(done.stderr[-2000:])
    rows = pq.read_table(folder / "requests.parquet", columns=["outcome", "due_ns", "sent_ns"])
    names, numbers = np.unique(np.array(rows["outcome"].to_pylist()), return_counts=True)
    counts = {str(name): int(n) for name, n in zip(names, numbers, strict=True)}
    due, sent = rows["due_ns"].to_numpy(), rows["sent_ns"].to_numpy()
    lag = (sent - due)[due > 1e9] / 1e6
    rss = [
        t.rss_bytes / 2**20
        for kind, body in journal.Follower(folder / "journal" / "run.mmj").poll()
        if kind == journal.TELEMETRY
        for t in body
    ]
    planned = round(rps * seconds)
    wrong = ""
    if counts != {"ok": planned}:
        wrong = f"{counts} of {planned} planned: {done.stderr[-500:]}"
    elif seen["total"] != planned:
        wrong = f"the target was sent {seen['total']} requests, {planned} were planned"
    elif seen["most"] < min(rps * hold_s, planned) * 0.98:
        wrong = f"no more than {seen['most']} waited at once"
    p50, p99 = np.percentile(lag, [50, 99])
    return Found(counts, seen["most"], seen["total"], (float(p50), float(p99)), (min(rss), max(rss)), wrong)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rps", type=int, default=1000)
    parser.add_argument("--hold", type=float, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        f = meet(options.rps, options.hold, options.seconds, Path(folder))
    print(
        f"| {f.most_waiting:,} at once | {f.sent:,} sent | {f.counts} | lag p50 {f.lag_ms[0]:.2f} ms, "
        f"p99 {f.lag_ms[1]:.2f} ms | {f.rss_mib[0]:.0f} to {f.rss_mib[1]:.0f} MiB |"
    )
    if f.wrong:
        print(f.wrong)
    return 1 if f.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
