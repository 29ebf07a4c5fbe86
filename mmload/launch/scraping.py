"""Scrapes the target's Prometheus pages while a run runs, from the launcher's process, into a file.

A thread of its own at a steady pace: a page that is slow to answer delays nothing and nobody. It runs in no
process that sends traffic. Not aware of what the metrics mean (``mmload.summary.server_metrics`` is).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit, urlunsplit

from mmload.launch.target import connection_to, hung_up_after
from mmload.model import NS_PER_S
from mmload.profile import Target
from mmload.summary import SERVER_METRICS, server_metrics

_MAX_PAGE: Final = 8 * 1024 * 1024
_TIMEOUT_S: Final = 2.0


def metrics_urls(target: Target, url: str) -> tuple[list[str], bool]:
    """Pages to scrape, and whether the profile named them; else the one that most servers have.

    ``url`` is the target's base URL: ``http://host:8000/v1`` gives ``http://host:8000/metrics``.
    """
    named = target.metrics_url
    if named is not None:
        return ([named] if isinstance(named, str) else list(named)), True
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/v1")
    return [urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"{path}/metrics", "", ""))], False


class Scraper:
    """Scrapes ``urls`` every ``interval_s`` from ``start`` to ``stop``."""

    def __init__(self, run_dir: Path, urls: Sequence[str], interval_s: float, tls_verify: bool) -> None:
        self._path = run_dir / SERVER_METRICS
        self._urls = list(urls)
        self._interval_s = interval_s
        self._tls_verify = tls_verify
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._file: IO[str] | None = None
        # One anchor: a wall clock that is set during the run moves no scrape against the others.
        self._wall_minus_mono = time.time_ns() - time.monotonic_ns()

    def start(self, named: bool) -> list[str]:
        """Try each page once; begin with those that answer with metrics that we know, and with all that the
        profile ``named``. Returns a line for each of those that did not answer."""
        kept, said = [], []
        for url in self._urls:
            scrape = self._scrape(url)
            good = bool(scrape.get("kind"))
            if good or named:
                kept.append(url)
            if named and not good:
                why = scrape.get("error") or "no metric of a server that is known here"
                said.append(f"target.metrics_url {url}: {why}")
        self._urls = kept
        if kept:
            self._file = self._path.open("w", encoding="utf-8")
            self._thread = threading.Thread(target=self._run, name="scraper", daemon=True)
            self._thread.start()
        return said

    def stop(self) -> None:
        """Scrape once more, and end."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(len(self._urls) * _TIMEOUT_S + 1)
            self._thread = None

    def _run(self) -> None:
        """Until told to end, or nothing can be written any more: the run itself will say so."""
        assert self._file is not None
        with contextlib.suppress(OSError), self._file as file:
            due = time.monotonic()
            while True:
                last = self._ended.wait(max(0.0, due - time.monotonic()))
                for url in self._urls:
                    file.write(json.dumps(self._scrape(url), separators=(",", ":")) + "\n")
                file.flush()
                if last:
                    return
                # A page that took long skips the readings that it missed.
                due += self._interval_s * max(1, -(-(time.monotonic() - due) // self._interval_s))

    def _scrape(self, url: str) -> dict[str, Any]:
        """One reading: ``url``, ``unix_s`` (middle of the request), what the page says or ``error``."""
        before = time.monotonic_ns()
        try:
            page = server_metrics.read(fetch(url, self._tls_verify))
        except (OSError, http.client.HTTPException, ValueError) as e:
            return {"url": url, "unix_s": self._unix_s(before), "error": _reason(e)}
        return {
            "url": url,
            "unix_s": self._unix_s((before + time.monotonic_ns()) // 2),
            **page._asdict(),
        }

    def _unix_s(self, mono_ns: int) -> float:
        return round((mono_ns + self._wall_minus_mono) / NS_PER_S, 4)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:g} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]


def fetch(url: str, tls_verify: bool) -> str:
    """The page at ``url``. No redirect is followed and no credential sent.

    Raises ``OSError``, ``HTTPException``, or ``ValueError`` for an answer other than 200.
    """
    parts = urlsplit(url)
    connection = connection_to(parts, _TIMEOUT_S, tls_verify)
    try:
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        with hung_up_after(connection, _TIMEOUT_S):
            connection.request("GET", path, headers={"Accept": "text/plain"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"HTTP {answer.status}")
            page = answer.read(_MAX_PAGE)
        return page.decode("utf-8", "replace")
    finally:
        connection.close()
