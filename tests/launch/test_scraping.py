"""The thread that reads the target's metrics page: steady, bounded, and harmless where there is no page."""

import contextlib
import itertools
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmload.launch import scraping
from mmload.launch.scraping import Scraper, metrics_urls
from mmload.launch.target import probe
from mmload.profile import Target

PAGE = b"vllm:num_requests_running 3\nvllm:num_requests_waiting 1\n"


class Handler(BaseHTTPRequestHandler):
    seen: list[dict] = []  # noqa: RUF012

    def do_GET(self):
        self.seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        body = PAGE if self.path == "/metrics" else b"# nothing of ours\nup 1\n"
        self.send_response({"/gone": 404, "/moved": 302}.get(self.path, 200))
        if self.path == "/moved":
            self.send_header("Location", "/metrics")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def base():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def lines(folder):
    return [json.loads(line) for line in (folder / "server_metrics.jsonl").read_text().splitlines()]


def test_a_page_is_read_from_start_to_stop_and_once_more(tmp_path, base):
    began = time.time()
    scraper = Scraper(tmp_path, [f"{base}/metrics"], 0.2, True)
    assert scraper.start(named=False) == []
    time.sleep(0.5)
    scraper.stop()
    scraper.stop()
    rows = lines(tmp_path)
    assert 2 <= len(rows) <= 6
    assert all(row["values"] == {"running": 3.0, "waiting": 1.0} and row["kind"] == "vllm" for row in rows)
    assert began - 1 < rows[0]["unix_s"] <= rows[-1]["unix_s"] < time.time() + 1
    assert not any({"authorization", "x-api-key", "cookie"} & seen.keys() for seen in Handler.seen)


@pytest.mark.parametrize("path", ["/gone", "/other", "/moved"])
def test_a_guessed_page_that_is_none_is_tried_once_and_leaves_nothing(tmp_path, base, path):
    scraper = Scraper(tmp_path, [base + path], 0.2, True)
    assert scraper.start(named=False) == []
    scraper.stop()
    assert [seen["path"] for seen in Handler.seen] == [path]
    assert not (tmp_path / "server_metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("path", "why"), [("/gone", "HTTP 404"), ("/moved", "HTTP 302"), ("/other", "no metric of a server")]
)
def test_a_page_that_the_profile_names_is_told_of_and_tried_on(tmp_path, base, path, why):
    scraper = Scraper(tmp_path, [base + path], 0.2, True)
    (said,) = scraper.start(named=True)
    scraper.stop()
    assert said.startswith(f"target.metrics_url {base}{path}: {why}")
    assert lines(tmp_path)


def test_where_nobody_listens_is_an_error_in_the_file(tmp_path):
    scraper = Scraper(tmp_path, ["http://127.0.0.1:1/metrics"], 0.2, True)
    assert "refused" in scraper.start(named=True)[0]
    scraper.stop()
    assert "refused" in lines(tmp_path)[0]["error"]


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/metrics"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/metrics"),
        ("https://localhost/gateway/v1", "https://localhost/gateway/metrics"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/metrics"),
    ],
)
def test_the_page_beside_v1_is_guessed(url, page):
    assert metrics_urls(Target(url=url), url) == ([page], False)


def test_what_the_profile_names_is_taken_and_an_empty_list_is_none():
    two = ["http://127.0.0.1:1/metrics", "http://127.0.0.1:2/metrics"]
    assert metrics_urls(Target(url="http://x/v1", metrics_url=two), "http://x/v1") == (two, True)
    assert metrics_urls(Target(url="http://x/v1", metrics_url=two[0]), "http://x/v1") == (two[:1], True)
    assert metrics_urls(Target(url="http://x/v1", metrics_url=[]), "http://x/v1") == ([], True)


@pytest.fixture
def dripping():
    """A server that sends a byte of its answer every 0.1 s, for ever."""

    def drip(client):
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            for piece in itertools.chain([begin], itertools.repeat(b"x")):
                client.sendall(piece)
                time.sleep(0.1)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    begin = b"HTTP/1.1 200 OK\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_page_that_drips_for_ever_is_left(tmp_path, dripping, monkeypatch):
    monkeypatch.setattr(scraping, "_TIMEOUT_S", 0.5)
    scraper = Scraper(tmp_path, [f"{dripping}/metrics"], 0.2, True)
    (said,) = scraper.start(named=True)
    scraper.stop()
    assert "no answer within 0.5 s" in said


def test_a_target_that_drips_its_list_of_models_is_there(dripping):
    began = time.monotonic()
    probe(Target(url=f"{dripping}/v1", connect_timeout_s=1.0))
    assert time.monotonic() - began < 5
