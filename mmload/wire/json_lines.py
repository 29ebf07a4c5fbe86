"""JSON Lines: bytes in any pieces -> the lines that are not blank.

Decoding a line is the caller's business, and so is a limit on the total size.
"""

from __future__ import annotations


class LineStream:
    """Splits a stream into its lines; LF and CRLF end one, a byte-order mark is left to the first."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Lines that this piece completed."""
        if b"\n" not in piece:
            self._buffer += piece
            return []
        lines = (self._buffer + piece).split(b"\n")
        self._buffer = lines.pop()
        return [line for raw in lines if (line := raw.strip())]

    def close(self) -> list[bytes]:
        """The last line, if no line end closed it."""
        last, self._buffer = self._buffer.strip(), b""
        return [last] if last else []
