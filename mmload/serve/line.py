"""One accepted TCP connection, read and written without any HTTP library.

Not aware of what goes wrong on it.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from mmload.serve.healthy import Received

MAX_HEAD = 256 * 1024


class ClientGoneError(Exception):
    """The client closed or reset the connection."""


class Line:
    """One accepted connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError:
            raise ClientGoneError from None

    async def _more(self) -> None:
        try:
            data = await self._loop.sock_recv(self._sock, 1 << 18)
        except OSError:
            raise ClientGoneError from None
        if not data:
            raise ClientGoneError
        self._buffer += data

    async def until_gone(self) -> None:
        """Read and forget until the client closes."""
        while True:
            self._buffer = b""
            await self._more()

    async def receive(self) -> Received:
        """The next request, whole. Raises ClientGoneError at the end of the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD:
                raise ClientGoneError
            await self._more()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        length = int(headers.get("content-length", "0"))
        parts, missing = [rest], length - len(rest)
        self._buffer = b""
        while missing > 0:
            await self._more()
            parts.append(self._buffer)
            missing -= len(self._buffer)
            self._buffer = b""
        body = b"".join(parts)
        self._buffer = body[length:]
        method, path, _ = (first + "  ").split(" ", 2)
        return Received(method, path, headers, body[:length])

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        self._sock.close()
