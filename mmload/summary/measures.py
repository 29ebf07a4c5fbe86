"""Names of the integer sums that a summary keeps, and how a batch of records or scores fills them.

Not aware of files or of which phases count. Weights of sampled answers are fixed point (``W_ONE`` is
1.0), as are graded values: sums of integers are exact in any order, sums of floats are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum, auto
from itertools import compress
from typing import Any, Final

import numpy as np

from mmload.histogram import Ints
from mmload.model import NS_PER_US, ErrorKind, Outcome, Record, Score
from mmload.price import ANSWERED_BADLY, Bill
from mmload.summary.run_info import RunInfo

W_ONE: Final = 1 << 16
VALUE_ONE: Final = 1000
CLAIM_TYPES: Final = ("object", "attribute", "relation", "action", "code")
_CLAIM_NUMBER: Final = {kind: k for k, kind in enumerate(CLAIM_TYPES)}
GAVE_UP: Final = frozenset(
    kind.value
    for kind in (
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.SEND_TIMEOUT,
        ErrorKind.FIRST_BYTE_TIMEOUT,
        ErrorKind.IDLE_TIMEOUT,
        ErrorKind.TOTAL_TIMEOUT,
    )
)
"""We stopped waiting: the true latency is at least what was waited."""
_WHOLE_ANSWERS: Final = frozenset(
    {"", "http_4xx", "http_429", "http_5xx", "redirect", "wrong_content_type"}
    | ANSWERED_BADLY - {"reset_mid_body", "truncated_body", "truncated_stream", "body_too_large"}
)


class _FromZero(IntEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[Any]) -> int:
        return count


class M(_FromZero):
    """Columns by phase, bin (of the due time) and task."""

    PLANNED = auto()
    OK = auto()
    FAILED = auto()
    SHED = auto()
    NOT_SENT = auto()
    COMPLETED = auto()
    WITHIN_SLO = auto()
    CENSORED = auto()
    CENSORED_SENT = auto()
    """Part of ``CENSORED`` that had left: only those are in ``service``."""
    CENSORED_TTFT = auto()
    """Part of ``CENSORED`` whose stream never began."""
    RETRIED = auto()
    ATTEMPTS = auto()
    SERVICE_US = auto()
    TOKENS_IN = auto()
    TOKENS_IN_OK = auto()
    """Part of ``TOKENS_IN`` that was answered."""
    TOKENS_OUT = auto()
    TOKENS_CACHED = auto()
    BYTES_OUT = auto()
    BYTES_IN = auto()
    # Cost, micro-dollars
    C_MODEL = auto()
    C_RETRIES = auto()
    C_VALIDATORS = auto()
    C_TOOLS = auto()
    C_FALLBACK = auto()
    C_REVIEW = auto()
    C_FAILED = auto()
    """Part of ``C_MODEL`` and ``C_TOOLS`` that bought no answer."""
    UNPRICED_MODEL = auto()
    UNPRICED_RETRIES = auto()
    # Scores; W_ columns are sums of weights
    N_SCORED = auto()
    N_PASSED = auto()
    W = auto()
    W2 = auto()
    """Sum of squared weights over ``W_ONE``, in units of ``W_ONE``."""
    W_PASS = auto()
    W_VALUE = auto()
    W_SLO = auto()
    W_SLO_PASS = auto()
    W_STRICT = auto()
    W_VALID = auto()
    W_CRITICAL = auto()
    W_UNANSWERABLE = auto()
    W_OVERREACH = auto()
    W_ANSWERABLE = auto()
    W_FALSE_ABSTENTION = auto()
    N_UNANSWERABLE = auto()
    N_FOREIGN = auto()
    N_NONCE_MISSING = auto()
    N_NONCE_WRONG = auto()
    N_SAFETY = auto()
    CLAIMS = auto()
    """First of five columns, in the order of ``CLAIM_TYPES``: claims, each with the weight of its answer."""
    CLAIMS_1 = auto()
    CLAIMS_2 = auto()
    CLAIMS_3 = auto()
    CLAIMS_4 = auto()
    HALLUCINATED = auto()
    """First of five columns, in the order of ``CLAIM_TYPES``."""
    HALLUCINATED_1 = auto()
    HALLUCINATED_2 = auto()
    HALLUCINATED_3 = auto()
    HALLUCINATED_4 = auto()


COST_COLUMNS: Final = (M.C_MODEL, M.C_RETRIES, M.C_VALIDATORS, M.C_TOOLS, M.C_FALLBACK, M.C_REVIEW)


class F(_FromZero):
    """Columns by bin of the run: what flowed, each at its own time."""

    DUE = auto()
    SENT = auto()
    OK = auto()
    FAILED = auto()
    SHED = auto()
    ENDED = auto()
    DROPPED = auto()
    """Never sent, when that was settled: no longer owed."""


class S(_FromZero):
    """Columns by slice."""

    SENT = auto()
    OK = auto()
    N_SCORED = auto()
    W = auto()
    W2 = auto()
    W_PASS = auto()
    WITHIN_SLO = auto()
    W_CRITICAL = auto()
    COST = auto()
    """Micro-dollars, without machines."""
    UNPRICED = auto()


def key(phase: Ints, bin_: Ints, task: Ints) -> Ints:
    """Packed key of a cell; 4,096 phases, 2**28 bins, 4,096 tasks."""
    return (phase << 40) | (bin_ << 12) | task


def unpack(keys: Ints) -> tuple[Ints, Ints, Ints]:
    """Phase, bin and task of packed keys."""
    return keys >> 40, (keys >> 12) & 0xFFFFFFF, keys & 0xFFF


def _ints(column: Iterable[int | None]) -> Ints:
    return np.array([-1 if x is None else x for x in column], np.int64)


class Columns:
    """A batch of records as arrays; -1 is absent. Times in microseconds."""

    def __init__(self, records: Sequence[Record], info: RunInfo) -> None:
        r = dict(zip(Record._fields, zip(*records, strict=True), strict=True))
        self.raw = r
        self.n = len(records)
        self.phase = np.array(r["phase"], np.int64)
        self.item = np.array(r["item"], np.int64)
        self.task = info.task_of[self.item]
        self.due_ns = np.array(r["due_ns"], np.int64)
        self.sent_ns, self.end_ns = _ints(r["sent_ns"]), _ints(r["end_ns"])
        self.first_token_ns = _ints(r["first_token_ns"])
        self.due_bin = self.bin = np.maximum(self.due_ns // info.bin_ns, 0)
        """``bin`` is that of the session's beginning: turns of one session are not independent of each other,
        and stay in one block of time."""
        if info.scripts is not None:
            began_ns = _ints(r["began_ns"])
            self.bin = np.maximum(np.where(began_ns >= 0, began_ns, self.due_ns) // info.bin_ns, 0)
        outcome = np.array(r["outcome"])
        self.ok, self.failed = outcome == Outcome.OK.value, outcome == Outcome.FAILED.value
        self.shed, self.not_sent = outcome == Outcome.SHED.value, outcome == Outcome.NOT_SENT.value
        gave_up = np.array([e in GAVE_UP for e in r["error"]], bool)
        whole = np.array([e in _WHOLE_ANSWERS for e in r["error"]], bool)
        self.completed = self.ok | self.shed | (self.failed & whole)
        self.e2e_us = (self.end_ns - self.due_ns) // NS_PER_US
        self.service_us = (self.end_ns - self.sent_ns) // NS_PER_US
        self.censored = self.failed & gave_up & (self.end_ns >= 0)
        ended = self.end_ns >= 0
        self.timed = (self.ok | self.censored) & ended
        self.has_service = self.timed & (self.sent_ns >= 0)
        began = self.first_token_ns >= 0
        self.never_began = self.censored & ~began & info.streamed[self.item]
        """Streams that were given up before their first token: it takes at least as long as was waited."""
        self.has_ttft = (self.timed & began) | self.never_began
        self.ttft_us = np.where(began, (self.first_token_ns - self.due_ns) // NS_PER_US, self.e2e_us)
        self.within_slo = self.ok & ended & (self.e2e_us <= info.slo_us[self.item])
        self.within_slo &= ~self.has_ttft | (self.ttft_us <= info.slo_ttft_us[self.item])
        self.tokens_in, self.tokens_out = _ints(r["tokens_in"]), _ints(r["tokens_out"])
        self.tokens_cached = _ints(r["tokens_cached"])
        self.attempts = np.array(r["attempts"], np.int64)


def record_rows(c: Columns, costs: Ints) -> Ints:
    """Rows of ``M`` for a batch of records, shape (n, len(M)); ``costs`` by component, -1 for unknown."""
    x = np.zeros((c.n, len(M)), np.int64)
    x[:, M.PLANNED] = 1
    for column, mask in (
        (M.OK, c.ok),
        (M.FAILED, c.failed),
        (M.SHED, c.shed),
        (M.NOT_SENT, c.not_sent),
        (M.COMPLETED, c.completed),
        (M.WITHIN_SLO, c.within_slo),
        (M.CENSORED, c.censored),
        (M.CENSORED_SENT, c.censored & c.has_service),
        (M.CENSORED_TTFT, c.never_began),
        (M.RETRIED, c.attempts > 1),
    ):
        x[:, column] = mask
    x[:, M.ATTEMPTS] = np.maximum(c.attempts, 0)
    x[:, M.SERVICE_US] = np.where(c.has_service, c.service_us, 0)
    for column, values in (
        (M.TOKENS_IN, c.tokens_in),
        (M.TOKENS_IN_OK, np.where(c.ok, c.tokens_in, 0)),
        (M.TOKENS_OUT, c.tokens_out),
        (M.TOKENS_CACHED, c.tokens_cached),
    ):
        x[:, column] = np.maximum(values, 0)
    x[:, M.BYTES_OUT], x[:, M.BYTES_IN] = c.raw["request_bytes"], c.raw["response_bytes"]
    x[:, M.UNPRICED_MODEL], x[:, M.UNPRICED_RETRIES] = costs[:, 0] < 0, costs[:, 1] < 0
    x[:, M.C_MODEL : M.C_REVIEW + 1] = np.maximum(costs, 0)
    x[:, M.C_FAILED] = np.where(c.ok, 0, x[:, M.C_MODEL] + x[:, M.C_TOOLS])
    return x


def bills(c: Columns, records: Sequence[Record], info: RunInfo) -> Ints:
    """What each record cost, micro-dollars by component, -1 for unknown; answers in one go."""
    plain = c.ok & (c.attempts == 1) & (c.tokens_in >= 0) & (c.sent_ns >= 0)
    out = np.zeros((c.n, len(Bill._fields)), np.int64)
    at = np.flatnonzero(plain)
    models = list(compress(c.raw["model"], plain.tolist()))
    out[at] = info.book.bill_answers(models, c.tokens_in[at], c.tokens_cached[at], c.tokens_out[at])
    for i in np.flatnonzero(~plain).tolist():
        bill = info.book.bill(records[i], info.input_estimate[records[i].item])
        out[i] = [-1 if amount is None else amount for amount in bill]
    return out


def weight(pi: Any) -> Any:
    """Fixed-point weights of answers that were sampled with probability ``pi``; below 0.001 it is 0.001."""
    return np.rint(W_ONE / np.clip(np.asarray(pi, np.float64), 1e-3, 1.0)).astype(np.int64)


def score_rows(scores: Sequence[Score], w: Ints, within_slo: Any, passed: Any) -> Ints:
    """Rows of ``M`` for scores of weights ``w``, shape (n, len(M)); ``passed``, ``within_slo`` bool."""
    x = np.zeros((len(scores), len(M)), np.int64)
    value = np.clip([s.value for s in scores], 0.0, 1.0)
    strict = np.array([s.schema == "strict" for s in scores], bool)
    valid = strict | np.array([s.schema == "repaired" for s in scores], bool)
    critical = np.array([s.critical > 0 for s in scores], bool)
    answerable = np.array([s.answerable for s in scores], bool)
    declined = np.array([s.status in ("insufficient_evidence", "refused") for s in scores], bool)
    over = ~answerable & np.array([s.status == "answered" for s in scores], bool)
    x[:, M.N_SCORED], x[:, M.W], x[:, M.W2] = 1, w, w * w // W_ONE
    x[:, M.W_VALUE] = w * np.rint(value * VALUE_ONE).astype(np.int64)
    for number, weighted, mask in (
        (M.N_PASSED, M.W_PASS, passed),
        (None, M.W_SLO, within_slo),
        (None, M.W_SLO_PASS, within_slo & passed),
        (None, M.W_STRICT, strict),
        (None, M.W_VALID, valid),
        (None, M.W_CRITICAL, critical),
        (None, M.W_ANSWERABLE, answerable),
        (None, M.W_FALSE_ABSTENTION, answerable & declined),
        (M.N_UNANSWERABLE, M.W_UNANSWERABLE, ~answerable),
        (None, M.W_OVERREACH, over),
    ):
        x[:, weighted] = np.where(mask, w, 0)
        if number is not None:
            x[:, number] = mask
    for column, nonce in (
        (M.N_FOREIGN, "foreign"),
        (M.N_NONCE_MISSING, "missing"),
        (M.N_NONCE_WRONG, "wrong"),
    ):
        x[:, column] = [s.nonce == nonce for s in scores]
    x[:, M.N_SAFETY] = [bool(s.safety) for s in scores]
    for i, s in enumerate(scores):
        for first, claims in ((M.CLAIMS, s.claims), (M.HALLUCINATED, s.hallucinated)):
            for kind, n in claims.items():
                if kind in _CLAIM_NUMBER:
                    x[i, first + _CLAIM_NUMBER[kind]] = n * w[i]
    return x


def passes(scores: Sequence[Score], require_strict: bool) -> Any:
    """Which answers pass, as bool."""
    return np.array([s.passed and (s.schema == "strict" or not require_strict) for s in scores], bool)
