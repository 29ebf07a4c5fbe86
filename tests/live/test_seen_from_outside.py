"""One real run seen by everything that can look at it: event lines, gateway, collector, Locust's page."""

import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import jsonschema_rs
import pytest
from report.otlp_receiver import metrics_of, receiver
from whole_runs import TINY, Mmload, command

pytestmark = pytest.mark.live
SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"

STEADY = """
[[phase]]
name = "base"
shape = "sustained"
duration_s = 2
rpm = 1200
[gates]
quality_min = 0.2
error_max = 0.5
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def fetch(url: str) -> str:
    return urllib.request.urlopen(url, timeout=5).read().decode()


def tab(url: str) -> dict[str, str]:
    """Rows of the tab on Locust's page; empty while the page is not there yet."""
    try:
        found = json.loads(fetch(f"{url}/stats/requests"))["extended_stats"]
    except (OSError, KeyError):
        return {}
    return {row["what"]: row["value"] for row in found[0]["data"]}


def test_everything_that_looks_at_a_run_sees_the_same(tmp_path: Path) -> None:
    profile, folder, events = tmp_path / "o.toml", tmp_path / "o", tmp_path / "events.jsonl"
    profile.write_text(TINY + STEADY)
    gateway, web = f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    pushed = subprocess.Popen(
        ["prometheus-pushgateway", f"--web.listen-address={gateway}", "--persistence.file="],
        stderr=subprocess.DEVNULL,
    )
    arguments = ["--out", str(folder), "--pushgateway", f"http://{gateway}", "--events", str(events)]
    arguments += ["--web-port", web.rsplit(":", 1)[1], "--save-baseline", str(tmp_path / "b.json"), "--quiet"]
    try:
        with receiver() as (collector, arrived):
            run = subprocess.Popen(
                command("run", str(profile), "--otlp", collector, *arguments),
                stderr=subprocess.PIPE,
                text=True,
            )
            seen: dict[str, str] = {}
            page = ""
            give_up = time.monotonic() + 60
            while run.poll() is None and time.monotonic() < give_up:
                if not page and tab(web):
                    page = fetch(f"{web}/")
                seen |= {k: v for k, v in tab(web).items() if v not in ("–", "p95 –")}
                time.sleep(0.3)
            assert run.wait(30) == 0, run.stderr and run.stderr.read()
        metrics = fetch(f"http://{gateway}/metrics")
    finally:
        pushed.terminate()
        pushed.wait(20)
    figures = json.loads((folder / "summary.json").read_text())
    jsonschema_rs.validate(json.loads(SCHEMA.read_text()), figures)
    counts = figures["counts"]
    ok = re.findall(r'^mmload_requests_total\{[^}]*outcome="ok"[^}]*\} (\S+)', metrics, re.M)
    assert sum(map(float, ok)) == counts["ok"] == 40
    assert re.search(r"^mmload_run_valid\{[^}]*\} 1$", metrics, re.M)
    points = metrics_of(arrived[-1][1])["gen_ai.client.operation.duration"][1]
    assert sum(point.count for point in points) == counts["sent"]
    assert "Quality, cost, validity" in page
    assert seen["Quality"].endswith("%") and seen["Run valid so far"] == "yes" and seen["Phase"] == "base"
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert told[-1]["event"] == "finished" and told[-1]["exit_code"] == 0
    assert told[-1]["counts"] == counts
    assert sum(e["event"] == "progress" for e in told) >= 4
    assert json.loads((tmp_path / "b.json").read_text())["evidence"]["quality_min"]["value"] > 0.2


def test_a_regression_against_a_baseline_fails_by_its_own_name(mmload: Mmload, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    first = mmload(STEADY, "--save-baseline", str(kept), name="first")
    assert first.code == 0, first.stderr
    better = json.loads(kept.read_text())
    better["evidence"]["error_max"] |= {"value": -0.2, "low": -0.3, "high": -0.1}
    kept.write_text(json.dumps(better))
    ran = mmload(STEADY, "--baseline", str(kept), "--events", "-", "--json", name="second")
    assert ran.code == 3
    verdicts = {gate["name"]: gate["verdict"] for gate in ran.summary["gates"]}
    assert verdicts["error_max"] == verdicts["quality_min_regression"] == "pass"
    assert verdicts["error_max_regression"] == "fail"
    assert "failed or shed, against the baseline" in (ran.folder / "junit.xml").read_text()
    assert json.loads(ran.stdout) == ran.summary
    assert {json.loads(line)["event"] for line in ran.stderr.splitlines()} == {
        *("started", "progress", "notice", "finished")
    }
    again = subprocess.run(
        command("report", str(ran.folder), "--json"), capture_output=True, text=True, timeout=60
    )
    assert again.returncode == 3 and json.loads(again.stdout)["gates"] == ran.summary["gates"]
    other = mmload(STEADY, "--baseline", str(kept), "--seed", "9", name="third")
    assert other.code == 2 and "another workload" in other.stderr and not other.folder.exists()
