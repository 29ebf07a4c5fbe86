"""``mmload doctor``: each probe finds what it looks for, and says how to mend it."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from mmload.cli import _machine
from mmload.cli._machine import Finding, Needs, Status

from .conftest import Run

PROBES = {
    *("cores", "other load", "stolen time", "file descriptors", "ephemeral ports", "clock source", "clock"),
    *("timer", "kernel timestamps", "compiled part", "CPU governor", "memory", "disk"),
}


def machine(tmp_path: Path, **files: str) -> Path:
    """A root folder with such files (``__`` for ``/``)."""
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return tmp_path


def test_every_probe_reports_in_words_and_in_json(mmload: Run) -> None:
    ended = mmload("doctor", "--json")
    result = ended.json
    assert {finding["name"] for finding in result["findings"]} == PROBES
    assert ended.code == (0 if result["healthy"] else 5)
    assert all(f["remedy"] for f in result["findings"] if f["status"] != "ok")
    in_words = mmload("doctor").out
    assert all(name in in_words for name in PROBES)


def test_a_profile_sets_the_needs(mmload: Run, small: Path) -> None:
    small.write_text(small.read_text().replace('engine = "sim"', 'engine = "sim"\nmax_in_flight = 20000'))
    (files,) = [
        f for f in mmload("doctor", small, "--json").json["findings"] if f["name"] == "file descriptors"
    ]
    assert "20,256 wanted" in files["found"]


@pytest.mark.parametrize(
    ("shape", "peak_rpm"),
    [
        ('shape = "sustained"\nrpm = 6000', 6000),
        ('shape = "ramp"\nfrom_rpm = 12000\nto_rpm = 600', 12000),
        ('shape = "sine"\nrpm = 6000\namplitude_rpm = 3000', 9000),
        ('shape = "burst"\nrpm = 600\npeak_rpm = 7200', 7200),
        ('shape = "steps"\nrpm = [600, 4800, 1200]', 4800),
    ],
)
def test_the_peak_of_every_shape_counts_for_fresh_connections(
    mmload: Run, tmp_path: Path, shape: str, peak_rpm: int
) -> None:
    path = tmp_path / "shaped.toml"
    path.write_text(
        'name = "shaped"\n[target]\nengine = "sim"\nconnection = "fresh"\nmax_in_flight = 100\n'
        f'[[phase]]\nname = "a"\nduration_s = 60\n{shape}\n'
    )
    (ports,) = [
        f for f in mmload("doctor", path, "--json").json["findings"] if f["name"] == "ephemeral ports"
    ]
    if "not to be seen" not in ports["found"]:
        assert f"{100 + peak_rpm:,} wanted" in ports["found"]


def test_the_users_of_a_swing_count_as_connections(mmload: Run, tmp_path: Path) -> None:
    path = tmp_path / "swing.toml"
    path.write_text(
        'name = "swing"\n[target]\nengine = "sim"\n[[phase]]\nname = "a"\nduration_s = 60\n'
        'shape = "sine"\nusers = 600\namplitude_users = 400\n'
    )
    (files,) = [
        f for f in mmload("doctor", path, "--json").json["findings"] if f["name"] == "file descriptors"
    ]
    assert "1,256 wanted" in files["found"]


def test_a_bad_profile_is_exit_code_2(mmload: Run, tmp_path: Path) -> None:
    assert mmload("doctor", tmp_path / "none.toml").code == 2


@pytest.mark.parametrize(("quota", "status"), [("400000 100000", Status.OK), ("50000 100000", Status.FAIL)])
def test_a_container_quota_counts_as_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, status: Status
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    root = machine(tmp_path, **{"sys__fs__cgroup__cpu.max": quota})
    found = _machine.cores(Needs(workers=1), root)
    assert found.status is status
    assert found.found.startswith("4 usable" if status is Status.OK else "0.5 usable")


def test_too_few_descriptors_fail_and_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (300, 400))
    found = _machine.files(Needs(connections=256))
    assert found.status is Status.FAIL
    assert "ulimit -n" in found.remedy
    assert "LimitNOFILE" in found.remedy


def test_a_narrow_port_range_fails_when_every_request_needs_a_fresh_connection(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__sys__net__ipv4__ip_local_port_range="40000\t40999")
    assert _machine.ports(Needs(connections=100), root).status is Status.OK
    found = _machine.ports(Needs(connections=100, fresh_per_s=20), root)
    assert found.status is Status.FAIL
    assert "tcp_tw_reuse" in found.remedy
    assert "keep-alive" in found.remedy


@pytest.mark.parametrize(
    ("name", "status"), [("tsc", Status.OK), ("kvm-clock", Status.OK), ("hpet", Status.FAIL)]
)
def test_a_slow_clock_source_fails(tmp_path: Path, name: str, status: Status) -> None:
    root = machine(tmp_path, sys__devices__system__clocksource__clocksource0__current_clocksource=name)
    assert _machine.clock_source(root).status is status


@pytest.mark.parametrize(("name", "status"), [("performance", Status.OK), ("powersave", Status.WARN)])
def test_a_governor_that_saves_power_is_a_warning(tmp_path: Path, name: str, status: Status) -> None:
    root = machine(tmp_path, sys__devices__system__cpu__cpu0__cpufreq__scaling_governor=name)
    assert _machine.governor(root).status is status


def test_kernel_timestamps_are_really_tried_on_loopback() -> None:
    found = _machine.kernel_timestamps()
    assert found.status is Status.OK, found
    assert "SO_TIMESTAMPNS works" in found.found


def test_a_kernel_that_gives_no_stamps_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machine, "_SO_TIMESTAMPNS", socket.SO_KEEPALIVE)
    assert _machine.kernel_timestamps().status is Status.WARN


def test_too_little_memory_or_disk_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _machine.memory(Needs(workers=10_000_000)).status is Status.FAIL
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 10})())
    assert _machine.disk(tmp_path).status is Status.FAIL


def test_a_failed_probe_is_exit_code_5(mmload: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Finding("clock source", Status.FAIL, "hpet", "boot with clocksource=tsc")
    monkeypatch.setattr(_machine, "examine", lambda needs: [bad])
    ended = mmload("doctor")
    assert ended.code == 5
    assert "fail  clock source  hpet" in ended.out
    assert "-> boot with clocksource=tsc" in ended.out
