"""What on this machine would spoil a measurement: one probe a thing, each with its remedy.

Not aware of how a run uses the machine beyond the ``Needs`` that it is handed. Linux tells most; elsewhere
a probe that cannot look says so.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import psutil

from mmload import native
from mmload.model import NS_PER_S

_ROOT: Final = Path("/")
_SO_TIMESTAMPNS: Final = 35
"""Linux's number on every architecture that CPython supports but SPARC and PA-RISC."""
_TIMESPEC: Final = struct.Struct("@ll")
_STAMP_TRIES: Final = 100
_WORKER_BYTES: Final = 150_000_000
_BASE_BYTES: Final = 600_000_000


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    """May move figures."""
    FAIL = "fail"
    """Will move figures, or make the run invalid."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run asks of the machine."""

    workers: int = 1
    connections: int = 256
    """Open at once, over all workers."""
    fresh_per_s: float = 0.0
    """New connections a second."""
    embedded: bool = True
    """The target runs here too."""


def examine(needs: Needs, root: Path = _ROOT) -> list[Finding]:
    """All probes, in the order in which to mend."""
    probes: list[Callable[[], Finding]] = [
        lambda: cores(needs, root),
        lambda: other_load(),
        lambda: stolen_time(),
        lambda: files(needs),
        lambda: ports(needs, root),
        lambda: clock_source(root),
        lambda: clock_cost(),
        lambda: timer(),
        lambda: kernel_timestamps(),
        lambda: compiled_part(),
        lambda: governor(root),
        lambda: memory(needs),
        lambda: disk(Path.cwd()),
    ]
    return [probe() for probe in probes]


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def cores(needs: Needs, root: Path = _ROOT) -> Finding:
    """Cores that this process may use: its affinity, and a container's quota."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota = (_read(root / "sys/fs/cgroup/cpu.max") or "max").split()
    if len(quota) == 2 and quota[0] != "max":
        usable = min(usable, int(quota[0]) / int(quota[1]))
    wanted = needs.workers + 1 + (1 if needs.embedded else 0)
    found = (
        f"{usable:g} usable, {needs.workers} for the workers and {wanted - needs.workers} for the rest wanted"
    )
    if usable >= wanted:
        return Finding("cores", Status.OK, found)
    if usable > needs.workers or (usable >= 2 and needs.embedded):
        remedy = "fine at a moderate rate; at a high one run the target elsewhere, or give it more cores"
        return Finding("cores", Status.WARN, found, remedy)
    return Finding("cores", Status.FAIL, found, f"use a machine with {wanted} cores, or fewer --workers")


def other_load() -> Finding:
    """CPU that others use right now."""
    psutil.cpu_percent()
    busy = psutil.cpu_percent(interval=0.4) / 100 * (psutil.cpu_count() or 1)
    found = f"{busy:.1f} cores are busy with something else"
    if busy < 0.5:
        return Finding("other load", Status.OK, found)
    return Finding("other load", Status.WARN, found, "stop what else runs here (top, systemctl list-timers)")


def stolen_time() -> Finding:
    """Time that a hypervisor took away, since boot."""
    times = psutil.cpu_times()
    share = getattr(times, "steal", 0.0) / max(sum(times), 1.0)
    found = f"{share:.1%} of CPU time was taken by the hypervisor since boot"
    if share < 0.02:
        return Finding("stolen time", Status.OK, found)
    return Finding("stolen time", Status.WARN, found, "use an instance with dedicated cores")


def files(needs: Needs) -> Finding:
    """File descriptors: one a connection, and some for the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needs.connections + 256
    found = f"limit {soft:,} (hard {hard:,}), {wanted:,} wanted"
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Finding("file descriptors", Status.OK, found)
    remedy = f"ulimit -n {max(wanted, 65536)}"
    if hard != resource.RLIM_INFINITY and hard < wanted:
        remedy += " as root, or LimitNOFILE= in the unit, or nofile in /etc/security/limits.conf"
    return Finding("file descriptors", Status.FAIL, found, remedy)


def ports(needs: Needs, root: Path = _ROOT) -> Finding:
    """Local ports for connections to one target; a closed one is blocked for 60 s."""
    text = _read(root / "proc/sys/net/ipv4/ip_local_port_range")
    if text is None:
        return Finding("ephemeral ports", Status.OK, "not to be seen on this system")
    low, high = (int(part) for part in text.split())
    count = high - low + 1
    wanted = needs.connections + round(60 * needs.fresh_per_s)
    found = f"{count:,} ({low} to {high}), {wanted:,} wanted"
    if count >= 1.2 * wanted:
        return Finding("ephemeral ports", Status.OK, found)
    remedy = "sysctl -w net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1"
    if needs.fresh_per_s:
        remedy += ', or target.connection = "keep-alive"'
    return Finding("ephemeral ports", Status.FAIL, found, remedy)


def clock_source(root: Path = _ROOT) -> Finding:
    name = _read(root / "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if name is None:
        return Finding("clock source", Status.OK, "not to be seen on this system")
    if name in ("hpet", "acpi_pm", "jiffies", "refined-jiffies"):
        remedy = "boot with clocksource=tsc, or look in dmesg why the kernel gave the TSC up"
        return Finding("clock source", Status.FAIL, f"{name}: slow or coarse to read", remedy)
    return Finding("clock source", Status.OK, name)


def clock_cost() -> Finding:
    """Time to read the monotonic clock: a system call instead of the vDSO costs ten times as much."""
    reads = 20_000
    start = time.perf_counter_ns()
    for _ in range(reads):
        time.perf_counter_ns()
    each = (time.perf_counter_ns() - start) / reads
    found = f"{each:.0f} ns to read"
    if each < 500:
        return Finding("clock", Status.OK, found)
    return Finding(
        "clock", Status.WARN, found, "a fast clock source (see above); not under a debugger or emulator"
    )


def timer(sleeps: int = 200, budget_s: float = 1.0) -> Finding:
    """How late the kernel wakes a sleeper: what a due arrival would wait."""
    late: list[float] = []
    start = time.perf_counter()
    while len(late) < sleeps and (time.perf_counter() - start < budget_s or not late):
        late.append(_lateness_us(0.001))
    late.sort()
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    found = f"wakes {p50:.0f} µs late at the median, {p99:.0f} µs at p99"
    if p99 < 2000:
        return Finding("timer", Status.OK, found)
    return Finding(
        "timer", Status.WARN, found, "stop what else runs here; a real-time or low-latency kernel helps"
    )


def _lateness_us(seconds: float) -> float:
    start = time.perf_counter()
    time.sleep(seconds)
    return (time.perf_counter() - start - seconds) * 1e6


def kernel_timestamps() -> Finding:
    """Send a byte over loopback TCP and see whether the kernel says when it arrived."""
    name = "kernel timestamps"
    remedy = "none needed: the report will say that the user clock was used, which is later by the loop's lag"
    try:
        stamp_ns, now_ns = _stamped_byte()
    except OSError as error:
        return Finding(name, Status.WARN, f"SO_TIMESTAMPNS does not work: {error.strerror or error}", remedy)
    if stamp_ns is None:
        return Finding(name, Status.WARN, "SO_TIMESTAMPNS gave no stamp", remedy)
    delay_us = (now_ns - stamp_ns) / 1e3
    if not 0 <= delay_us < 1e6:
        return Finding(
            name, Status.WARN, f"the stamp is {delay_us:.0f} µs from the clock: not the same clock", remedy
        )
    return Finding(name, Status.OK, f"SO_TIMESTAMPNS works (read {delay_us:.0f} µs after the byte arrived)")


def _stamped_byte() -> tuple[int | None, int]:
    """The kernel's stamp of a received byte (None if it gave none), and the time of reading; both wall ns.

    The kernel turns stamping on in a work queue when the first socket asks: early bytes may come without.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        client.settimeout(2)
        peer, _ = server.accept()
        with peer:
            for _ in range(_STAMP_TRIES):
                peer.sendall(b"x")
                _, ancillary, _, _ = client.recvmsg(1, 128)
                now_ns = time.time_ns()
                for level, kind, data in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _TIMESPEC.size:
                        seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                        return seconds * NS_PER_S + nanoseconds, now_ns
                time.sleep(0.01)
    return None, now_ns


def compiled_part() -> Finding:
    """Whether requests are sent and received by what is compiled, or by its twins in Python."""
    if native.compiled:
        return Finding("compiled part", Status.OK, "there")
    remedy = "install a C compiler, then mmload anew; or unset MMLOAD_PURE_PYTHON"
    return Finding(
        "compiled part", Status.WARN, "missing: a worker sends about half as much a second", remedy
    )


def governor(root: Path = _ROOT) -> Finding:
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    name = _read(folder / "scaling_governor")
    if name is None:
        return Finding("CPU governor", Status.OK, "none (a virtual machine, or fixed frequency)")
    if name == "performance":
        return Finding("CPU governor", Status.OK, name)
    remedy = (
        "cpupower frequency-set -g performance (a clock that rises under load makes light load look slow)"
    )
    return Finding("CPU governor", Status.WARN, name, remedy)


def memory(needs: Needs) -> Finding:
    free = psutil.virtual_memory().available
    swapped = psutil.swap_memory().used
    wanted = _BASE_BYTES + needs.workers * _WORKER_BYTES
    found = f"{free / 1e9:.1f} GB available, {wanted / 1e9:.1f} GB wanted" + (
        f", {swapped / 1e9:.1f} GB swapped out" if swapped > 1e8 else ""
    )
    if free < wanted:
        return Finding("memory", Status.FAIL, found, "free some, or use fewer --workers and a smaller suite")
    if swapped > 1e9:
        return Finding("memory", Status.WARN, found, "swapoff -a && swapon -a once there is room")
    return Finding("memory", Status.OK, found)


def disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < 1e9:
        return Finding("disk", Status.FAIL, found, "free some, or write elsewhere with --out")
    return Finding("disk", Status.OK, found)
