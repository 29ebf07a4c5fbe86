"""A capacity search that is killed goes on from its last confirmed step: none is driven again or left out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from whole_runs import SEARCHED, search

from mmload.search.conduct import JOURNAL, read_record


def killed_in(step: int, profile: Path, folder: Path, *more: str) -> list[dict[str, object]]:
    """Kill the search and all that it started while it sends in ``levels/NN``; the steps it had confirmed."""
    sending = folder / "levels" / f"{step:02d}" / "journal" / "run.mmj"
    process = subprocess.Popen(search(profile, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 60
    while not sending.exists() or sending.stat().st_size < 100:
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.05)
    doomed = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for victim in doomed:
        os.kill(victim.pid, signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    _, alive = psutil.wait_procs(doomed, timeout=15)
    assert not alive
    return read_record(folder / JOURNAL)[1]


@pytest.mark.live
def test_a_killed_search_goes_on_from_its_last_confirmed_step(tmp_path: Path) -> None:
    profile, folder = tmp_path / "tiny.toml", tmp_path / "found"
    profile.write_text(SEARCHED)
    first = killed_in(2, profile, folder, "--out", str(folder))
    assert [level["step"] for level in first] == ["climb"]
    cut = (folder / "levels" / "02" / "journal" / "run.mmj").read_bytes()
    # The step that was cut is driven anew, in a folder of its own: the next is levels/04.
    second = killed_in(4, profile, folder, "--resume", str(folder))
    assert second[:1] == first and [level["step"] for level in second] == ["climb", "climb"]
    ended = subprocess.run(
        search(profile, "--resume", str(folder), "--json"), capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["levels"][:2] == second
    assert [level["step"] for level in found["levels"]] == ["climb", "climb", "confirm"]
    assert [level["folder"] for level in found["levels"]] == ["levels/01", "levels/03", "levels/05"]
    assert [level["number"] for level in found["levels"]] == [1, 2, 3]
    assert found["verdict"] == "go" and found["rpm_at_quality"]["value"] == pytest.approx(1800, rel=0.01)
    assert (folder / "levels" / "02" / "journal" / "run.mmj").read_bytes() == cut, "it stays as it was left"
    assert not (folder / "levels" / "04" / "summary.json").exists()
