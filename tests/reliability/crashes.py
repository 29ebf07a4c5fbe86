"""SIGKILL at random moments: ``python tests/reliability/crashes.py --moments 20 --seed 1 [VICTIM...]``.

Runs are of four seconds, two workers, the embedded practice target. What is held against each: every record
that the journal held at the moment of the kill is in the report, all planned requests are accounted for, no
process is left, and the report says that something was missing. Prints one line for each victim; exits with
1 at the first broken promise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from whole_runs import TINY, command

from mmload import journal

VICTIMS = ("worker", "master", "scorer", "target", "all")
SECONDS = 4.0
PROFILE = TINY + f'[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = {SECONDS:g}\nrpm = 1800\n'
_MODULES = {"worker": "mmload.drive.worker", "master": "mmload.drive.master", "scorer": "mmload.grade"}
_MODULES["target"] = "mmload.serve"


class Outcome(NamedTuple):
    """One run with one kill in it."""

    acknowledged: int
    """Records in the journal at the moment of the kill."""
    kept: int
    """Of those, found in the report with the same outcome."""
    summary: dict[str, Any]
    code: int
    """Exit status of what wrote the report last."""
    note: str
    """First line of report.md's warning, if there is one."""


def recorded(folder: Path) -> dict[int, str]:
    """Outcome by sequence number of every record that the journal holds."""
    frames = journal.Follower(folder / "journal" / "run.mmj").poll()
    return {r.seq: str(r.outcome) for kind, body in frames if kind == journal.RECORDS for r in body}


def crash(victim: str, after_s: float, where: Path) -> Outcome:
    """Run, kill ``victim`` so many seconds after the first record, report."""
    profile, folder = where / "p.toml", where / "run"
    profile.write_text(PROFILE)
    run = subprocess.Popen(
        command("run", str(profile), "--out", str(folder), "--workers", "2", "--quiet"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    give_up = time.monotonic() + 60
    while not (folder / "journal" / "run.mmj").exists() or not recorded(folder):
        assert run.poll() is None and time.monotonic() < give_up, "the run did not begin"
        time.sleep(0.05)
    time.sleep(after_s)
    children = psutil.Process(run.pid).children(recursive=True)
    known = recorded(folder)
    if victim == "all":
        doomed = [run.pid, *(child.pid for child in children)]
    else:
        doomed = [c.pid for c in children if _MODULES[victim] in " ".join(_words(c))][:1]
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    code = run.wait(90)
    if victim == "all" or not (folder / "summary.json").exists():
        code = subprocess.run(
            command("report", str(folder)), capture_output=True, text=True, timeout=60
        ).returncode
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive, f"left behind: {alive}"
    rows = pq.read_table(folder / "requests.parquet", columns=["seq", "outcome"]).to_pylist()
    seen = {row["seq"]: row["outcome"] for row in rows}
    kept = sum(seen.get(seq) == outcome for seq, outcome in known.items())
    warning = next((ln for ln in (folder / "report.md").read_text().splitlines() if ln.startswith("> ")), "")
    return Outcome(len(known), kept, json.loads((folder / "summary.json").read_text()), code, warning[2:])


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def broken(victim: str, found: Outcome) -> str:
    """The promise that does not hold; empty if all do."""
    counts, validity = found.summary["counts"], found.summary["validity"]
    if found.kept != found.acknowledged:
        return f"{found.acknowledged - found.kept} acknowledged records are lost"
    if counts["planned"] != counts["ok"] + counts["failed"] + counts["shed"] + counts["not_sent"]:
        return f"counts do not add up: {counts}"
    if counts["planned"] != round(SECONDS * 30):
        return f"planned {counts['planned']}"
    if victim in ("master", "all") and (
        validity["valid"] or "cut short" not in found.note or found.code != 5
    ):
        return f"not marked partial: {found.code} {validity['reasons']} {found.note}"
    if victim == "worker" and (validity["valid"] or found.code != 5):
        return f"a lost worker is not told: {validity['reasons']}"
    if victim == "scorer" and (
        found.code not in (0, 5) or found.summary["quality"]["n_scored"] != counts["ok"]
    ):
        return f"{found.summary['quality']['n_scored']} of {counts['ok']} answers are scored"
    if victim == "target" and counts["failed"] + counts["ok"] != counts["planned"]:
        return f"not every request met the dead target: {counts}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("victims", nargs="*", default=VICTIMS)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    for victim in options.victims:
        acknowledged, fewest, most = 0, 10**9, 0
        for number in range(options.moments):
            after_s = chance.uniform(0, SECONDS - 1)
            with tempfile.TemporaryDirectory() as folder:
                found = crash(victim, after_s, Path(folder))
            wrong = broken(victim, found)
            if wrong:
                print(f"{victim}, kill {number} after {after_s:.2f} s: {wrong}")
                return 1
            acknowledged += found.acknowledged
            fewest, most = min(fewest, found.acknowledged), max(most, found.acknowledged)
        print(
            f"| {victim} | {options.moments} | {acknowledged:,} ({fewest} to {most} a kill) | 0 |", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
