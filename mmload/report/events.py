"""A run as JSON lines, for other programs: one object a line, flushed as it is written.

``event`` is ``started``, ``progress``, ``notice`` or ``finished``; ``t`` the Unix time. Absent figures are
null. Not aware of where its numbers come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, TextIO

from mmload.report.escape import redact
from mmload.report.live import LiveState

EVENTS_VERSION: Final = 1
"""Of the lines; rises when a name goes or changes its meaning."""
_NOT_SAID: Final = ("offered_history", "achieved_history")


class EventLines:
    """Writes events to ``stream``. A reader that has gone ends the lines, never the run."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream, self._clock, self._open = stream, clock, True

    def started(self, **said: Any) -> None:
        """What runs and where: ``run_dir, run_id, profile, target, planned, duration_s, metrics_url``."""
        self._write("started", {"events_version": EVENTS_VERSION, **said})

    def progress(self, state: LiveState) -> None:
        """The run as it stands: the fields of ``LiveState`` but its histories."""
        said = {key: value for key, value in asdict(state).items() if key not in _NOT_SAID}
        self._write("progress", said)

    def notice(self, text: str) -> None:
        """A line that a person would be told."""
        self._write("notice", {"text": text})

    def finished(self, figures: Mapping[str, Any], run_dir: str, exit_code: int) -> None:
        """Verdict, gates and the leading figures; all others are in ``summary.json``."""
        self._write(
            "finished",
            {
                "verdict": figures["verdict"],
                "exit_code": exit_code,
                "run_dir": run_dir,
                "valid": figures["validity"]["valid"],
                "reasons": figures["validity"]["reasons"],
                "counts": figures["counts"],
                "rpm_at_quality": figures["throughput"]["rpm_at_quality"],
                "per_good_query_usd": figures["cost"]["per_good_query_usd"],
                "gates": figures["gates"],
            },
        )

    def _write(self, event: str, said: Mapping[str, Any]) -> None:
        if not self._open:
            return
        line = json.dumps(
            {"event": event, "t": round(self._clock(), 3), **said}, ensure_ascii=False, default=list
        )
        try:
            self._stream.write(redact(line) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._open = False
