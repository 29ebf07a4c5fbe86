"""A million requests through one worker: ``long_run.py --requests 1000000 --rps 4000`` (five minutes).

Open loop, against the reference server of the benchmarks (C, on a core of its own). Held against the run:
every planned request is recorded; neither the memory of the worker nor the lag from due to sent is another in
the last tenth than in the first. Prints the lag by tenths; exits with 1 at the first broken promise.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import fleet
from benchmarks.reference import Reference
from benchmarks.tools import SERVER_CORE, Work

_LAG_NOISE_MS = 0.25
"""By so much may the median of the last tenth be above that of the first."""
_MEMORY_NOISE_MB = 8.0
"""Without the first tenth, in which pools and caches fill."""


class Found(NamedTuple):
    recorded: int
    planned: int
    lag_ms: list[tuple[float, float, float]]
    """Of each tenth of the requests, by due time: median, p99 and p99.9 from due to sent."""
    rss_mb: list[float]
    """Of the worker, at the end of each tenth of the run."""
    wrong: str


def drive(requests: int, rps: float) -> Found:
    work = Work("small", seconds=requests / rps, rate=rps, users=256)
    with Reference(SERVER_CORE) as server:
        run, _ = fleet.drive(server.url("small"), work)
    due, sent = run.column("due_ns"), run.column("sent_ns")
    lag = (sent - due)[np.argsort(due, kind="stable")] / 1e6
    lags = [tuple(np.percentile(part, (50, 99, 99.9)).tolist()) for part in np.array_split(lag, 10)]
    rss = [t.rss_bytes / 1e6 for t in run.telemetry]
    ends = [rss[max(0, round(len(rss) * k / 10) - 1)] for k in range(1, 11)]
    wrong = ""
    if run.recorded != run.planned or run.ended.get("ok", 0) != run.planned:
        wrong = f"{run.ended} of {run.planned} planned"
    elif lags[-1][0] > lags[0][0] + _LAG_NOISE_MS:
        wrong = f"the lag grew from {lags[0][0]:.3f} to {lags[-1][0]:.3f} ms"
    elif ends[-1] > ends[0] + _MEMORY_NOISE_MB:
        wrong = f"memory grew from {ends[0]:.0f} to {ends[-1]:.0f} MB"
    return Found(run.recorded, run.planned, lags, ends, wrong)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--rps", type=float, default=4000)
    options = parser.parse_args()
    f = drive(options.requests, options.rps)
    print(f"{f.recorded:,} of {f.planned:,} recorded")
    print("| tenth | " + " | ".join(str(k) for k in range(1, 11)) + " |")
    for name, column in (("p50", 0), ("p99", 1), ("p99.9", 2)):
        print(f"| lag {name}, ms | " + " | ".join(f"{row[column]:.3f}" for row in f.lag_ms) + " |")
    print("| memory, MB | " + " | ".join(f"{mb:.1f}" for mb in f.rss_mb) + " |", f.wrong, sep="\n", end="\n")
    return 1 if f.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
