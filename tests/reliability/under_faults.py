"""Every fault at once, under load: ``under_faults.py --rps 500 --seconds 12 --repeat 5`` (five minutes).

At 0, 1, 10 and 100% of the requests, the share dealt out evenly over the faults that a connection can meet.
Held against each run: all planned requests are accounted for; every failure has a kind that one of the faults
is known for, and came within its timeout; no good request had to open its connection when it was due; memory
of the worker did not grow; good requests leave as punctually as without faults (median of the repeats, shares
in turn). Prints one line a share; exits with 1 at the first broken promise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from drive.test_faults_one_by_one import EXPECTED
from whole_runs import command

from mmload import journal
from reliability.servers import faults, head

TIMEOUTS = {
    "connect_timeout_s": 2.0,
    "first_byte_timeout_s": 0.8,
    "idle_timeout_s": 0.5,
    "total_timeout_s": 1.5,
    "max_body_bytes": 65536,
}
MET = sorted(set(EXPECTED) - {"refuse", "slow-accept"})
"""Ports that refuse or accept slowly are other addresses; they have tests of their own."""
_TIMES = ("due_ns", "sent_ns", "end_ns")
KINDS = {kind for _, kind in EXPECTED.values()} | {"total_timeout", "truncated_body", "malformed_json", ""}
"""A fault of streams may show as its brother where no stream was asked for."""


_NOISE_MS = 0.25
"""By so much may the median lag of runs with faults be above the highest without."""


class Found(NamedTuple):
    share: float
    counts: dict[str, int]
    kinds: dict[str, int]
    slowest_s: float
    """From sent to the end, of all that was sent."""
    lag_p99_ms: float
    """Due to sent, of what was answered well at the first try, behind the first second, in which scorer and
    report load; nan if nothing was."""
    opened: int
    """Of those, how many opened their connection when they were due."""
    rss_mib: tuple[float, float]
    """Of the worker: in the second fifth of the run, and at its end."""
    wrong: str


def meet(share: float, rps: int, seconds: float, where: Path, config: dict[str, Any] | None = None) -> Found:
    """Drive a server that spoils ``share`` of its answers, in all ways in turn."""
    rates = dict.fromkeys(MET, share / len(MET))
    profile, folder = where / "p.toml", where / "run"
    with faults(**{"rates": rates, "drip_s": 0.2, "bomb_mib": 16, **(config or {})}) as url:
        phase = f'[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = {seconds:g}\nrpm = {60 * rps}\n'
        profile.write_text(head(url, max_in_flight=3 * rps, **TIMEOUTS) + phase)
        done = subprocess.run(
            command("run", str(profile), "--out", str(folder), "--no-progress"),
            capture_output=True, text=True, timeout=180,
        )  # fmt: skip
    if not (folder / "requests.parquet").exists():
        raise RuntimeError(done.stderr[-2000:])
    rows = pq.read_table(
        folder / "requests.parquet",
        columns=[*_TIMES, "outcome", "error", "reused_connection", "stale_retries"],
    )
    outcome, error = np.array(rows["outcome"].to_pylist()), np.array(rows["error"].to_pylist())
    due, sent, end = (rows[name].to_numpy() for name in _TIMES)
    counts = {str(name): int(n) for name, n in zip(*np.unique(outcome, return_counts=True), strict=True)}
    kinds = {str(k or ""): int((error == k).sum()) for k in set(error.tolist())}
    took = (end - sent)[~np.isnan(sent.astype(float))] / 1e9
    again = np.array(rows["stale_retries"].to_pylist())
    # A request that met a connection that the target had closed was sent twice: a victim, not a healthy one.
    fine = (outcome == "ok") & (again == 0) & (due > 1.5e9)
    opened = int((fine & ~np.array(rows["reused_connection"].to_pylist(), bool)).sum())
    lag = float(np.percentile((sent - due)[fine] / 1e6, 99)) if fine.any() else float("nan")
    memory = [
        t.rss_bytes / 2**20
        for kind, body in journal.Follower(folder / "journal" / "run.mmj").poll()
        if kind == journal.TELEMETRY
        for t in body
    ]
    rss = memory[len(memory) // 5], max(memory[-3:])
    slowest = float(np.nanmax(took))
    return Found(
        share, counts, kinds, slowest, lag, opened, rss,
        _wrong(share, counts, kinds, slowest, opened, rss, rps * seconds),
    )  # fmt: skip


def _wrong(
    share: float,
    counts: dict[str, int],
    kinds: dict[str, int],
    slowest: float,
    opened: int,
    rss: tuple[float, float],
    n: float,
) -> str:
    if sum(counts.values()) != n:
        return f"{sum(counts.values())} of {n:.0f} requests are accounted for"
    if strange := set(kinds) - KINDS:
        return f"kinds that no fault is known for: {sorted(strange)}"
    if slowest > TIMEOUTS["total_timeout_s"] + 1.0:
        return f"one took {slowest:.2f} s"
    if opened > n / 1000:
        return f"{opened} good requests opened their connection when they were due"
    if rss[1] > rss[0] + 12:
        return f"memory grew from {rss[0]:.0f} to {rss[1]:.0f} MiB"
    if not share * 0.5 <= 1 - counts.get("ok", 0) / n <= share * 1.3 + 0.01:
        return f"{counts} at a share of {share}"
    return ""


def _show(f: Found) -> None:
    failed = {k: n for k, n in sorted(f.kinds.items()) if k}
    print(
        f"| {f.share:.0%} | {f.counts} | {len(failed)} | {f.slowest_s:.2f} s | {f.lag_p99_ms:.2f} ms | "
        f"{f.rss_mib[0]:.0f} to {f.rss_mib[1]:.0f} MiB |\n{failed}",
        flush=True,
    )


def _lags(lags: dict[float, list[float]]) -> str:
    """Print the lag of good requests by share; what is wrong with it beside that of the first share."""
    for share, found in lags.items():
        runs = ", ".join(f"{ms:.2f}" for ms in found)
        print(f"lag p99 at {share:.0%}: median {np.median(found):.2f} ms of {runs}")
    usual, *others = lags.values()
    late = [
        share
        for share, found in zip(list(lags)[1:], others, strict=True)
        if np.median(found) > max(usual) + _NOISE_MS
    ]
    return f"good requests leave later than without faults at {late}" if late else ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rps", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("shares", type=float, nargs="*", default=(0.0, 0.01, 0.1, 1.0))
    options = parser.parse_args()
    lags: dict[float, list[float]] = {share: [] for share in options.shares if share < 1}
    for repeat in range(options.repeat):
        for share in options.shares if not repeat else lags:
            with tempfile.TemporaryDirectory() as folder:
                f = meet(share, options.rps, options.seconds, Path(folder))
            _show(f)
            if f.wrong:
                print(f.wrong)
                return 1
            if share in lags:
                lags[share].append(f.lag_p99_ms)
    wrong = _lags(lags) if lags else ""
    print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
