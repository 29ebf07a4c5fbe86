"""What rate this machine can offer for a profile, tried for a few seconds against a target that does nothing.

The same processes, lanes and bodies as the run's; only the target is the sink on loopback. The sink takes
cores of its own, so the answer is a lower bound for a target on another host.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mmload.launch.children import Child
from mmload.launch.options import RunOptions
from mmload.launch.run import run
from mmload.model import InputError
from mmload.plan import peak_of, shapes_of
from mmload.profile import Cost, Gates, Phase, Profile, Quality

_SECONDS = 3.0
_LANES = 64
_MOST_RPM = 6_000_000.0


@dataclass(frozen=True)
class SelfTest:
    """Figures of a self-test. Rates in requests per minute."""

    most_rpm: float
    """Closed loop, as fast as it goes, all workers."""
    peak_rpm: float | None
    """Highest rate that the profile asks for; ``None`` for a profile of closed loops."""
    peak_sent_ratio: float | None
    """Share of the planned requests that left, at that rate."""
    send_lag_p99_ms: float | None

    @property
    def suffices(self) -> bool:
        """Whether the generator keeps up with the profile's peak with room to spare."""
        return self.peak_rpm is None or self.most_rpm >= 2 * self.peak_rpm


def self_test(profile: Profile, base_dir: Path) -> SelfTest:
    """About 10 s. Raises ``InputError`` for a profile that cannot run, ``MmloadError`` if a process fails."""
    peak = peak_of(shapes_of(profile, base_dir)).rpm or None
    if peak is not None and peak > _MOST_RPM:
        raise InputError(f"a peak of {peak:g} rpm is beyond what a self-test can try")
    phases = [Phase(name="most", shape="sustained", duration_s=_SECONDS, users=_LANES)]
    if peak:
        phases.append(Phase(name="peak", shape="sustained", duration_s=_SECONDS, rpm=peak))
    with tempfile.TemporaryDirectory(prefix="mmload-selftest-") as folder:
        sink = Child("sink", "mmload.serve.sink", (), Path(folder) / "logs", pipe=True)
        try:
            url = str(sink.ready_line(10)["url"])
            target = profile.target.model_copy(
                update={"engine": None, "url": url, "max_in_flight": _LANES, "api_key_env": None}
            )
            bare = {"quality": Quality(sample=0.0), "cost": Cost(), "gates": Gates(), "drain_s": 2.0}
            tried = profile.model_copy(update={"target": target, "phase": phases, **bare})
            options = RunOptions(out=Path(folder) / "run", show=False, prometheus_port=None)
            finished, _ = run(tried, base_dir, options)
        finally:
            sink.end()
    most, *rest = finished.figures["phases"]
    at_peak = rest[0] if rest else None
    counts = at_peak["counts"] if at_peak else None
    return SelfTest(
        most_rpm=most["throughput"]["achieved_rpm"] or 0.0,
        peak_rpm=peak,
        peak_sent_ratio=counts["sent"] / counts["planned"] if counts else None,
        send_lag_p99_ms=finished.figures["validity"]["send_lag_ms"]["p99"],
    )
