"""One attempt: the bytes of one request go out, the bytes of its answer come back, all stamped.

Not aware of the schedule, of retries or of what an answer means: an adapter's reader tells content
from framing.

HTTP/1.1 framing is llhttp's (through geventhttpclient's parser), but for the plain answer that comes in one
piece (``native.whole``). Received bytes are handled in the hub, as they come: one ``recvmsg``, one stamp, one
feed; the lane is switched to only when its answer is whole or has failed.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from mmload.model import ErrorKind
from mmload.native import whole
from mmload.wire import Adapter, Reader

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_ERROR_BODY: Final = 64 * 1024
_FRAMING: Final = 8
"""Bytes received for one of the body, at most: a chunk of a single byte takes six."""
_STREAMS: Final = (
    "text/event-stream",
    "application/x-ndjson",
    "application/jsonl",
    "application/x-jsonlines",
)
"""Content types that come event by event; ``application/jsonl`` also begins the name ``jsonlines``."""
_END_OF_HEAD: Final = b"\r\n\r\n"


class Failure(Exception):
    """The attempt is over: of what kind, and what was found."""

    def __init__(self, kind: ErrorKind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


class _SurplusBytes(Exception):
    """More came than the answer: the connection must not carry another request."""


class Attempt(HTTPResponseParser):
    """State of one answer while it is received. Stamps are monotonic ns; 0 is 'not yet'."""

    # Slots: more than thirty attributes would each cost a look-up in a dict of its own.
    __slots__ = (
        "_at_once", "_body_bytes", "_content_type", "_encoding", "_error_body", "_headers_done", "_most",
        "_names", "_on_body", "_on_header_field", "_on_header_value", "_pieces", "_sized", "_surplus",
        "_values", "adapter", "complete", "failure", "first_byte_ns", "first_reasoning_ns",
        "first_token_ns", "gaps", "kernel_clock", "last_byte_ns", "last_content_ns", "max_body", "reader",
        "received", "retry_after", "sent_ns", "server_timing", "status",
    )  # fmt: skip
    _on_status = deque[str](maxlen=0).append
    """The parser wants one; this forgets what it is given, without a frame of Python."""

    def __init__(self, adapter: Adapter, max_body: int) -> None:
        self.adapter = adapter
        self.max_body = max_body
        self.reader: Reader | None = None
        self.failure: Failure | None = None
        self.kernel_clock = True
        self.complete = self._headers_done = self._sized = self._surplus = self._at_once = False
        self.sent_ns = self.first_byte_ns = self.last_byte_ns = 0
        self.first_token_ns = self.first_reasoning_ns = self.last_content_ns = 0
        self.status = self.received = self._body_bytes = 0
        self.server_timing = self.retry_after = self._content_type = self._encoding = ""
        self._error_body = b""
        self._most = MAX_HEADER_BYTES
        self.gaps: list[int] = []

    # --- called by the parser -----------------------------------------------------------------

    def _begin(self, in_one_piece: bool) -> None:
        """The answer is for the parser; ``in_one_piece``: its head is."""
        self._pieces: list[bytes] = []
        self._names: list[str] = []
        self._values: list[str] = []
        # What the parser calls for each header and each chunk of the framing is a list's ``append``: a
        # frame of Python for each would cost more than all the rest.
        self._on_body = self._pieces.append
        self._on_header_field = self._names.append
        self._on_header_value = self._values.append
        if not in_one_piece:
            self._piecewise()

    def _on_message_begin(self) -> None:
        if self.complete:
            raise _SurplusBytes

    def _piecewise(self) -> None:
        """A head that comes in several pieces: a name or a value may be cut anywhere."""
        self._on_header_field, self._on_header_value = self._piece_of_name, self._piece_of_value

    def _piece_of_name(self, data: str) -> None:
        if len(self._names) == len(self._values):
            self._names.append(data)
        else:
            self._names[-1] += data

    def _piece_of_value(self, data: str) -> None:
        if len(self._values) < len(self._names):
            self._values.append(data)
        else:
            self._values[-1] += data

    def _on_headers_complete(self) -> bool:
        headers = dict(zip(map(str.lower, self._names), self._values, strict=True))
        get = headers.get
        # The parser leaves the blanks behind a value, which are not of it (RFC 9110, 5.5).
        self._content_type = get("content-type", "").strip().lower()
        self._encoding = get("content-encoding", "").strip().lower()
        self._sized = "content-length" in headers or "transfer-encoding" in headers
        if "server-timing" in headers:
            each_once = len(headers) == len(self._names)
            timing = headers["server-timing"] if each_once else self._joined("server-timing")
            self.server_timing = timing.strip()[:1000]
        if "retry-after" in headers:
            self.retry_after = headers["retry-after"].strip()[:100]
        self.status = status = self.get_code()
        if status < 200:
            self._names.clear()
            self._values.clear()
            self._piecewise()
            return False
        self._headers_done = True
        # Trailers are framing that nobody reads; a target may send them without end.
        self._on_header_field = self._on_header_value = self._on_status
        self._most = _FRAMING * self.max_body + MAX_HEADER_BYTES
        if status < 300:
            self._expect_answer()
        return False

    def _joined(self, header: str) -> str:
        """All its values, each of which may come in a line of its own (RFC 9110, 5.3)."""
        lines = zip(self._names, self._values, strict=True)
        return ", ".join([value for name, value in lines if name.lower() == header])

    def _expect_answer(self) -> None:
        kind = self._content_type
        if self._encoding not in ("", "identity"):
            self._fail(ErrorKind.BAD_ENCODING, f"content-encoding {self._encoding} was not asked for")
        elif kind.startswith(_STREAMS):
            self.reader = self.adapter.reader(True)
        elif "json" in kind or not kind:
            self.reader = self.adapter.reader(False)
        else:
            self._fail(ErrorKind.WRONG_CONTENT_TYPE, f"content-type {kind[:100]}")

    def _read_body(self, data: bytes) -> None:
        """What one ``recvmsg`` brought of the body, in one piece whatever its framing."""
        self._body_bytes += len(data)
        if self._body_bytes > self.max_body:
            self._fail(ErrorKind.BODY_TOO_LARGE, f"more than {self.max_body} bytes")
            return
        reader = self.reader
        if reader is None:
            if len(self._error_body) < MAX_ERROR_BODY:
                self._error_body += data
            return
        content = reader.feed(data)
        if content:
            self._content(content)
        elif reader.reasoning_events and not self.first_reasoning_ns:
            self.first_reasoning_ns = self.last_byte_ns

    def _content(self, events: int) -> None:
        now = self.last_byte_ns
        if self.first_token_ns:
            self.gaps.append(max(0, now - self.last_content_ns) // 1000)
        else:
            self.first_token_ns = now
        if events > 1:
            self.gaps += [0] * (events - 1)
        self.last_content_ns = now

    def _on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True

    # --- called by the connection -------------------------------------------------------------

    def take(self, data: bytes, stamp_ns: int) -> bool:
        """Feed what one ``recvmsg`` gave; true once the attempt is over, well or badly."""
        if not self.received:
            self.first_byte_ns = stamp_ns
            if len(data) <= self.max_body and (at_once := whole(data)) is not None:
                kind, timing, body = at_once
                self.last_byte_ns = stamp_ns
                self.received = len(data)
                self.status = 200
                self._content_type = kind.lower()
                if timing:
                    self.server_timing = timing[:1000]
                self._headers_done = self._sized = self._at_once = self.complete = True
                self._expect_answer()
                if body:
                    self._read_body(body)
                return True
            self._begin(_END_OF_HEAD in data)
        self.last_byte_ns = stamp_ns
        self.received += len(data)
        try:
            self.feed(data)
        except HTTPParseError as e:
            if self.complete:
                self._surplus = True
            else:
                self._fail(ErrorKind.PROTOCOL_ERROR, f"{e}: {data[:80]!r}")
        except _SurplusBytes:
            self._surplus = True
        except UnicodeDecodeError as e:
            self._fail(ErrorKind.PROTOCOL_ERROR, f"header bytes: {e}")
        if pieces := self._pieces:
            self._read_body(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            pieces.clear()
        if self.received > self._most and not self.complete:
            self._too_much()
        return self.complete or self.failure is not None

    def _too_much(self) -> None:
        if self._headers_done:
            self._fail(ErrorKind.BODY_TOO_LARGE, f"{self.received} bytes for {self._body_bytes} of the body")
        else:
            self._fail(ErrorKind.HEADER_TOO_LARGE, f"more than {MAX_HEADER_BYTES} bytes of headers")

    def end_of_stream(self) -> None:
        """The peer closed: right for a body without a length, else the answer was cut."""
        if self._headers_done and not self._sized:
            self.complete = True
        elif self._headers_done:
            stream = self.reader is not None and self._content_type.startswith(_STREAMS)
            kind = ErrorKind.TRUNCATED_STREAM if stream else ErrorKind.TRUNCATED_BODY
            self._fail(kind, f"closed after {self._body_bytes} bytes of the body")
        elif self.received:
            self._fail(ErrorKind.TRUNCATED_BODY, "closed within the headers")
        else:
            self._fail(ErrorKind.CONNECT_RESET, "closed before any byte of an answer")

    def reset(self, detail: str) -> None:
        """The connection broke."""
        self._fail(ErrorKind.RESET_MID_BODY if self.received else ErrorKind.CONNECT_RESET, detail)

    def silence(self) -> None:
        """The idle timeout has passed."""
        if self._finished_saying():
            self.complete = True
        else:
            self._fail(ErrorKind.IDLE_TIMEOUT, f"silent after {self._body_bytes} bytes of the body")

    def _finished_saying(self) -> bool:
        """``[DONE]`` was received, only the end of the body is owed: a whole answer for its user."""
        return bool(getattr(self.reader, "done", False))

    def _fail(self, kind: ErrorKind, detail: str = "") -> None:
        if self.failure is None:
            self.failure = Failure(kind, detail)

    # --- the result ---------------------------------------------------------------------------

    def conclude(self) -> None:
        """Turn what came into a verdict: ``failure`` stays ``None`` for a whole, good answer."""
        if not self._at_once:
            # Methods of its own, if the head came in pieces: it would wait for a collection, headers and all.
            self._on_header_field = self._on_header_value = self._on_status
        if self.failure is not None:
            return
        status, reader = self.status, self.reader
        if reader is not None:
            reader.close()
            if reader.error:
                self._fail(ErrorKind(reader.error), reader.detail)
            return
        detail = f"HTTP {status}: {self.adapter.error_detail(self._error_body)}"
        if 300 <= status < 400:
            self._fail(ErrorKind.REDIRECT, f"HTTP {status}, not followed")
        elif status == 429:
            self._fail(ErrorKind.HTTP_429, detail)
        elif status >= 500:
            self._fail(ErrorKind.HTTP_5XX, detail)
        else:
            self._fail(ErrorKind.HTTP_4XX, detail)

    @property
    def shed(self) -> bool:
        """The target refused it to protect itself."""
        return self.status == 429 or (self.status == 503 and bool(self.retry_after))

    @property
    def reusable(self) -> bool:
        """The connection may carry another request."""
        if self._at_once:
            return True
        return self.complete and self._sized and not self._surplus and bool(self.should_keep_alive())
