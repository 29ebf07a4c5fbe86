"""Server-sent events (WHATWG HTML, 9.2.6): bytes in any pieces -> payloads of ``data`` fields.

Lines end with LF, CRLF or CR; a byte-order mark is dropped; comments, ``id`` and ``retry`` are
ignored. A bare line of JSON, as some servers put an error into a running stream, counts as an event.
Decoding the payload is the caller's business, and so is a limit on the total size.
"""

from __future__ import annotations


class EventStream:
    """Splits a stream into the payloads of its events."""

    __slots__ = ("_begun", "_buffer", "_cr", "_waiting")

    def __init__(self) -> None:
        self._buffer = b""
        """The last that came since the last blank line."""
        self._waiting: list[bytes] = []
        """What came before it: joined once, for a line without end would be copied with every piece."""
        self._begun = False
        self._cr = False

    @property
    def between_events(self) -> bool:
        """The next byte begins an event, and no line end is in doubt."""
        return self._begun and not self._buffer and not self._cr

    def feed(self, piece: bytes) -> list[bytes]:
        """Payloads of the events that this piece completed."""
        if not self._begun:
            piece = self._buffer + piece
            if len(piece) < 3 and b"\xef\xbb\xbf".startswith(piece):
                self._buffer = piece
                return []
            self._buffer, self._begun = b"", True
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        if self._cr or b"\r" in piece:
            piece = self._normalise(piece)
        if self._buffer:
            if b"\n\n" not in self._buffer[-1:] + piece:
                self._waiting.append(self._buffer)
                self._buffer = piece or self._waiting.pop()
                return []
            piece = self._all() + piece
        blocks = piece.split(b"\n\n")
        self._buffer = blocks.pop()
        events: list[bytes] = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            else:
                _read_lines(block, events)
        return events

    def close(self) -> list[bytes]:
        """Payload left without its closing blank line: many servers end so, and it is taken."""
        events: list[bytes] = []
        _read_lines(self._all(), events)
        return events

    def _all(self) -> bytes:
        """All since the last blank line; nothing is left of it here."""
        whole = b"".join((*self._waiting, self._buffer))
        self._waiting, self._buffer = [], b""
        return whole

    def _normalise(self, piece: bytes) -> bytes:
        """CRLF and CR to LF, also where a CRLF is cut between two pieces."""
        if not piece:
            return piece
        if self._cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read_lines(block: bytes, events: list[bytes]) -> None:
    """Add what the lines between two blank lines say."""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            data.append(b"")
        elif line.startswith(b"{"):
            events.append(line)
    if data:
        events.append(b"\n".join(data))
