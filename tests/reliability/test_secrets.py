"""A canary as the key of a run against a target that sends it back everywhere: it is found nowhere."""

from __future__ import annotations

import base64
import os
import re
import resource
import subprocess
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import pyarrow.parquet as pq
import pytest
from whole_runs import TINY, command

from mmload.launch.children import free_port
from reliability.echoing import FOREIGN, echoing

CANARY = "canary/+key-5f1c0e7a==x"
FORMS = (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode(), FOREIGN)
PROFILE = TINY.replace('engine = "sim"', 'url = "URL"\napi_key_env = "MMLOAD_CANARY"\nstreaming = 0').replace(
    "[target.sim]\nspeed = 60\n", ""
) + '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 4\nrpm = 1200\n'  # fmt: skip


def found_in(data: bytes) -> list[str]:
    return [form for form in FORMS if form.encode() in data]


def core_limit(pid: int) -> str:
    """How large a core dump the process may leave: the key is in its memory."""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in limits if line.startswith("Max core file size")).split()[4]


def allow_cores() -> None:
    """In the child: it begins with the right to dump as much as may be, so that it is we who forbid it."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    most = resource.RLIM_INFINITY if os.geteuid() == 0 else hard
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def watch(
    pid: int, pages: list[bytes], lines: list[bytes], cores: set[str], stop: threading.Event, urls: list[str]
) -> None:
    """Command lines and limits of all processes of the run, and its pages, again and again."""
    while not stop.wait(0.3):
        try:
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            lines += [Path(f"/proc/{p.pid}/cmdline").read_bytes() for p in processes]
            cores |= {core_limit(p.pid) for p in processes}
        except (psutil.Error, OSError):
            continue
        for url in urls:
            try:
                pages.append(urllib.request.urlopen(url, timeout=2).read())
            except OSError:
                pass


@pytest.mark.live
def test_the_key_of_a_run_is_found_nowhere(tmp_path: Path) -> None:
    profile, folder = tmp_path / "canary.toml", tmp_path / "run"
    web, temporary = free_port(), tmp_path / "tmp"
    temporary.mkdir()
    with echoing() as (target, other):
        profile.write_text(PROFILE.replace("URL", target.url))
        run = subprocess.Popen(
            command("run", str(profile), "--out", str(folder), "--web-port", str(web), "--no-progress"),
            env=os.environ | {"MMLOAD_CANARY": CANARY, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=allow_cores,
        )
        assert run.stderr is not None and run.stdout is not None
        first = run.stderr.readline() + run.stderr.readline()
        urls = [u.decode() for u in re.findall(rb"http://127\.0\.0\.1:\d+/\S*", first)]
        locust = [f"http://127.0.0.1:{web}/{page}" for page in ("", "stats/requests", "exceptions", "logs")]
        pages: list[bytes] = []
        lines: list[bytes] = []
        cores: set[str] = set()
        stop = threading.Event()
        watched = (run.pid, pages, lines, cores, stop, [*urls, *locust])
        watcher = threading.Thread(target=watch, args=watched)
        watcher.start()
        out, err = run.communicate(timeout=90)
        stop.set()
        watcher.join(10)
    sent = [key for key in target.keys if key == CANARY]
    assert len(sent) >= 75, first + err
    assert not other.keys and not other.paths, "no request followed the redirect"
    rows = pq.read_table(folder / "requests.parquet").to_pylist()
    assert {r["error"] for r in rows} >= {"http_4xx", "redirect"} and any(r["outcome"] == "ok" for r in rows)
    assert found_in(first + out + err) == []
    assert len(pages) >= 4 and all(found_in(page) == [] for page in pages)
    assert cores <= {"0"} and cores, "no process may dump its memory"
    assert len(lines) >= 8 and all(found_in(line) == [] for line in lines)
    files = [f for base in (folder, temporary, tmp_path) for f in base.rglob("*") if f.is_file()]
    assert len(files) > 20
    assert {str(f): found_in(f.read_bytes()) for f in files if found_in(f.read_bytes())} == {}
    # Parquet is compressed: what it holds is looked at as text too.
    assert found_in(repr(rows).encode()) == []


@pytest.mark.live
def test_everything_that_listens_is_on_loopback(tmp_path: Path) -> None:
    profile, folder = tmp_path / "local.toml", tmp_path / "run"
    profile.write_text(TINY + '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 4\nrpm = 600\n')
    run = subprocess.Popen(
        command("run", str(profile), "--out", str(folder), "--web-port", str(free_port()), "--quiet"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    listening: set[tuple[str, int]] = set()
    while run.poll() is None:
        for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
            try:
                for c in process.net_connections("inet"):
                    if c.status == psutil.CONN_LISTEN:
                        listening.add((c.laddr.ip, c.laddr.port))
            except psutil.Error:
                continue
        time.sleep(0.2)
    assert run.returncode in (0, 5)
    # The master, Locust's page, the practice target and the metrics.
    assert len(listening) >= 4 and {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}
