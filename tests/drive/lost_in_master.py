"""What a master writes down of a worker that is lost, of sessions of which some turns are known; prints it.

In an interpreter of its own, for Locust patches the one that it is imported into.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mmload import journal, schedule
from mmload.drive.master import Master
from mmload.drive.outbox import not_sent
from mmload.model import ErrorKind
from mmload.profile import Phase, Profile
from mmload.shapes.sustained import Sustained

SCRIPTS = [(0, 1, 2), (3, 4, 5)]


def main() -> None:
    phase = Phase(name="p", shape="sustained", duration_s=20, rpm=36)
    profile = Profile(name="p", target={"engine": "sim"}, phase=[phase], sessions={"turns": 3},
                      arrivals={"process": "constant"})  # fmt: skip
    plan = schedule.compile(profile, [Sustained(phase, None)], np.zeros(6), ["t"] * 6, SCRIPTS)
    master = Master.__new__(Master)
    master.plan = SimpleNamespace(schedule=plan, bodies=SimpleNamespace(length=[1] * 6))
    master.expected = 1
    # Sessions begin every 5 s; it is 7 s, so that two have begun.
    master.shape = SimpleNamespace(t0_ns=time.monotonic_ns() - 7 * 10**9)
    with tempfile.TemporaryDirectory() as folder:
        master.path = Path(folder) / "run.mmj"
        writer = journal.Writer(master.path)
        known = [not_sent(plan.arrival(0), 0, 1, ErrorKind.DNS, "")]
        writer.append(journal.RECORDS, known)
        writer.close()
        rows = master._unrecorded(0)
    json.dump([[r.seq, r.outcome, r.error, r.attempts, r.due_ns, r.began_ns] for r in rows], sys.stdout)


if __name__ == "__main__":
    main()
