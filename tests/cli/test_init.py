"""``mmload init`` finds out what it can, asks nothing, and writes a profile that ``check`` accepts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mmload.profile import load

from .conftest import Run


class Endpoint(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint whose habits a test sets."""

    models: ClassVar[Any] = ["vision-1", "vision-2"]
    key: ClassVar[str | None] = None
    images: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    broken: ClassVar[bool] = False
    list_broken: ClassVar[bool] = False
    asked: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        if self.key and self.headers.get("Authorization") != f"Bearer {self.key}":
            self.reply(401, {"error": {"message": "no key"}})
        elif self.list_broken:
            self.reply(503, {"error": {"message": "loading the\nmodel"}})
        elif self.path == "/v1/models" and self.models is not None:
            self.reply(200, {"object": "list", "data": [{"id": name} for name in self.models]})
        else:
            self.reply(404, {"error": "not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append(body)
        has_image = isinstance(body["messages"][0]["content"], list)
        if self.broken:
            self.reply(500, {"error": {"message": "out of memory"}})
        elif has_image and not self.images:
            self.reply(400, {"error": {"message": "text only"}})
        elif body["stream"] and self.streams:
            self.reply(200, b"data: [DONE]\n\n", "text/event-stream")
        else:
            self.reply(200, {"choices": [{"message": {"content": "red"}}]})

    def reply(self, status: int, body: Any, kind: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[type[Endpoint]]:
    """A running endpoint; its class holds ``url`` and its habits."""
    kind = type("Mine", (Endpoint,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    kind.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]  # the test's own
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield kind
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_profile_is_written_that_check_accepts(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    ended = mmload("init", endpoint.url, "--out", out)
    assert ended.code == 0
    assert "vision-1, streams, takes images, answered in" in ended.out
    profile = load(out)
    assert profile.target.url == f"{endpoint.url}/v1"
    assert profile.target.model == "vision-1"
    assert profile.target.streaming > 0
    assert mmload("check", out, "--strict").code == 0
    assert out.read_text().count("#") > 20


def test_what_it_found_is_told_as_json(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    result = mmload(
        "init", f"{endpoint.url}/v1", "--out", tmp_path / "a.toml", "--json", "--model", "vision-2"
    ).json
    assert result["model"] == "vision-2"
    assert result["models"] == ["vision-1", "vision-2"]
    assert result["streams"] is True
    assert result["images"] is True
    assert [body["stream"] for body in endpoint.asked] == [False, True]


def test_an_endpoint_that_does_not_stream_or_see_is_described_so(
    mmload: Run, endpoint: Any, tmp_path: Path
) -> None:
    endpoint.images = endpoint.streams = False
    ended = mmload("init", endpoint.url, "--out", tmp_path / "a.toml")
    assert "does not stream, took no image" in ended.out
    assert load(tmp_path / "a.toml").target.streaming == 0
    assert "refused a small picture" in (tmp_path / "a.toml").read_text()
    assert mmload("check", tmp_path / "a.toml").code == 0


def test_an_endpoint_without_a_list_of_models_needs_a_name(
    mmload: Run, endpoint: Any, tmp_path: Path
) -> None:
    endpoint.models = None
    ended = mmload("init", endpoint.url, "--out", tmp_path / "a.toml")
    assert ended.code == 2
    assert "it lists no models; name one with --model" in ended.err
    assert mmload("init", f"{endpoint.url}/v1", "--out", tmp_path / "a.toml", "--model", "mine").code == 0


def test_a_list_of_models_that_fails_is_told(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    endpoint.list_broken = True
    said = mmload("init", endpoint.url, "--out", tmp_path / "a.toml").err
    assert "it lists no models (HTTP 503: loading the model); name one with --model" in said


def test_the_path_of_the_chat_is_taken_for_its_base(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    out = tmp_path / "a.toml"
    assert mmload("init", f"{endpoint.url}/v1/chat/completions", "--out", out).code == 0
    assert load(out).target.url == f"{endpoint.url}/v1"


def test_a_failing_question_is_told_and_the_profile_written(
    mmload: Run, endpoint: Any, tmp_path: Path
) -> None:
    endpoint.broken = True
    ended = mmload("init", endpoint.url, "--out", tmp_path / "a.toml")
    assert ended.code == 0
    assert "the small question failed: HTTP 500: out of memory" in ended.out
    assert load(tmp_path / "a.toml").name == "vision-1"


def test_names_that_would_break_the_file_are_quoted(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    endpoint.models = ['a"b\n[gates]', "é/\x1b[31m# x"]
    assert mmload("init", endpoint.url, "--out", tmp_path / "a.toml").code == 0
    assert load(tmp_path / "a.toml").target.model == 'a"b\n[gates]'


def test_a_key_is_read_from_its_variable_and_never_written(
    mmload: Run, endpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.key = "sk-very-secret"
    out = tmp_path / "a.toml"
    assert (
        "it wants a key; name its variable with --api-key-env"
        in mmload("init", endpoint.url, "--out", out).err
    )
    assert "MY_KEY is not set" in mmload("init", endpoint.url, "--out", out, "--api-key-env", "MY_KEY").err
    monkeypatch.setenv("MY_KEY", "sk-wrong")
    refused = mmload("init", endpoint.url, "--out", out, "--api-key-env", "MY_KEY")
    assert "it refuses the key" in refused.err
    assert "sk-wrong" not in refused.err
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    ended = mmload("init", endpoint.url, "--out", out, "--api-key-env", "MY_KEY")
    assert ended.code == 0
    assert "sk-very-secret" not in out.read_text() + ended.out + ended.err
    assert load(out).target.api_key_env == "MY_KEY"


def test_a_file_is_not_overwritten_unless_forced(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    out = tmp_path / "a.toml"
    out.write_text("mine")
    ended = mmload("init", endpoint.url, "--out", out)
    assert (ended.code, out.read_text()) == (2, "mine")
    assert "--force" in ended.err
    assert mmload("init", endpoint.url, "--out", out, "--force").code == 0


def test_an_unwritable_place_is_exit_code_2(mmload: Run, endpoint: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = mmload("init", endpoint.url, "--out", tmp_path / "file" / "a.toml")
    assert ended.code == 2
    assert "cannot be written" in ended.err


def test_the_embedded_pipeline_needs_no_endpoint(mmload: Run, tmp_path: Path) -> None:
    out = mmload("init", "sim", "--out", "-").out
    (tmp_path / "a.toml").write_text(out)
    assert load(tmp_path / "a.toml").target.engine == "sim"


def test_the_profile_and_json_cannot_both_be_printed(mmload: Run) -> None:
    ended = mmload("init", "sim", "--out", "-", "--json")
    assert (ended.code, ended.out) == (2, "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "nor sim or ocr; did you mean http://localhost:8000?"),
        ("ftp://example.com/v1", 'not a URL as "http://127.0.0.1:8000/v1"'),
        ("http://192.0.2.1/v1", "is not this machine; add --allow-remote"),
        ("ftp://127.0.0.1/", 'not a URL as "http://127.0.0.1:8000/v1"'),
    ],
)
def test_a_wrong_url_is_exit_code_2(mmload: Run, url: str, message: str) -> None:
    ended = mmload("init", url)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_an_unreachable_endpoint_is_exit_code_2(mmload: Run) -> None:
    ended = mmload("init", f"http://127.0.0.1:{free_port()}/v1")
    assert ended.code == 2
    assert "cannot be reached: Connection refused; is the pipeline running?" in ended.err


def test_a_server_that_speaks_no_http_is_exit_code_2(mmload: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        ended = mmload("init", f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        thread.join()
    assert ended.code == 2
    assert "does not speak HTTP" in ended.err
