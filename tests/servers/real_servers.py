"""mmload against servers that nobody here wrote: LiteLLM's proxy, and ``transformers serve``.

Heavy to install, so not part of the suite: ``make test-servers`` makes an environment of its own for them and
runs this file. Everything is on loopback, and nothing is downloaded at run time.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from whole_runs import command

HERE = Path(__file__).parent
SERVERS = Path(os.environ.get("MMLOAD_SERVERS_VENV", HERE.parents[1] / ".venv-servers"))
KEY = "sk-practice"
MIX = """
[mix]
items = 60
unanswerable = 0.15
images = { s = { width = 512, height = 512, weight = 1 } }
prompt_tokens = { 64 = 0.6, 256 = 0.4 }
images_per_request = { "1" = 0.5, "2" = 0.5 }
[slo.default]
e2e_ms = 60000
"""
PHASE = """
[[phase]]
name = "closed"
shape = "sustained"
duration_s = 4
users = 2
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def running(words: list[str], ready: str, log: Path, **environment: str) -> Iterator[None]:
    """A server as a process, from when ``ready`` answers until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=os.environ | environment)
    try:
        give_up = time.monotonic() + 120
        while not answers(ready):
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()[-3000:]
            time.sleep(0.3)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Ran:
    def __init__(self, folder: Path) -> None:
        self.summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        self.rows: list[dict[str, Any]] = pq.read_table(folder / "requests.parquet").to_pylist()

    @property
    def streamed(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["streaming"]]


def drive(folder: Path, target: str, key: str = KEY) -> Ran:
    profile = folder / "profile.toml"
    profile.write_text(f'name = "real"\ndrain_s = 30\n[target]\n{target}\n{PHASE}{MIX}')
    words = command("run", str(profile), "--out", str(folder / "run"), "--no-progress", "--quiet")
    done = subprocess.run(words, env=os.environ | {"GATEWAY_KEY": key}, capture_output=True, text=True)
    assert (folder / "run" / "summary.json").exists(), done.stderr
    return Ran(folder / "run")


# --- LiteLLM's proxy in front of the practice pipeline ---------------------------------------------


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Base URLs of the gateway and of the practice pipeline behind it."""
    folder = tmp_path_factory.mktemp("gateway")
    port, behind = free_port(), free_port()
    practice = folder / "practice.toml"
    practice.write_text(
        f'name = "practice"\n[target]\nengine = "sim"\n[target.sim]\nspeed = 10\n{PHASE}{MIX}'
    )
    model = {"model": "openai/sim-large", "api_base": f"http://127.0.0.1:{behind}/v1", "api_key": "none"}
    config = folder / "litellm.json"
    config.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "sim-large", "litellm_params": model}],
                "general_settings": {"master_key": KEY},
            }
        )
    )
    proxy = [
        str(SERVERS / "bin" / "litellm"),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    serve = command("serve", str(practice), "--port", str(behind))
    with (
        running(serve, f"http://127.0.0.1:{behind}/health", folder / "serve.log"),
        running(proxy, ready, folder / "proxy.log", **quiet),
    ):
        yield f"http://127.0.0.1:{port}/v1", f"http://127.0.0.1:{behind}"


def through(gateway: tuple[str, str], protocol: str, more: str = "") -> str:
    return (
        f'url = "{gateway[0]}"\nmodel = "sim-large"\nprotocol = "{protocol}"\nstreaming = 0.5\n'
        f'api_key_env = "GATEWAY_KEY"\n{more}'
    )


@pytest.mark.parametrize("protocol", ["openai-chat", "openai-responses", "anthropic-messages"])
def test_a_gateway_answers_in_every_protocol(gateway: Any, protocol: str, tmp_path: Path) -> None:
    ran = drive(tmp_path, through(gateway, protocol))
    counts = ran.summary["counts"]
    assert counts["ok"] == counts["planned"] > 15, counts["errors"]
    assert ran.summary["quality"]["score"] > 0.9
    assert {row["usage_source"] for row in ran.rows} == {"usage"}
    assert {row["images"] for row in ran.rows} == {1, 2}
    assert all(row["tokens_out"] > 5 and row["finish_reason"] for row in ran.rows)
    assert ran.streamed and all(row["ttft_ms"] < row["e2e_ms"] for row in ran.streamed)


def test_structured_output_and_tool_calls_pass_the_gateway(gateway: Any, tmp_path: Path) -> None:
    function = '{ name = "give_answer", parameters = { type = "object", properties = {} } }'
    tools = (
        f'[target.body]\ntool_choice = "required"\ntools = [{{ type = "function", function = {function} }}]'
    )
    ran = drive(tmp_path, through(gateway, "openai-chat", tools))
    assert ran.summary["counts"]["ok"] == ran.summary["counts"]["planned"] > 10
    assert all(row["tool_call_events"] for row in ran.rows)
    assert ran.summary["quality"]["score"] > 0.9


def test_a_wrong_key_is_a_refusal_that_says_why(gateway: Any, tmp_path: Path) -> None:
    ran = drive(tmp_path, through(gateway, "anthropic-messages"), key="sk-of-nobody")
    assert set(ran.summary["counts"]["errors"]) == {"http_4xx"}
    assert all("HTTP 40" in row["error_detail"] for row in ran.rows[:20])
    assert "sk-of-nobody" not in json.dumps(ran.rows, default=str)


def test_what_the_gateway_adds_is_where_client_and_server_disagree(gateway: Any, tmp_path: Path) -> None:
    ran = drive(tmp_path, through(gateway, "openai-chat", f'metrics_url = "{gateway[1]}/metrics"'))
    rows = {row["figure"]: row for row in ran.summary["server"]["compared"]}
    assert rows["answers"]["agrees"]
    assert not rows["e2e mean"]["agrees"] and rows["e2e mean"]["client"] > rows["e2e mean"]["server"]
    assert "proxy" in rows["e2e mean"]["reading"]


# --- transformers serve ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Base URL of ``transformers serve``, and the model that it serves: made here, with random weights."""
    folder = tmp_path_factory.mktemp("llava")
    model, port = str(folder / "tiny-llava"), free_port()
    python = str(SERVERS / "bin" / "python")
    subprocess.run([python, str(HERE / "tiny_llava.py"), model], check=True, timeout=240, capture_output=True)
    serve = [
        str(SERVERS / "bin" / "transformers"), "serve", model,
        "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    ready = f"http://127.0.0.1:{port}/v1/models"
    with running(serve, ready, folder / "serve.log", **offline):
        yield f"http://127.0.0.1:{port}/v1", model


@pytest.mark.parametrize(
    ("protocol", "limit"), [("openai-chat", "max_tokens"), ("openai-responses", "max_output_tokens")]
)
def test_a_model_that_nobody_trained_is_served(llava: Any, protocol: str, limit: str, tmp_path: Path) -> None:
    url, model = llava
    aim = f'url = "{url}"\nmodel = "{model}"\nprotocol = "{protocol}"'
    target = f"{aim}\nstreaming = 0.5\nbody = {{ {limit} = 16 }}"
    ran = drive(tmp_path, target)
    counts = ran.summary["counts"]
    assert counts["ok"] == counts["planned"] > 5, counts["errors"]
    assert {row["usage_source"] for row in ran.rows} == {"usage"}
    assert all(row["tokens_in"] > 500 and 0 < row["tokens_out"] <= 16 for row in ran.rows)
    assert {row["images"] for row in ran.rows} == {1, 2}
    assert ran.streamed and all(row["content_events"] > 1 for row in ran.streamed)
    assert ran.summary["server"] is None, "it has no metrics page: absent, and no error"
    assert ran.summary["quality"]["score"] == 0.0, "noise must not pass for an answer"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
