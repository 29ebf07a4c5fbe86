"""TLS is verified unless told otherwise; a step of the wall clock spoils no stamp."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BODY = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
TIMEOUTS = {"connect_timeout_s": 2.0, "first_byte_timeout_s": 2.0, "total_timeout_s": 4.0}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *made.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return key, cert


@pytest.fixture
def secure_url(certificate: tuple[Path, Path]) -> Iterator[str]:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_all, args=(listener, context), daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}/v1"


def answer_all(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(client, context), daemon=True).start()


def answer(client: socket.socket, context: ssl.SSLContext) -> None:
    try:
        with context.wrap_socket(client, server_side=True) as secured:
            while received(secured):
                secured.sendall(ANSWER)
    except OSError:
        pass


def received(secured: ssl.SSLSocket) -> bool:
    """One request, read to its last byte."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = secured.recv(65536)
        if not piece:
            return False
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(
        next(h for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")).split(b":")[1]
    )
    while len(body) < length:
        body += secured.recv(65536)
    return True


def test_an_unknown_certificate_is_refused_by_default(secure_url: str, send: Any) -> None:
    ((record,),) = send([{"url": secure_url, **TIMEOUTS}])
    assert (record["outcome"], record["error"]) == ("failed", "tls_cert")


def test_without_verification_the_answer_comes_and_carries_the_kernels_time(
    secure_url: str, send: Any
) -> None:
    ((first, second),) = send(
        [{"url": secure_url, "tls_verify": False, "times": 2, "padding": 300_000, **TIMEOUTS}]
    )
    assert (first["outcome"], first["answer"]) == ("ok", "hi")
    assert (second["outcome"], second["reused_connection"]) == ("ok", True)
    assert first["kernel_clock"] and first["sent_ns"] <= first["first_byte_ns"] <= first["end_ns"]


def test_a_connection_stands_ready_over_tls_whatever_the_server_says_after_the_handshake(
    secure_url: str, send: Any
) -> None:
    ((first, second),) = send(
        [{"url": secure_url, "tls_verify": False, "times": 2, "standing": 1, **TIMEOUTS}]
    )
    assert (first["outcome"], first["reused_connection"], first["stale_retries"]) == ("ok", True, 0)
    assert (second["outcome"], second["reused_connection"]) == ("ok", True)


def test_plain_http_where_tls_was_promised_is_a_failed_handshake(send: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=speak_http, args=(listener,), daemon=True).start()
        ((record,),) = send([{"url": f"https://127.0.0.1:{listener.getsockname()[1]}/v1", **TIMEOUTS}])
    assert record["error"] == "tls_handshake"


def speak_http(listener: socket.socket) -> None:
    client, _ = listener.accept()
    client.recv(1000)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    client.close()


def test_a_certificate_that_the_system_trusts_is_accepted(
    secure_url: str, certificate: tuple[Path, Path], send: Any
) -> None:
    ((record,),) = send([{"url": secure_url, **TIMEOUTS}], SSL_CERT_FILE=str(certificate[1]))
    assert record["outcome"] == "ok", record["error_detail"]


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_of_the_wall_clock_leaves_every_stamp_possible(
    fault_urls: dict[str, str], send: Any, step_s: int
) -> None:
    case = {"url": fault_urls["ok"], "times": 2, "clock_step_s": step_s, **TIMEOUTS}
    ((first, second),) = send([case])
    assert first["outcome"] == second["outcome"] == "ok"
    assert not first["kernel_clock"], "its stamps are the user's, and say so"
    assert first["sent_ns"] <= first["first_byte_ns"] <= first["end_ns"]
    assert (first["end_ns"] - first["sent_ns"]) / 1e9 < 4
    assert second["kernel_clock"], "the offset was sampled anew"
