"""Metrics pushed to a Prometheus Pushgateway: for runs too short for a scrape to see.

One group a run (``job="mmload", run_id=...``), replaced as a whole at each push. A gateway never forgets a
group by itself; ``delete`` takes it away. Not aware of what is measured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Final

from prometheus_client import CollectorRegistry, delete_from_gateway, push_to_gateway
from prometheus_client.registry import Collector

from mmload.report.address import address

JOB: Final = "mmload"
EVERY_S: Final = 5.0
_TIMEOUT_S: Final = 5.0


def checked(url: str) -> str:
    """``url`` if it can be a gateway's; raises ``InputError``."""
    address(
        "--pushgateway",
        url,
        example="http://127.0.0.1:9091",
        secrets="put a proxy in front that adds them",
    )
    return url


class Pusher:
    """Pushes every ``every_s`` in a thread of its own, and when told. Failures are said once each kind."""

    def __init__(
        self, url: str, run_id: str, metrics: Collector, say: Callable[[str], None], every_s: float = EVERY_S
    ) -> None:
        self._url, self._group, self._say, self._every_s = url, {"run_id": run_id}, say, every_s
        self._registry = CollectorRegistry()
        self._registry.register(metrics)
        self._told: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pusher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._try("push", self._push)

    def _push(self) -> None:
        push_to_gateway(self._url, JOB, self._registry, self._group, timeout=_TIMEOUT_S)

    def stop(self) -> bool:
        """Push once more, and end. Gives whether that last push was taken."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S + 1)
        return self._try("push", self._push)

    def delete(self) -> bool:
        """Take the group of this run away from the gateway."""
        return self._try(
            "delete", lambda: delete_from_gateway(self._url, JOB, self._group, timeout=_TIMEOUT_S)
        )

    def _try(self, what: str, act: Callable[[], None]) -> bool:
        try:
            act()
        except (OSError, HTTPException, ValueError) as e:
            reason = str(getattr(e, "reason", None) or getattr(e, "strerror", None) or e or type(e).__name__)
            if what not in self._told:
                self._told.add(what)
                self._say(f"warning: cannot {what} metrics at the Pushgateway {self._url}: {reason}")
            return False
        return True
