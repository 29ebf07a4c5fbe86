"""A TCP or TLS connection under the hub, whose received bytes carry the kernel's receive time.

Not aware of HTTP beyond handing bytes to an attempt, nor of requests beyond sending them.

Danger: every callback here runs in the hub. It must not block, and a greenlet that it switches to
must come back by ``hub.switch()``.
"""

from __future__ import annotations

import _socket
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import gevent
from gevent.hub import get_hub

from mmload.drive.attempt import Attempt, Failure
from mmload.drive.clock import Clock
from mmload.model import ErrorKind
from mmload.native import receive

_SO_TIMESTAMPNS: Final = 35
_TCP_CONGESTION: Final = getattr(socket, "TCP_CONGESTION", 0)
_MSG_MORE: Final = getattr(socket, "MSG_MORE", 0)
_SENDFILE_FROM: Final = 32 * 1024

_SLACK_NS: Final = 100_000
_IDLE_TIMEOUT: Final = ErrorKind.IDLE_TIMEOUT


class TimedOut(BaseException):
    """Thrown into a lane by the sweeper. Not an ``Exception``: nothing on the way may swallow it."""

    def __init__(self, kind: ErrorKind) -> None:
        super().__init__(kind)
        self.kind = kind


def local_failure(error: OSError, otherwise: ErrorKind) -> Failure:
    """Failures of this machine are told apart: they are never charged to the target."""
    kind = {
        errno.EMFILE: ErrorKind.LOCAL_FD_EXHAUSTED,
        errno.ENFILE: ErrorKind.LOCAL_FD_EXHAUSTED,
        errno.EADDRNOTAVAIL: ErrorKind.LOCAL_PORT_EXHAUSTED,
        errno.ECONNREFUSED: ErrorKind.CONNECT_REFUSED,
        errno.ETIMEDOUT: ErrorKind.CONNECT_TIMEOUT,
    }.get(error.errno or 0, otherwise)
    return Failure(kind, os.strerror(error.errno) if error.errno else str(error))


class Connection:
    """One connection; carries one attempt at a time."""

    def __init__(self, clock: Clock, idle_ns: int) -> None:
        self.clock = clock
        self.idle_ns = idle_ns
        self.hub = get_hub()
        self.sock: Any = None
        self.tls: ssl.SSLObject | None = None
        self.broken = False
        self.established = False
        self.on_loss: Callable[[Connection], None] | None = None
        """Called in the hub when the peer closes it while it stands ready."""
        self.kernel_clock = True
        self.waiting: Any = None
        """Greenlet to switch to when the attempt is over, or when the socket takes more bytes."""
        self.attempt: Attempt | None = None
        self.over = False
        """The attempt that was begun last has ended, be it while its request is still being sent."""
        self.deadline_ns = 0
        self.deadline_kind = ErrorKind.FIRST_BYTE_TIMEOUT
        self.total_deadline_ns = 0
        self._incoming: ssl.MemoryBIO | None = None
        self._outgoing: ssl.MemoryBIO | None = None
        self._reading: Any = None
        self._writing: Any = None

    def connect(self, address: tuple[int, Any], server_name: str, context: ssl.SSLContext | None) -> None:
        """Connect, and shake hands if ``context`` is given. Raises ``Failure``."""
        family, sockaddr = address
        try:
            self.sock = sock = _socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as e:
            raise local_failure(e, ErrorKind.CONNECT_RESET) from None
        self._writing = self.hub.loop.io(sock.fileno(), 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError:
            self.kernel_clock = False
        if _TCP_CONGESTION and ipaddress.ip_address(sockaddr[0]).is_loopback:
            # BBR, where it is the system's choice, paces large requests by timers, which costs a fifth of
            # them; a loopback has nothing that could congest.
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, b"reno")
        code = sock.connect_ex(sockaddr)
        if code == errno.EINPROGRESS:
            self._wait_writable()
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise local_failure(OSError(code, os.strerror(code)), ErrorKind.CONNECT_RESET)
        if context is not None:
            try:
                self._handshake(context, server_name)
            except OSError as e:
                raise local_failure(e, ErrorKind.TLS_HANDSHAKE) from None
        self._reading = self.hub.loop.io(sock.fileno(), 1)
        self._reading.start(self._on_readable)
        self.established = True

    def _handshake(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        reading = self.hub.loop.io(self.sock.fileno(), 1)
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_tls()
            except ssl.SSLCertVerificationError as e:
                raise Failure(ErrorKind.TLS_CERT, e.verify_message) from None
            except ssl.SSLError as e:
                raise Failure(ErrorKind.TLS_HANDSHAKE, e.reason or str(e)) from None
            else:
                self._flush_tls()
                return
            self._wait(reading)
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                continue
            if not data:
                raise Failure(ErrorKind.TLS_HANDSHAKE, "closed during the handshake")
            self._incoming.write(data)

    # --- sending ------------------------------------------------------------------------------

    def send(self, head: bytes, body: memoryview, body_file: int, offset: int, sent: int = 0) -> None:
        """Send one request, of which ``sent`` bytes have left; stops early if the attempt ends before all is
        written.

        ``body`` and ``body_file`` + ``offset`` are the same bytes: the large ones go by ``sendfile``,
        which spares a copy of every image. Raises ``Failure`` if the connection breaks.
        """
        self.over = False
        try:
            if self.tls is not None:
                self.tls.write(head)
                self.tls.write(body)
                self._flush_tls()
            elif len(body) >= _SENDFILE_FROM and body_file >= 0:
                self._send_all(memoryview(head)[sent:], _MSG_MORE)
                done = max(0, sent - len(head))
                self._send_file(body_file, offset + done, len(body) - done)
            else:
                # One small copy costs less than a gathering sendmsg.
                self._send_all(memoryview(head + body)[sent:], 0)
        except OSError as e:
            self.broken = True
            attempt = self.attempt
            if attempt is not None:
                self._hear_out(attempt, e)

    def _hear_out(self, attempt: Attempt, error: OSError) -> None:
        """The target takes no more of a request: it may have answered all the same, and closed."""
        heard = -1
        while not self.over and attempt.received > heard:
            heard = attempt.received
            self._on_readable()
        if not attempt.received:
            raise local_failure(error, ErrorKind.CONNECT_RESET) from None
        if not self.over:
            attempt.reset(os.strerror(error.errno) if error.errno else str(error))
            self._done(attempt)

    def _send_all(self, data: memoryview, flags: int) -> None:
        while data and not self.over:
            try:
                data = data[self.sock.send(data, flags) :]
            except BlockingIOError:
                self._wait_writable()
        if data:
            self.broken = True

    def _send_file(self, file: int, offset: int, count: int) -> None:
        while count and not self.over:
            try:
                sent = os.sendfile(self.sock.fileno(), file, offset, count)
            except BlockingIOError:
                self._wait_writable()
                continue
            offset += sent
            count -= sent
        if count:
            self.broken = True

    def _flush_tls(self) -> None:
        assert self._outgoing is not None
        while data := self._outgoing.read(256 * 1024):
            self._send_all(memoryview(data), 0)

    # --- receiving ----------------------------------------------------------------------------

    def finish(self, attempt: Attempt) -> None:
        """Wait until ``attempt`` is over."""
        if not (attempt.complete or attempt.failure):
            self.waiting = gevent.getcurrent()
            try:
                self.hub.switch()
            finally:
                self.waiting = None

    def _on_readable(self) -> None:
        """Hub callback: bytes, or the end of the stream, are there."""
        try:
            data, stamp, now = receive(self.sock, self.clock.offset_ns)
        except BlockingIOError:
            return
        except OSError as e:
            self._lost(os.strerror(e.errno) if e.errno else str(e))
            return
        attempt = self.attempt
        if attempt is None or not data:
            if data and self.tls is not None and self._says_nothing(data):
                return
            self._lost("bytes that nobody asked for" if data else "")
            return
        if stamp:
            if not attempt.sent_ns <= stamp <= now:
                stamp = self._impossible(attempt, stamp, now)
                if not stamp:
                    return
        else:
            stamp = now
            attempt.kernel_clock = False
        if self.tls is not None:
            data = self._decrypt(attempt, data)
            if self.attempt is not attempt:
                return
        if data and attempt.take(data, stamp):
            self._done(attempt)
            return
        self.deadline_ns = min(now + self.idle_ns, self.total_deadline_ns)
        self.deadline_kind = _IDLE_TIMEOUT

    def _says_nothing(self, data: bytes) -> bool:
        """Bytes between requests that carry no data: session tickets come behind the handshake."""
        assert self.tls is not None and self._incoming is not None
        self._incoming.write(data)
        try:
            self.tls.read(1)
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            pass
        return False

    def _impossible(self, attempt: Attempt, stamp: int, now: int) -> int:
        """A stamp before the request was sent, or in the future: what to take instead; 0 to take nothing."""
        slack = _SLACK_NS
        if attempt.sent_ns - slack <= stamp <= now + slack:
            # Two samplings of the offset differ by as much.
            return min(max(stamp, attempt.sent_ns), now)
        if self.clock.resample():
            attempt.kernel_clock = False
            return now
        if stamp < attempt.sent_ns and not attempt.received:
            # The clock is right, so these bytes were there before the request left: somebody's second answer.
            self._lost("bytes that nobody asked for")
            return 0
        return min(max(stamp, attempt.sent_ns), now)

    def _decrypt(self, attempt: Attempt, data: bytes) -> bytes:
        """What is readable so far; nothing if a record is not whole yet, or the attempt has failed by it."""
        assert self.tls is not None and self._incoming is not None
        self._incoming.write(data)
        pieces = []
        try:
            while piece := self.tls.read(256 * 1024):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            attempt.reset(f"TLS: {e.reason or e}")
            self._done(attempt)
            return b""
        return b"".join(pieces)

    def _lost(self, detail: str) -> None:
        """The peer closed or reset the connection, with or without an attempt on it."""
        self.broken = True
        if self._reading is not None:
            self._reading.stop()
        attempt = self.attempt
        if attempt is not None:
            if detail:
                attempt.reset(detail)
            else:
                attempt.end_of_stream()
            self._done(attempt)
        elif self.on_loss is not None:
            self.on_loss(self)

    def _done(self, attempt: Attempt) -> None:
        self.attempt = None
        self.over = True
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.switch()

    # --- waiting and closing ------------------------------------------------------------------

    def _wait_writable(self) -> None:
        self._wait(self._writing)

    def _wait(self, watcher: Any) -> None:
        """Until the socket is ready, or the attempt is over (a target may answer before it has all)."""
        self.waiting = me = gevent.getcurrent()
        resume: Callable[[], Any] = me.switch
        watcher.start(resume)
        try:
            self.hub.switch()
        finally:
            watcher.stop()
            self.waiting = None

    def close(self) -> None:
        self.broken = True
        for watcher in (self._reading, self._writing):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reading = self._writing = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None
