"""A master on one host and its workers on another: two network namespaces joined by a pair of devices."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from whole_runs import TINY, command

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are root's to make"),
]
MASTER, WORKER = "10.203.0.1", "10.203.0.2"


@dataclass
class Hosts:
    first: str
    second: str

    def start(self, host: str, *arguments: str, **more: object) -> subprocess.Popen[str]:
        inside = ["ip", "netns", "exec", host, *command(*arguments)]
        return subprocess.Popen(inside, text=True, **more)  # type: ignore[call-overload,no-any-return] # Popen's overloads


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    first, second = f"mmload-a{os.getpid()}", f"mmload-b{os.getpid()}"
    ip("netns", "add", first)
    ip("netns", "add", second)
    try:
        ip("-n", first, "link", "add", "m0", "type", "veth", "peer", "name", "m1", "netns", second)
        for name, device, address in ((first, "m0", MASTER), (second, "m1", WORKER)):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield Hosts(first, second)
    finally:
        ip("netns", "del", first)
        ip("netns", "del", second)


def test_workers_of_another_host_send_the_same_plan(hosts: Hosts, tmp_path: Path) -> None:
    profile, folder = tmp_path / "far.toml", tmp_path / "far"
    phase = '[[phase]]\nname = "base"\nshape = "sustained"\nduration_s = 4\nrpm = 1200\n'
    profile.write_text(TINY + phase)
    served = hosts.start(
        hosts.first, "serve", str(profile), "--host", MASTER, "--port", "0", stdout=subprocess.PIPE
    )
    processes = [served]
    try:
        assert served.stdout is not None
        url = json.loads(served.stdout.readline())["url"]
        assert MASTER in url
        run = hosts.start(
            hosts.first,
            *(
                "run",
                str(profile),
                "--out",
                str(folder),
                "--target",
                url,
                "--set",
                "target.allow_remote=true",
            ),
            *("--master", "--master-host", MASTER, "--workers", "2", "--quiet"),
        )
        workers = [hosts.start(hosts.second, "worker", "--master-host", MASTER) for _ in range(2)]
        processes += [run, *workers]
        assert run.wait(90) == 0
        assert [w.wait(20) for w in workers] == [0, 0]
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["counts"]["ok"] == summary["counts"]["planned"] == 80
    assert summary["validity"]["valid"] and summary["validity"]["timestamp_source"] == "kernel"
    workers_seen = set(pq.read_table(folder / "requests.parquet")["worker"].to_pylist())
    assert workers_seen == {0, 1}
