"""Measures mmload beside the tools people use, on this machine, and writes down what came out.

    python benchmarks/bench.py [--only throughput,schedule,...] [--rows small,one] [--seconds 3] [--repeat 3]

The generator has one core, a reference server in C the other. Writes benchmarks/results/table.md,
results.json and plots. Rows that were not run this time keep their last figures, with their date.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import plots, table
from benchmarks.experiments import EXPERIMENTS, Row, Settings

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = RESULTS.parent.parent / "docs/benchmarks.md"

_MET = {True: "met", False: "NOT met", None: "-"}


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "",
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def take_precedence() -> None:
    """Run before other work of this machine. Its scheduler shares cores out by session before it looks at
    niceness."""
    with contextlib.suppress(OSError):
        os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("-20")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(EXPERIMENTS), help="experiments, comma-separated")
    parser.add_argument("--rows", default="", help="of throughput (small,...) and schedule (50,...): which")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one throughput run")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median is taken")
    parser.add_argument(
        "--fast", action="store_true", help="leave out the peers that take ten seconds to start"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        print("two cores are needed: one for the generator, one for the server", file=sys.stderr)
        return 2
    take_precedence()
    settings = Settings(args.seconds, args.repeat, not args.fast)
    args.out.mkdir(parents=True, exist_ok=True)
    store = args.out / "results.json"
    found = json.loads(store.read_text()) if store.exists() else {"rows": {}}
    found["machine"] = machine()
    for name in args.only.split(","):
        more = {"only": args.rows} if name in ("throughput", "schedule") else {}
        for row in EXPERIMENTS[name](settings, **more):
            _keep(found, row, args.out)
    return 0


def _keep(found: dict[str, Any], row: Row, out: Path) -> None:
    """Write down every row as soon as it is there: a bench cut short keeps what it measured."""
    print(f"{row.id}: {row.mmload} [{_MET[row.met]}] beside {row.beside}", flush=True)
    found["rows"][row.id] = {**row.plain(), "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    (out / "results.json").write_text(json.dumps(found, indent=1))
    (out / "table.md").write_text(table.markdown(found))
    if out == RESULTS:
        table.embed(PAGE, table.markdown(found))
    plots.draw(found, out)


if __name__ == "__main__":
    sys.exit(main())
