"""JSON Lines: bytes in any pieces -> the lines that are not blank.

Decoding a line is the caller's business, and so is a limit on the total size.
"""

from __future__ import annotations


class LineStream:
    """Splits a stream into its lines; LF and CRLF end one, a byte-order mark is left to the first."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Of the last line: joined once, for a line without end would be copied with every piece."""

    def feed(self, piece: bytes) -> list[bytes]:
        """Lines that this piece completed."""
        if b"\n" not in piece:
            self._pieces.append(piece)
            return []
        lines = b"".join((*self._pieces, piece)).split(b"\n")
        self._pieces = [lines.pop()]
        return [line for raw in lines if (line := raw.strip())]

    def close(self) -> list[bytes]:
        """The last line, if no line end closed it."""
        last, self._pieces = b"".join(self._pieces).strip(), []
        return [last] if last else []
