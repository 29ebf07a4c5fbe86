"""Jobs that are asked for until they are done, through the real lane, against a pipeline of jobs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """
[request]
path = "/jobs"
body = '{"q": {{ prompt | tojson }}}'
[answer]
text = "result.text"
tokens_out = "result.tokens"
error = "error"
[poll]
url = "status_url"
done = "state == 'done'"
failed = "state == 'failed'"
every_s = 0.02
"""
DONE = {"state": "done", "result": {"text": "all is well", "tokens": 4}}
TIMEOUTS = {"first_byte_timeout_s": 1.0, "idle_timeout_s": 1.0, "total_timeout_s": 1.0}


class Jobs(BaseHTTPRequestHandler):
    """``POST /KIND/v1/jobs`` makes a job; ``GET`` tells of it, and finishes it at the third time."""

    protocol_version = "HTTP/1.1"
    asked: dict[str, list[dict[str, str]]] = {}  # noqa: RUF012

    @property
    def kind(self) -> str:
        return self.path.split("/")[1]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked[self.kind] = [{k.lower(): v for k, v in self.headers.items()}]
        at = f"/{self.kind}/v1/jobs/7"
        if self.kind == "elsewhere":
            at = f"http://127.0.0.2:{self.server.server_address[1]}{at}"
        elif self.kind == "absolute":
            at = f"http://{self.headers['Host']}{at}?full=1"
        elif self.kind == "relative":
            at = "jobs/7"
        if self.kind == "at-once":
            self.say(200, DONE)
        else:
            self.say(202, {"state": "queued", "status_url": at})

    def do_GET(self) -> None:
        rounds = self.asked[self.kind]
        rounds.append({k.lower(): v for k, v in self.headers.items()} | {"path": self.path})
        if self.kind == "broken" and len(rounds) == 3:
            self.say(500, {"error": {"message": "the worker died"}})
        elif self.kind == "failed" and len(rounds) == 3:
            self.say(200, {"state": "failed", "error": "no such picture"})
        elif self.kind == "never" or len(rounds) <= 3:
            self.say(200, {"state": "running"})
        else:
            self.say(200, DONE)

    def say(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if self.kind == "closing":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def records(send: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    file: Path = tmp_path_factory.mktemp("jobs") / "pipeline.toml"
    file.write_text(PIPELINE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Jobs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kinds = ["path", "absolute", "relative", "closing", "at-once", "elsewhere", "failed", "broken", "never"]
    base = f"http://127.0.0.1:{server.server_address[1]}"
    cases = [
        {"url": f"{base}/{kind}/v1", "file": str(file), "protocol": "template", "template": str(file),
         "api_key_env": "JOB_KEY", **TIMEOUTS}
        for kind in kinds
    ]  # fmt: skip
    rows = send(cases, JOB_KEY="canary-77")
    server.shutdown()
    server.server_close()
    yield {kind: row[0] for kind, row in zip(kinds, rows, strict=True)}


@pytest.mark.parametrize("kind", ["path", "absolute", "relative", "closing"])
def test_a_job_is_asked_for_until_it_is_done(records: dict[str, Any], kind: str) -> None:
    record = records[kind]
    assert (record["outcome"], record["answer"]) == ("ok", "all is well"), record["error_detail"]
    assert (record["tokens_out"], record["status"], record["attempts"]) == (4, 200, 1)
    assert len(Jobs.asked[kind]) == 4
    assert record["end_ns"] - record["sent_ns"] > 3 * 20_000_000
    assert record["sent_ns"] < record["first_byte_ns"] < record["end_ns"]


def test_an_answer_that_comes_at_once_is_taken_at_once(records: dict[str, Any]) -> None:
    assert (records["at-once"]["outcome"], records["at-once"]["answer"]) == ("ok", "all is well")
    assert len(Jobs.asked["at-once"]) == 1


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("failed", "api_error_in_stream", "no such picture"),
        ("broken", "http_5xx", "the worker died"),
        ("never", "total_timeout", "the job was not done"),
        ("elsewhere", "redirect", "not on the target"),
    ],
)
def test_a_job_that_does_not_end_well_has_its_kind(
    records: dict[str, Any], kind: str, error: str, said: str
) -> None:
    record = records[kind]
    assert (record["outcome"], record["error"]) == ("failed", error)
    assert said in record["error_detail"]
    assert record["end_ns"] - record["due_ns"] < 2e9


def test_no_question_leaves_for_another_host(records: dict[str, Any]) -> None:
    assert len(Jobs.asked["elsewhere"]) == 1


def test_every_question_carries_the_key_and_the_ids_of_its_request(records: dict[str, Any]) -> None:
    for kind in ("path", "closing"):
        asked = Jobs.asked[kind]
        assert {headers["authorization"] for headers in asked} == {"Bearer canary-77"}
        assert len({headers["x-request-id"] for headers in asked}) == 1
        for headers in asked:
            version, trace, parent, flags = headers["traceparent"].split("-")
            assert (version, flags, len(trace), len(parent)) == ("00", "01", 32, 16)
            assert trace == headers["x-request-id"]
        assert "content-type" in asked[0] and "content-type" not in asked[1]
