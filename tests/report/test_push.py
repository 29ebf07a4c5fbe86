"""The metrics at a real Pushgateway (Debian's)."""

import socket
import subprocess
import time
import urllib.request

import pytest

from mmload.report.push import Pusher
from tests.report.test_prometheus import fill, make


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = (tmp_path_factory.mktemp("gateway") / "log").open("w")
    process = subprocess.Popen(
        ["prometheus-pushgateway", f"--web.listen-address={address}", "--persistence.file="],
        stdout=log,
        stderr=log,
    )
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(f"http://{address}/-/ready", timeout=1)
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://{address}"
    process.terminate()
    process.wait(20)
    log.close()


def page(gateway):
    return urllib.request.urlopen(f"{gateway}/metrics", timeout=5).read().decode()


@pytest.mark.live
def test_a_run_is_one_group_that_is_replaced_and_can_be_deleted(gateway):
    metrics, said = make(), []
    fill(metrics, 0, bad=True)
    pusher = Pusher(gateway, "r-1", metrics, said.append, every_s=0.05)
    pusher.start()
    give_up = time.monotonic() + 10
    while 'run_id="r-1"' not in page(gateway) and time.monotonic() < give_up:
        time.sleep(0.05)
    fill(metrics, 1, bad=True)
    assert pusher.stop() and said == []
    text = page(gateway)
    ok = [line for line in text.splitlines() if line.startswith("mmload_requests_total") and '"ok"' in line]
    assert ok and all('job="mmload"' in line and 'run_id="r-1"' in line for line in ok)
    assert sum(float(line.rsplit(" ", 1)[1]) for line in ok) == 80
    other = Pusher(gateway, "r-2", make(), said.append)
    assert other.stop() and pusher.delete()
    text = page(gateway)
    assert 'run_id="r-1"' not in text and 'run_id="r-2"' in text


def test_a_gateway_that_is_not_there_is_one_warning():
    said = []
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        pusher = Pusher(f"http://127.0.0.1:{nobody.getsockname()[1]}", "r", make(), said.append)
        assert not pusher.stop() and not pusher.stop()
    assert len(said) == 1 and "Connection refused" in said[0]
