"""The practice target as a process: ready line, refusal of bad options, a clean end."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def start(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mmload.serve", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_says_where_it_listens_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    process = start("--ready-file", str(ready_file))
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert json.loads(ready_file.read_text()) == ready
        assert ready["pid"] == process.pid
        with urllib.request.urlopen(ready["url"] + "/models") as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--config", "{"], "--config"),
        (["--config", '{"wokers": 2}'], "wokers"),
        (["--config", '{"workers": 0}'], "workers"),
        (["--config", "@/nowhere.json"], "/nowhere.json"),
    ],
)
def test_a_bad_option_gets_one_message_and_exit_code_2(options: list[str], words: str) -> None:
    process = start(*options)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_request_in_flight_is_answered_before_it_ends() -> None:
    process = start("--config", '{"speed": 0.5}')
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        body = json.dumps({"model": "sim-large", "messages": [{"role": "user", "content": "hello"}]}).encode()
        script = (
            "import sys, urllib.request as u\n"
            "r = u.Request(sys.argv[1], sys.stdin.buffer.read(), {'Content-Type': 'application/json'})\n"
            "print('asking', flush=True)\n"
            "print(u.urlopen(r).status)\n"
        )
        client = subprocess.Popen(
            [sys.executable, "-c", script, url + "/chat/completions"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(body)
        client.stdin.close()
        assert client.stdout.readline() == b"asking\n"
        metrics = url.removesuffix("/v1") + "/metrics"
        running = 'vllm:num_requests_running{model_name="sim-large"} 1.0'
        while running not in urllib.request.urlopen(metrics).read().decode():
            assert client.poll() is None
        process.send_signal(signal.SIGTERM)
        assert client.stdout.read() == b"200\n"
        assert process.wait(20) == 0
    finally:
        process.kill()
