"""The nouns of mmload, drawn from the plan to the verdict.

Standard library only. Nothing here opens a file, reads a clock or knows of sockets, Locust or numpy.

Time: every ``*_ns`` field of a plan or a record counts nanoseconds from the start of the run (the
instant at which the schedule meant time zero), on the monotonic clock of the worker that saw it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


class MmloadError(Exception):
    """A failure that a user can act on; its text is the whole message. Exit code 1."""

    exit_code = 1


class InputError(MmloadError):
    """A bad profile, file, option or target: what was found, what is allowed. Exit code 2."""

    exit_code = 2


class Outcome(StrEnum):
    """How a planned request ended. Every planned request ends as exactly one of these."""

    OK = "ok"
    FAILED = "failed"
    SHED = "shed"
    """The target refused it to protect itself (429, or 503 with Retry-After)."""
    NOT_SENT = "not_sent"


class ErrorKind(StrEnum):
    """The closed set of reasons why a request did not end as ``ok``."""

    DNS = "dns"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_RESET = "connect_reset"
    TLS_CERT = "tls_cert"
    TLS_HANDSHAKE = "tls_handshake"
    SEND_TIMEOUT = "send_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RESET_MID_BODY = "reset_mid_body"
    TRUNCATED_BODY = "truncated_body"
    TRUNCATED_STREAM = "truncated_stream"
    MALFORMED_SSE = "malformed_sse"
    MALFORMED_JSON = "malformed_json"
    INVALID_UTF8 = "invalid_utf8"
    BAD_ENCODING = "bad_encoding"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    BODY_TOO_LARGE = "body_too_large"
    HEADER_TOO_LARGE = "header_too_large"
    PROTOCOL_ERROR = "protocol_error"
    REDIRECT = "redirect"
    HTTP_4XX = "http_4xx"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    API_ERROR_IN_STREAM = "api_error_in_stream"
    EMPTY_RESPONSE = "empty_response"
    CONTENT_FILTER = "content_filter"
    LOCAL_FD_EXHAUSTED = "local_fd_exhausted"
    LOCAL_PORT_EXHAUSTED = "local_port_exhausted"
    LOCAL_CANCELLED = "local_cancelled"
    """The run was interrupted, or its drain time ended, before the request could finish."""
    SCHEDULE_DROP = "schedule_drop"
    """No lane came free for it before its phase and the drain time had passed."""
    SESSION_ENDED = "session_ended"
    """An earlier turn of its session failed, so that this one was never sent."""
    SESSION_CUT = "session_cut"
    """The drain time ended before its session had come so far."""
    WORKER_LOST = "worker_lost"
    INTERNAL_BUG = "internal_bug"


LOCAL_KINDS = frozenset(
    {
        ErrorKind.LOCAL_FD_EXHAUSTED,
        ErrorKind.LOCAL_PORT_EXHAUSTED,
        ErrorKind.LOCAL_CANCELLED,
        ErrorKind.SCHEDULE_DROP,
        ErrorKind.WORKER_LOST,
        ErrorKind.INTERNAL_BUG,
    }
)
"""Causes on our side. They are never charged to the target; any of them makes a run invalid."""


class PhasePlan(NamedTuple):
    """One phase of the compiled plan; a repeated phase gives one of these a repetition."""

    number: int
    name: str
    shape: str
    open_loop: bool
    warmup: bool
    start_ns: int
    end_ns: int
    users: int
    """Concurrency of a closed-loop phase at its peak; 0 in an open-loop phase."""
    first_seq: int
    planned: int
    """Arrivals of an open-loop phase; 0 in a closed-loop phase, whose count the target decides."""
    replicate: int
    """0-based repetition among the phases that share ``group``."""
    group: str
    """Name as written in the profile; the replicates of one level share it."""


class Arrival(NamedTuple):
    """That something must be sent."""

    seq: int
    due_ns: int
    phase: int
    item: int
    """Index of the item in the suite."""
    pi: float
    """Probability with which its answer was chosen for scoring (known before it is sent)."""
    sampled: bool
    began_ns: int | None = None
    """When the first turn of its session was due; ``None`` where requests stand alone."""


class Record(NamedTuple):
    """What happened to one planned request. ``None`` is 'not observed', never zero.

    ``due_ns`` is when the schedule meant it to leave; ``sent_ns`` the write of its first byte (of its
    last attempt: an earlier attempt shows in ``attempts`` and in the time from ``due_ns``).
    """

    seq: int
    phase: int
    item: int
    worker: int
    due_ns: int
    sent_ns: int | None
    first_byte_ns: int | None
    first_token_ns: int | None
    end_ns: int | None
    """Last byte received, or the moment at which it was given up."""
    outcome: str
    error: str
    """An ``ErrorKind``, or empty."""
    status: int
    """HTTP status of the last attempt, 0 if none arrived."""
    attempts: int
    attempt_errors: str
    """Error kinds of the attempts before the last, comma-separated."""
    stale_retries: int
    """Times a reused connection was found dead before any byte; not counted as attempts."""
    request_bytes: int
    response_bytes: int
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    usage_source: str
    """``usage`` as billed by the target, ``estimated`` from what was received, or empty."""
    content_events: int
    gaps_us: bytes
    """Gaps between content events as received, little-endian uint32 microseconds."""
    server_timing: str
    model: str
    finish_reason: str
    kernel_clock: bool
    """Received stamps are the kernel's."""
    reused_connection: bool
    pi: float
    sampled: bool
    error_detail: str
    """At most 200 characters of what was found, redacted."""
    reasoning_events: int = 0
    tool_call_events: int = 0
    first_reasoning_ns: int | None = None
    began_ns: int | None = None
    """When the first turn of its session was due; ``None`` where requests stand alone."""


class Answer(NamedTuple):
    """The text that a sampled request got back."""

    seq: int
    item: int
    text: str
    whole: bool = True
    """False once its text was redacted or dropped: it cannot be scored anew."""


class Telemetry(NamedTuple):
    """One second in the life of a worker: how close the generator was to its own limits."""

    worker: int
    t_ns: int
    cpu_ratio: float
    """Share of one core used by the worker's process."""
    loop_lag_us: int
    """Worst lateness of a hub wake-up in this second."""
    open_fds: int
    in_flight: int
    backlog: int
    """Arrivals that were due and waited for a lane at the end of this second."""
    rss_bytes: int
    sent: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of an item as it is sent."""

    file: str
    """Path inside the suite's folder."""
    width: int
    height: int
    format: str
    """``png``, ``jpeg`` or ``webp``."""
    quality: int | None
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its exact truth; a pure function of the suite's seed and version."""

    index: int
    id: str
    task: str
    variant: str
    """``clean``, or the name of a degradation."""
    severity: int
    """0 when clean, else 1 to 5."""
    answerable: bool
    twin: str
    """Id of the clean or answerable partner; empty if it has none."""
    slices: Mapping[str, str]
    """``image_size``, ``format``, ``prompt_size``, ``lang``, ``difficulty``..."""
    images: tuple[ImageFile, ...]
    system: str
    prompt: str
    prompt_tokens: int
    """Estimate; what the target bills comes from its usage."""
    truth: Mapping[str, Any]
    evidence: tuple[Mapping[str, Any], ...]
    """Each: ``id``, ``source`` (image|text|code), ``image`` (index), ``bbox``, ``xheight_px``,
    ``char_span``."""
    nonce: str
    canaries: tuple[str, ...]
    streaming: bool = False
    max_tokens: int = 1024


class Turn(NamedTuple):
    """A question asked earlier in a session, with the answer that it is taken to have got."""

    item: Item
    """Its images are those that the session had not shown before."""
    images: Sequence[bytes]
    answer: str


@dataclass(frozen=True, slots=True)
class Score:
    """What the scorer of a task says of one answer. Pure: no clock, no load, no network."""

    seq: int
    item: int
    task: str
    passed: bool
    value: float
    """Graded score in [0, 1]."""
    schema: str
    """``strict``, ``repaired`` or ``invalid``."""
    status: str
    """``answered``, ``insufficient_evidence``, ``conflict``, ``refused``, or empty when unreadable."""
    answerable: bool
    claims: Mapping[str, int] = field(default_factory=dict)
    """Claims made by type: object, attribute, relation, action, code."""
    hallucinated: Mapping[str, int] = field(default_factory=dict)
    critical: int = 0
    """Critical hallucinated claims."""
    nonce: str = ""
    """``ok``, ``missing``, ``wrong``, or ``foreign`` (another item's: cross-talk)."""
    safety: tuple[str, ...] = ()
    """Names of the safety rules that the answer broke."""
    confidence: float | None = None
    detail: Mapping[str, float] = field(default_factory=dict)


class Judgement(NamedTuple):
    """What a model that was asked as a judge said of one answer."""

    seq: int
    item: int
    correct: bool | None
    """None if there is no verdict; ``error`` then says why."""
    error: str
    """``connect``, ``timeout``, ``http_429``, ``http_3xx`` to ``http_5xx``, ``bad_verdict``, ``out_of_time``,
    ``backlog``, ``image`` or ``internal``; empty if there is a verdict."""
    tokens_in: int | None
    """Of all attempts, estimated where the judge did not tell; None if there is no telling."""
    tokens_out: int | None


Money = int | None
"""Micro-dollars, or ``None`` for unknown; unknown is never 0."""


class Verdict(StrEnum):
    GO = "go"
    NO_GO = "no-go"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


class CheckVerdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Check:
    """One gate held against one figure."""

    name: str
    dimension: str
    limit: float
    value: float | None
    low: float | None
    high: float | None
    verdict: CheckVerdict
    reason: str = ""


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.GO: 0,
    Verdict.NO_GO: 3,
    Verdict.INCONCLUSIVE: 4,
    Verdict.INVALID: 5,
}
EXIT_INTERRUPTED = 130


def counted(n: int, noun: str) -> str:
    """A number with its noun: ``1 request``, ``2,104 requests``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
