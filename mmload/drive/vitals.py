"""How close a worker is to its own limits, a sample a second."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from mmload.drive.outbox import Outbox
from mmload.drive.pump import Traffic
from mmload.model import NS_PER_S, Telemetry

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_FDS: Final = Path("/proc/self/fd")
_STATM: Final = Path("/proc/self/statm")
_COUNT_FDS_EVERY: Final = 5


class Vitals:
    """Call ``sample`` several times a second; it adds a row each full second."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self._wall = time.monotonic_ns()
        self._cpu = time.process_time_ns()
        self._sent = 0
        self._bytes = 0
        self._rows = 0
        self._fds = 0
        self._rss = 0

    def sample(self, outbox: Outbox) -> None:
        now = time.monotonic_ns()
        traffic = self.traffic
        traffic.clock.resample()
        while traffic.clock.steps:
            at, size = traffic.clock.steps.pop(0)
            outbox.add_event(
                {"t_ns": at - traffic.t0_ns, "name": "clock_step", "worker": outbox.index, "ns": size}
            )
        if now - self._wall < NS_PER_S:
            return
        cpu = time.process_time_ns()
        # Without a descriptor left these cannot be looked at either; what was seen last stands.
        with contextlib.suppress(OSError):
            if self._rows % _COUNT_FDS_EVERY == 0:
                self._fds = sum(1 for _ in _FDS.iterdir()) if _FDS.exists() else 0
            self._rss = int(_STATM.read_text().split()[1]) * _PAGE if _STATM.exists() else 0
        self._rows += 1
        outbox.add_telemetry(
            Telemetry(
                worker=outbox.index,
                t_ns=now - traffic.t0_ns,
                cpu_ratio=(cpu - self._cpu) / (now - self._wall),
                loop_lag_us=traffic.worst_lag_ns // 1000,
                open_fds=self._fds,
                in_flight=len(traffic.in_flight),
                backlog=traffic.backlog,
                rss_bytes=self._rss,
                sent=traffic.sent - self._sent,
                bytes_sent=traffic.bytes_sent - self._bytes,
            )
        )
        traffic.worst_lag_ns = 0
        self._wall, self._cpu = now, cpu
        self._sent, self._bytes = traffic.sent, traffic.bytes_sent
