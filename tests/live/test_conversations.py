"""Sessions end to end: order, pauses and counts, held against a target's own log."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq
import pytest
from whole_runs import Mmload

pytestmark = pytest.mark.live

THINK_S, ANSWER_S = 0.2, 0.05
TALK = f"""
[sessions]
turns = 2
think_time_s = {THINK_S}
think = "constant"
[[phase]]
name = "talk"
shape = "sustained"
duration_s = 2
rpm = 600
"""
Log = list[dict[str, Any]]


class Logging(BaseHTTPRequestHandler):
    """Answers every question after 50 ms; turns away first questions whose number is 3, 7, 11..."""

    protocol_version = "HTTP/1.1"
    log: Log
    lock = threading.Lock()

    def do_POST(self) -> None:
        came = time.monotonic()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = [m for m in body["messages"] if m["role"] != "system"]
        with self.lock:
            firsts = sum(entry["turn"] == 1 for entry in self.log)
            broken = len(said) == 1 and firsts % 4 == 3
            entry = {"seq": int(self.headers["x-request-id"][16:], 16), "turn": (len(said) + 1) // 2,
                     "said": said, "came": came, "ok": not broken}  # fmt: skip
            self.log.append(entry)
        time.sleep(ANSWER_S)
        answer = {"model": "m", "choices": [{"message": {"content": "no"}, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": 1, "completion_tokens": 1}}  # fmt: skip
        raw = json.dumps(answer).encode()
        self.send_response(500 if broken else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        entry["went"] = time.monotonic()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[tuple[str, Log]]:
    Logging.log = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Logging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", Logging.log
    finally:
        server.shutdown()
        server.server_close()


def test_turns_follow_each_other_with_their_pauses_and_every_one_is_accounted_for(
    mmload: Mmload, target: tuple[str, Log]
) -> None:
    url, log = target
    ran = mmload(TALK, "--target", url, "--set", "target.streaming=0.0")
    counts, sessions = ran.summary["counts"], ran.summary["sessions"]
    assert counts["planned"] == 20 == counts["ok"] + counts["failed"] + counts["not_sent"]
    assert (sessions["planned"], sessions["begun"], sessions["completed"]) == (10, 10, 8)
    assert counts["errors"] == {"http_5xx": 2, "session_ended": 2} and len(log) == counts["sent"] == 18
    assert [(t["turn"], t["planned"], t["ok"], t["not_sent"]) for t in sessions["by_turn"]] == [
        (1, 10, 8, 0),
        (2, 10, 8, 2),
    ]

    rows = {row["seq"]: row for row in pq.read_table(ran.folder / "requests.parquet").to_pylist()}
    seen = {entry["seq"]: entry for entry in log}
    for row in rows.values():
        assert (row["session"], row["turn"]) == (row["seq"] - row["turn"] + 1, row["seq"] % 2 + 1)
        if row["turn"] == 2 and row["seq"] in seen:
            first, second = seen[row["session"]], seen[row["seq"]]
            # The target's own clock: between the answer that it gave and the question that it got.
            assert first["ok"] and second["came"] - first["went"] >= THINK_S
            assert second["said"][0] == first["said"][0], "the first question stands in the second request"
            assert [m["role"] for m in second["said"]] == ["user", "assistant", "user"]
            before = rows[row["session"]]
            assert row["due_ns"] == before["end_ns"] + THINK_S * 1e9
            # Latency counts from that due time, and holds what the target took.
            assert row["e2e_ms"] == (row["end_ns"] - row["due_ns"]) / 1e6 >= ANSWER_S * 1e3 * 0.98
    starts = sorted(row["due_ns"] for row in rows.values() if row["turn"] == 1)
    assert {b - a for a, b in pairwise(starts)} == {200_000_000}, "600 a minute in pairs: 5 sessions a second"


def test_two_workers_send_what_one_sends_and_answer_from_what_was_said(mmload: Mmload) -> None:
    one = mmload(TALK, name="one")
    two = mmload(TALK, "--workers", "2", name="two")
    assert one.summary["run"]["workload_fingerprint"] == two.summary["run"]["workload_fingerprint"]
    for ran in (one, two):
        assert ran.code == 0, ran.stderr
        assert ran.summary["counts"]["ok"] == 20 and ran.summary["sessions"]["completed"] == 10
        assert ran.summary["quality"]["score"] > 0.6 and ran.summary["quality"]["safety"]["cross_talk"] == 0
        first, second = ran.summary["sessions"]["by_turn"]
        assert first["cached_ratio"] < 0.4 < second["cached_ratio"] and set(
            ran.summary["quality"]["by_slice"]["turn"]
        ) == {"1", "2"}
    columns = ["seq", "item", "session", "turn", "phase"]
    tables = [
        pq.read_table(r.folder / "requests.parquet", columns=columns).sort_by("seq") for r in (one, two)
    ]
    assert tables[0].equals(tables[1])
