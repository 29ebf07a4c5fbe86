"""What a connection asks of the kernel."""

import socket
from pathlib import Path

import pytest

from mmload.drive.clock import Clock
from mmload.drive.connection import Connection

SYSTEMS_CHOICE = Path("/proc/sys/net/ipv4/tcp_congestion_control")


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("127.0.0.1", "reno"), ("0.0.0.0", SYSTEMS_CHOICE.read_text().strip())],
    ids=["loopback", "any other address"],
)
def test_on_loopback_alone_nothing_is_paced(host: str, wanted: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(Clock(), idle_ns=10**9)
        try:
            connection.connect((socket.AF_INET, (host, listener.getsockname()[1])), "", None)
            chosen = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        finally:
            connection.close()
    assert chosen.rstrip(b"\0").decode() == wanted
