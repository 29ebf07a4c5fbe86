"""Draws the whole suite of fixtures/suite.toml in a fresh cache, times it, and compares it with the record.

``python benchmarks/suite_build.py`` exits with 1 where the pixels are not those of fixtures/manifest.json;
with ``--record`` it writes that file anew.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

from mmload import corpus, profile

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def main() -> int:
    mix = profile.load(FIXTURES / "suite.toml").mix
    tasks = {e.name: e.load()() for e in entry_points(group="mmload.tasks") if e.name in mix.tasks}
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        suite = corpus.build(mix, tasks, Path(cache))
        wall = time.perf_counter() - start
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        start = time.perf_counter()
        problems = corpus.verify(suite)
        verified = time.perf_counter() - start
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    images = [image for item in suite.items for image in item.images]
    found = {
        "suite_id": suite.id,
        "pixels_sha256": suite.manifest.pixels_sha256,
        "items": len(suite.items),
        "void": len(suite.manifest.void),
        "images": len(images),
        "tasks": dict(sorted(Counter(i.task for i in suite.items).items())),
        "unanswerable": sum(not i.answerable for i in suite.items),
        "degraded": sum(i.severity > 0 for i in suite.items),
        "versions": suite.manifest.versions,
    }
    print(json.dumps(found, indent=1))
    print(
        f"built in {wall:.1f} s of wall time, {cpu:.1f} s of CPU, {len(os.sched_getaffinity(0))} cores; "
        f"verified in {verified:.1f} s; {sum(i.n_bytes for i in images) / 1e6:.0f} MB; problems: {problems}"
    )
    record = FIXTURES / "manifest.json"
    if "--record" in sys.argv:
        record.write_text(json.dumps(found, indent=1) + "\n")
    same = json.loads(record.read_text())["pixels_sha256"] == found["pixels_sha256"]
    print("the pixels are those of the record" if same else "the pixels are NOT those of the record")
    return 0 if same and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
