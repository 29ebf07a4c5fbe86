"""The main job end to end: real Locust master and workers, a real target, a real scorer, a real folder."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from whole_runs import TINY, Mmload, command

pytestmark = pytest.mark.live

BASE = """
[[phase]]
name = "base"
shape = "sustained"
duration_s = 3
rpm = 1200
"""
FILES = (
    *(
        "summary.json",
        "report.html",
        "report.md",
        "requests.parquet",
        "latency.hlog",
        "e2e.hgrm",
        "junit.xml",
    ),
    *("plots", "answers", "profile.toml", "environment.json", "journal", "server_metrics.jsonl"),
)


def adds_up(counts: dict[str, Any]) -> bool:
    ended = counts["ok"] + counts["failed"] + counts["shed"] + counts["not_sent"]
    return bool(counts["planned"] == ended)


def test_a_run_writes_its_folder_and_exits_by_its_verdict(mmload: Mmload) -> None:
    ran = mmload(BASE + "[gates]\nquality_min = 0.2\nerror_max = 0.5\n", "--json")
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout) == ran.summary
    assert all((ran.folder / name).exists() for name in FILES)
    counts = ran.summary["counts"]
    assert adds_up(counts) and counts["planned"] == 60 and counts["ok"] == 60
    assert ran.summary["validity"]["timestamp_source"] == "kernel"
    assert ran.summary["quality"]["n_scored"] == 60
    server = ran.summary["server"]
    assert server["sources"][0]["kind"] == "mmload" and server["e2e_ms"]["n"] == 60
    assert {row["figure"]: row["agrees"] for row in server["compared"]}["answers"]
    table = pq.read_table(ran.folder / "requests.parquet")
    streamed = [t is not None for t in table["first_token_ns"].to_pylist()]
    assert len({trace[:16] for trace in table["trace_id"].to_pylist()}) == 1
    assert [int(t[16:], 16) for t in table["trace_id"].to_pylist()] == table["seq"].to_pylist()
    assert table["streaming"].to_pylist() == streamed and 10 < sum(streamed) < 50
    assert table.num_rows == 60
    assert sorted(table["seq"].to_pylist()) == list(range(60))


def test_a_failed_gate_exits_3_and_too_few_samples_exit_4(mmload: Mmload) -> None:
    failed = mmload(BASE + "[gates]\nper_query_usd_max = 0.000001\n[cost.models.sim-large]\n"
                    "input_usd_per_mtok = 2.5\noutput_usd_per_mtok = 10.0\n", name="failed")  # fmt: skip
    assert failed.code == 3, failed.stdout
    short = mmload(BASE + "[gates]\ne2e_p99_ms = 5000\n", name="short")
    assert short.code == 4, short.stdout
    assert short.summary["latency_ms"]["e2e"]["p99"] is None
    assert "p99" in short.summary["latency_ms"]["e2e"]["uncertified"]


def test_the_same_seed_plans_the_same_for_one_worker_and_for_two(mmload: Mmload) -> None:
    one = mmload(BASE, name="one")
    two = mmload(BASE, "--workers", "2", name="two")
    assert one.summary["run"]["workload_fingerprint"] == two.summary["run"]["workload_fingerprint"]
    columns = ["seq", "item", "due_ns"]
    tables = [pq.read_table(r.folder / "requests.parquet", columns=columns) for r in (one, two)]
    assert tables[0].sort_by("seq").equals(tables[1].sort_by("seq"))
    workers = pq.read_table(two.folder / "requests.parquet")["worker"].to_pylist()
    assert sorted(set(workers)) == [0, 1]


def test_a_closed_loop_keeps_as_many_in_flight_as_it_has_users(mmload: Mmload) -> None:
    ran = mmload('[[phase]]\nname = "closed"\nshape = "sustained"\nduration_s = 3\nusers = 3\n')
    assert ran.code == 0, ran.stderr
    assert adds_up(ran.summary["counts"]) and ran.summary["counts"]["ok"] > 30
    rows = pq.read_table(ran.folder / "requests.parquet").to_pylist()
    edges = [(r["sent_ns"], 1) for r in rows] + [(r["end_ns"], -1) for r in rows]
    level = peak = 0
    for _, step in sorted(edges):
        level += step
        peak = max(peak, level)
    assert peak == 3


def test_ctrl_c_reports_what_was_measured_and_exits_130(tmp_path: Path) -> None:
    profile, folder = tmp_path / "long.toml", tmp_path / "long"
    profile.write_text(TINY + BASE.replace("duration_s = 3", "duration_s = 60"))
    run = subprocess.Popen(command("run", str(profile), "--out", str(folder), "--no-progress", "--quiet"))
    wait_for_records(folder)
    run.send_signal(signal.SIGINT)
    assert run.wait(40) == 130
    summary = json.loads((folder / "summary.json").read_text())
    assert adds_up(summary["counts"]) and summary["counts"]["planned"] == 1200
    assert 0 < summary["counts"]["ok"] < 1200 and summary["counts"]["not_sent"] > 0
    assert summary["verdict"] == "invalid"


def test_a_killed_worker_is_replaced_by_the_others_and_the_run_says_so(tmp_path: Path) -> None:
    profile, folder = tmp_path / "killed.toml", tmp_path / "killed"
    profile.write_text(TINY + BASE.replace("duration_s = 3", "duration_s = 16"))
    run = subprocess.Popen(
        command("run", str(profile), "--out", str(folder), "--workers", "2", "--no-progress", "--quiet")
    )
    wait_for_records(folder)
    time.sleep(1)
    workers = [p for p in psutil.Process(run.pid).children() if "mmload.drive.worker" in p.cmdline()]
    workers[0].kill()
    killed_at = time.monotonic()
    assert run.wait(60) == 5
    summary = json.loads((folder / "summary.json").read_text())
    counts = summary["counts"]
    assert adds_up(counts) and counts["planned"] == 320
    assert counts["errors"]["worker_lost"] < 80, "what was due after 5 s is sent by the other"
    assert counts["ok"] > 240
    assert any("lost worker" in reason for reason in summary["validity"]["reasons"])
    assert time.monotonic() - killed_at < 50


def test_a_killed_master_leaves_a_folder_that_report_reads(tmp_path: Path) -> None:
    profile, folder = tmp_path / "cut.toml", tmp_path / "cut"
    profile.write_text(TINY + BASE.replace("duration_s = 3", "duration_s = 60"))
    run = subprocess.Popen(command("run", str(profile), "--out", str(folder), "--no-progress", "--quiet"))
    wait_for_records(folder)
    for process in psutil.Process(run.pid).children():
        if "mmload.drive.master" in process.cmdline():
            process.kill()
    assert run.wait(60) == 5
    again = subprocess.run(
        command("report", str(folder), "--json"), capture_output=True, text=True, timeout=60
    )
    assert again.returncode == 5
    assert adds_up(json.loads(again.stdout)["counts"])


def test_metrics_are_served_on_loopback_while_it_runs(tmp_path: Path) -> None:
    profile, folder = tmp_path / "m.toml", tmp_path / "m"
    profile.write_text(TINY + BASE)
    run = subprocess.Popen(
        command("run", str(profile), "--out", str(folder), "--metrics-linger", "4"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert run.stderr is not None
    url = next(
        m[1] for line in run.stderr if (m := re.search(r"metrics: (http://127\.0\.0\.1:\d+/metrics)", line))
    )
    threading.Thread(target=run.stderr.read, daemon=True).start()
    text = ""
    while run.poll() is None:
        try:
            text = urllib.request.urlopen(url, timeout=5).read().decode()
        except OSError:
            break
        time.sleep(0.3)
    assert run.wait(30) == 0
    total = sum(float(v) for v in re.findall(r"^mmload_requests_total\{[^}]*\} (\S+)", text, re.M))
    assert total == 60


BAD_TARGETS = {
    "nobody": "nobody listens there",
    "silent": "no answer within",
    "babble": "not in HTTP",
}


@pytest.mark.parametrize("kind", BAD_TARGETS)
def test_a_target_that_is_none_is_bad_input(mmload: Mmload, kind: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind != "nobody":
            listener.listen()
        if kind == "babble":
            threading.Thread(target=babble, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        ran = mmload(BASE, "--target", url, "--set", "target.connect_timeout_s=1")
    assert ran.code == 2
    assert BAD_TARGETS[kind] in ran.stderr and "Traceback" not in ran.stderr
    assert not ran.folder.exists()


def babble(listener: socket.socket) -> None:
    client, _ = listener.accept()
    client.recv(1000)
    client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    client.close()


def test_a_missing_key_variable_and_an_unwritable_folder_are_bad_input(
    mmload: Mmload, tmp_path: Path
) -> None:
    keyless = mmload(
        BASE, "--target", "http://127.0.0.1:9/v1", "--set", "target.api_key_env=MMLOAD_TEST_NO_KEY"
    )
    assert keyless.code == 2 and "MMLOAD_TEST_NO_KEY is not set" in keyless.stderr
    assert not keyless.folder.exists(), "it is found before anything is begun"
    embedded = mmload(BASE, "--set", "target.api_key_env=MMLOAD_TEST_NO_KEY")
    assert embedded.code == 0, embedded.stderr
    (tmp_path / "file").write_text("")
    blocked = mmload(BASE, "--out", str(tmp_path / "file" / "x"))
    assert blocked.code == 2 and "cannot be written" in blocked.stderr


def wait_for_records(folder: Path) -> None:
    """Until the journal holds more than its first frame."""
    journal = folder / "journal" / "run.mmj"
    give_up = time.monotonic() + 40
    while not journal.exists() or journal.stat().st_size < 12_000:
        assert time.monotonic() < give_up, "the run did not begin"
        time.sleep(0.05)


def test_a_spent_budget_stops_the_traffic_and_says_so(mmload: Mmload) -> None:
    prices = "[cost.models.sim-large]\ninput_usd_per_mtok = 1000.0\noutput_usd_per_mtok = 1000.0\n"
    long = BASE.replace("duration_s = 3", "duration_s = 40")
    ran = mmload(long + "[cost]\nbudget_usd = 5.0\n" + prices)
    assert ran.code == 5
    counts = ran.summary["counts"]
    assert adds_up(counts) and 0 < counts["sent"] < counts["planned"]
    assert "budget" in (ran.folder / "report.md").read_text()
