"""The report of a long run: how long it takes, how much memory, how large it is.

    python benchmarks/report_size.py [--requests 100000]

Writes the journal of a run of two hours with ten bursts, errors and pictures, and lets a process of its own
make the whole run folder of it, as ``mmload report`` does. Peak memory is that of the process and of its
children. Exits with 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from PIL import Image, ImageDraw  # noqa: E402
from synthetic import Stretch, make_items, synthetic_run  # noqa: E402

MOST_S, MOST_RSS, MOST_HTML = 15.0, 500e6, 5e6
_CHILD = """
import json, resource, sys, time
from pathlib import Path
sys.path[:0] = {path!r}
start = time.perf_counter()
from synthetic import make_items
from mmload.launch.finish import finish
from mmload.summary import RunReader
folder = Path({folder!r})
finish(folder, reader=RunReader(folder, lambda _: make_items(60)))
took = time.perf_counter() - start
# Not ru_maxrss: that keeps the size of whoever spawned us.
status = Path("/proc/self/status").read_text()
peak = int(status.split("VmHWM:")[1].split()[0]) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({{"seconds": took, "cpu_s": time.process_time(), "peak_bytes": peak * 1024}}))
"""


def stretches(requests: int) -> list[Stretch]:
    """Half an hour at a steady level, then bursts with errors; about ``requests`` in all."""
    minutes = 120
    rpm = requests / minutes
    calm = Stretch("steady", rpm * 0.8, 60 * minutes // 2, repeats=4)
    return [
        Stretch("warm-up", rpm * 0.5, 60, warmup=True),
        Stretch("steady", calm.rpm, calm.duration_s / 4, repeats=4),
        Stretch(
            "busy",
            rpm * 1.2,
            60 * minutes / 20,
            fail=0.01,
            shed=0.04,
            timeout=0.01,
            critical=0.02,
            repeats=10,
        ),
    ]


def draw(folder: Path) -> None:
    """A picture for every item, of a busy screen's weight."""
    noise: dict[tuple[int, int], Image.Image] = {}
    for item in make_items(60):
        for image in item.images:
            path = folder / "suite" / image.file
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (image.width, image.height)
            if size not in noise:
                noise[size] = Image.effect_noise(size, 40).convert("RGB")
            made = noise[size].copy()
            pen = ImageDraw.Draw(made)
            for row in range(20, image.height, 40):
                pen.text((30, row), f"{item.id} line {row}", fill="black")
            made.save(path, compress_level=1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100_000)
    wanted = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="mmload-bench-") as name:
        folder = Path(name) / "run"
        start = time.perf_counter()
        run = synthetic_run(folder, stretches(wanted))
        draw(folder)
        print(f"{len(run.records):,} requests planted in {time.perf_counter() - start:.0f} s")
        code = _CHILD.format(path=[str(ROOT), str(ROOT / "tests")], folder=str(folder))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        html = (folder / "report.html").stat().st_size
        pictures = (folder / "report.html").read_text().count("data:image/jpeg")
    within = found["seconds"] < MOST_S and found["peak_bytes"] < MOST_RSS and html < MOST_HTML
    print(
        f"whole run folder in {found['seconds']:.1f} s (limit {MOST_S:.0f}), {found['cpu_s']:.1f} s of CPU\n"
        f"peak memory {found['peak_bytes'] / 1e6:.0f} MB (limit {MOST_RSS / 1e6:.0f})\n"
        f"report.html {html / 1e6:.2f} MB with {pictures} pictures (limit {MOST_HTML / 1e6:.0f})"
    )
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
