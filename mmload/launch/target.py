"""Whether there is anything at the target's address that speaks HTTP, before a run is begun."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from mmload.model import InputError
from mmload.plugins import adapter_of
from mmload.profile import Target, api_key


def connection_to(parts: SplitResult, timeout_s: float, tls_verify: bool) -> http.client.HTTPConnection:
    """To the host of a URL, not yet open."""
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    context = ssl.create_default_context()
    if not tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)


@contextmanager
def hung_up_after(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Open it, and end it after so many seconds: the timeout of a socket begins anew with each byte.

    Raises ``TimeoutError`` then, else what connecting and the body of the ``with`` raise.
    """
    connection.connect()
    sock, over = connection.sock, threading.Event()

    def hang_up() -> None:
        over.set()
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError


def probe(target: Target) -> str:
    """One harmless GET of the list of models, with the run's headers; any HTTP answer will do.

    Gives what to warn of: a refused key. A list may ask for another key than an answer does, so that this
    alone does not end a run. Raises ``InputError`` for a target that cannot be reached, is no HTTP server, or
    whose key variable is not set.
    """
    key = api_key(target, os.environ)
    headers = {**adapter_of(target).headers(key), **target.headers}
    assert target.url is not None
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    where = f"target.url = {target.url!r}"
    timeout = target.connect_timeout_s
    connection = connection_to(parts, timeout, target.tls_verify)
    try:
        with hung_up_after(connection, timeout):
            connection.request("GET", f"{parts.path.rstrip('/')}/models", headers=headers)
            status = connection.getresponse().status
    except ssl.SSLCertVerificationError as e:
        raise InputError(
            f"{where}: its certificate does not verify ({e.verify_message}); "
            "set target.tls_verify = false only for a host that you know"
        ) from None
    except ConnectionRefusedError:
        raise InputError(f"{where}: nobody listens there (connection refused)") from None
    except TimeoutError:
        raise InputError(f"{where}: no answer within {timeout:g} s") from None
    except socket.gaierror:
        raise InputError(f"{where}: the host name {host!r} cannot be resolved") from None
    except http.client.HTTPException as e:
        raise InputError(
            f"{where}: it answers, but not in HTTP ({type(e).__name__}); is it an https address?"
        ) from None
    except OSError as e:
        raise InputError(f"{where}: cannot be reached ({e.strerror or e})") from None
    finally:
        connection.close()
    if status != HTTPStatus.UNAUTHORIZED:
        return ""
    wants = "it refuses the key" if key else "it wants a key; name its variable in target.api_key_env"
    return f"warning: {where}: HTTP 401 for the list of models: {wants}"
