"""A capacity search end to end on a tiny profile: to its answer, and on from where it was cut."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from whole_runs import SEARCHED, command, search

from mmload.search.conduct import JOURNAL, read_record

pytestmark = pytest.mark.live


def test_a_search_confirms_a_rate_and_goes_on_after_a_cut(tmp_path: Path) -> None:
    profile, folder = tmp_path / "tiny.toml", tmp_path / "found"
    profile.write_text(SEARCHED)
    process = subprocess.Popen(search(profile, "--out", str(folder)), stdout=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    # The first step is whole, and the second under way: as good a moment for Ctrl-C as any.
    while not (folder / "levels" / "02" / "journal" / "run.mmj").exists():
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    cut = json.loads((folder / "capacity.json").read_text())
    assert cut["interrupted"] and cut["ended"] is None and len(cut["levels"]) == 1
    assert "Go on with --resume" in said.replace("\n    ", " ") and (folder / "capacity.html").exists()

    # A kill in the middle of a write leaves half a frame.
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(b"\x99\x01\x00\x00half of a frame")
    again = subprocess.run(
        search(profile, "--resume", str(folder), "--json"), capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found == json.loads((folder / "capacity.json").read_text())
    assert found["levels"][0] == cut["levels"][0]
    assert [lv["step"] for lv in found["levels"]] == ["climb", "climb", "confirm"]
    assert found["rpm_at_quality"]["value"] == pytest.approx(1800, rel=0.01)
    assert found["rpm_at_quality"]["high"] is None and found["ended"]["complete"]
    assert found["verdict"] == "go" and found["spent"]["requests"] > 300
    folders = [lv["folder"] for lv in found["levels"]]
    assert len(set(folders)) == 3 and all((folder / f / "summary.json").exists() for f in folders)
    assert len(read_record(folder / JOURNAL)[1]) == 3
    assert (folder / "capacity.md").read_text().startswith("# tiny: 1,800 rpm at quality")
    report = subprocess.run(
        command("report", str(folder / folders[-1])), capture_output=True, text=True, timeout=60
    )
    assert report.returncode == 0 and (folder / folders[-1] / "report.html").exists()

    other = subprocess.run(
        search(profile, "--resume", str(folder), "--seed", "9"), capture_output=True, text=True, timeout=60
    )
    assert other.returncode == 2 and "begun with another profile" in other.stderr
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(folder).encode() in _read(p)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.parent.name != str(os.getpid()) else b""
    except OSError:
        return b""
