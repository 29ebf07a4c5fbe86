"""What every key of ``summary.json`` is, and every error kind: the one description of both, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mmload.model import CheckVerdict, ErrorKind, Verdict

Spec = Mapping[str, Any]
"""A key gives ``(type, what it is)`` or ``(Spec, what it is)``. Types: int, num, text, bool, texts, any; with
``?`` behind it, null too. The key ``*`` stands for any name; ``[]``, alone, for a list's entries. A key with
``?`` behind it may be missing or null."""

LATENCY: Final[Spec] = {
    "n": ("int", "samples"),
    "mean": ("num?", "arithmetic mean"),
    "p50": ("num?", "median; null below 11 samples"),
    "p90": ("num?", "null below 64 samples"),
    "p95": ("num?", "null below 130 samples"),
    "p99": ("num?", "null below 662 samples"),
    "p999": ("num?", "null below 6,636 samples"),
    "max": ("num?", "largest, exact"),
    "uncertified": ("texts", "percentiles that the sample cannot certify"),
}
COUNTS: Final[Spec] = {
    "planned": ("int", "requests of the schedule; always ok + failed + shed + not_sent"),
    "sent": ("int", "those that left, or tried to"),
    "completed": ("int", "a whole response came back"),
    "ok": ("int", "an answer of the protocol"),
    "failed": ("int", "an error, a timeout, a broken answer"),
    "shed": ("int", "turned away by the target (429, 503 with Retry-After)"),
    "not_sent": ("int", "never left us"),
    "errors": ({"*": ("int", "requests by error kind")}, "of all that is not ok"),
}
LATENCIES: Final[Spec] = {
    "e2e": (LATENCY, "from the due time to the last byte"),
    "service": (LATENCY, "from the actual send to the last byte"),
    "ttft": (LATENCY, "from the due time to the first token, of streamed answers"),
    "inter_token": (LATENCY, "between pieces of content"),
}
_INTERVAL: Final[Spec] = {
    "value": ("num?", "estimate"),
    "low": ("num?", "lower bound"),
    "high": ("num?", "upper bound"),
}
_RATES: Final[Spec] = {
    "achieved_rpm": ("num?", "ended ok, per minute"),
    "slo_rpm": ("num?", "ok and within the objective"),
    "good_rpm": ("num?", "within the objective and right"),
}
_GATE: Final[Spec] = {
    "name": ("text", "key of [gates]; with `_regression` behind it a check against a baseline"),
    "dimension": ("text", "what it is about"),
    "limit": ("num", "from the profile, or the baseline's bound"),
    "value": ("num?", "measured"),
    "low": ("num?", "lower 95% bound"),
    "high": ("num?", "upper 95% bound"),
    "verdict": (tuple(v.value for v in CheckVerdict), "of this gate"),
    "reason": ("text", "in words"),
}
_TURN: Final[Spec] = {
    "turn": ("int", "from 1"),
    **dict.fromkeys(("planned", "sent", "ok", "failed", "shed", "not_sent"), ("int", "requests")),
    "e2e_ms": (LATENCY, "from when the turn was due: the end of the answer before it and the time to think"),
    "service_ms": (LATENCY, "from the actual send"),
    "ttft_ms": (LATENCY, "from the due time to the first token"),
    "over_slo_ratio": ("num?", "of those sent"),
    "score": ("num?", "share of scored answers that pass"),
    "low": ("num?", "lower 95% bound"),
    "high": ("num?", "upper 95% bound"),
    "n_scored": ("int", "answers scored"),
    "tokens_in_mean": ("num?", "input tokens of an answer, what was said before included"),
    "cached_ratio": ("num?", "of the input tokens, those that the target says it had cached"),
    "per_query_usd": ("num?", "without machines"),
}
_SESSIONS: Final[Spec] = {
    "planned": ("int", "sessions of the schedule"),
    "begun": ("int", "those whose first turn was sent"),
    "completed": ("int", "those whose last turn was answered"),
    "completed_ratio": ("num?", "of those planned"),
    "turns_mean": ("num", "planned requests by sessions, over the suite"),
    "think_time_s": ("num", "mean that the profile asks for"),
    "think": ("text", "its distribution"),
    "after_failure": (("end", "continue"), "what a failed turn does to its session"),
    "turns_not_sent": ({"*": ("int", "turns by error kind")}, "whose session did not come so far"),
    "by_turn": ({"[]": (_TURN, "one turn")}, "every figure by turn"),
}
_VERDICT: Final = (*(v.value for v in CheckVerdict), None)
_CRITERION: Final[Spec] = {
    "name": ("text", "a gate, or a measure of the scorecard's own"),
    "means": ("text", "in words"),
    "limit": ("num?", "null: none is set"),
    "limit_from": (("profile", "matrix", None), "who set it"),
    "value": ("num?", "measured"),
    "low": ("num?", "lower 95% bound"),
    "high": ("num?", "upper 95% bound"),
    "verdict": (_VERDICT, "null without a limit"),
    "reason": ("text", "in words"),
}
_DIMENSION: Final[Spec] = {
    "name": ("text", ""),
    "weight": ("num", "in a ranking"),
    "verdict": (_VERDICT, "null without a limit"),
    "criteria": ({"[]": (_CRITERION, "one measure")}, "its measures"),
}
SUMMARY: Final[Spec] = {
    "schema_version": ("text", "semver of this format"),
    "run": (
        {
            "id": ("text", "name of the run"),
            "profile": ("text", "name of the profile"),
            "target": ("text", "host, or the embedded engine"),
            "seed": ("int", "of order, arrivals and sampling"),
            "started_at": ("text", "UTC, ISO 8601"),
            "duration_s": ("num?", "of the traffic"),
            "workers": ("int", "Locust workers"),
            "workload_fingerprint": ("text", "hash of payloads, schedule, mix and scorer version"),
            "content_fingerprint": ("text?", "the same whoever is asked: runs that share it compare"),
            "matrix_version": ("text?", "version of the scorecard's matrix"),
            "matrix_id": ("text?", "hash of its content"),
        },
        "what ran",
    ),
    "validity": (
        {
            "valid": ("bool", "false: the generator was the limit, or the run was cut short"),
            "reasons": ("texts", "why it is not"),
            "send_lag_ms": (
                {
                    "p50": ("num?", "median"),
                    "p99": ("num?", "99%; null below 662 requests"),
                    "max": ("num?", "latest"),
                },
                "actual send minus due time",
            ),
            "generator_cpu_ratio": ("num?", "share of a core, busiest worker"),
            "offered_rpm": ("num?", "planned rate"),
            "sent_rpm": ("num?", "sent rate"),
            "timestamp_source": (("kernel", "user", None), "whose clock stamps received bytes"),
        },
        "can it be trusted",
    ),
    "counts": (COUNTS, "how the planned requests ended"),
    "latency_ms": (LATENCIES, "milliseconds"),
    "throughput": (
        {
            **_RATES,
            "rpm_at_quality": (
                {**_INTERVAL, "limited_by": ("text?", "the gate that gave way, or why there is no figure")},
                "highest rate at which every gate holds",
            ),
            "levels": (
                {
                    "[]": (
                        {"name": ("text", "phase or part of one"), "verdict": ("any", "")},
                        "one load level",
                    )
                },
                "load levels against all gates",
            ),
        },
        "per minute",
    ),
    "quality": (
        {
            "score": ("num?", "share of scored answers that pass, weighted by task"),
            "low": ("num?", "lower 95% bound"),
            "high": ("num?", "upper 95% bound"),
            "n_scored": ("int", "answers scored"),
            "n_eligible": ("int", "answers that could be"),
            "by_task": ({"*": ("any", "the same for a task")}, "by task"),
            "by_model": ("any", "by the model that answered: answers, share, how many are right; or null"),
            "review": ("any", "what people said of answers; null without reviews"),
            "by_slice": ({"*": ("any", "by value")}, "by slice"),
            "hallucination": (
                {
                    key: ("num?", f"share of {key} claims that are untrue")
                    for key in ("object", "attribute", "relation", "action", "code")
                }
                | {"critical": ("num?", "share of answers with a critical one")},
                "by type",
            ),
            "abstention": ({"*": ("any", "")}, "unanswerable items, and their answerable twins"),
            "schema_valid_ratio": ("num?", "answers that fit the schema, after repair"),
            "safety": ({"*": ("any", "")}, "broken rules"),
            "baseline_delta": (_INTERVAL, "against the unloaded phase, on the same items"),
        },
        "of the answers",
    ),
    "cost": (
        {
            "total_usd": ("num?", "the whole bill"),
            "per_query_usd": ("num?", "over all queries"),
            "per_good_query_usd": ("num?", "over those in time and right"),
            "by_component": (
                dict.fromkeys(
                    (*("model", "retries", "validators", "tools"), *("fallback", "review", "infrastructure")),
                    ("num?", "dollars"),
                ),
                "where it went",
            ),
            "by_feature": ({"*": ("num?", "dollars")}, "by task"),
            "by_workflow": ("any", "by the profile's workflows; null without any"),
            "price_snapshot": ("any", "prices, source and date"),
        },
        "dollars",
    ),
    "stages": (
        {
            "*": (
                {
                    "n": ("int", "answers"),
                    "p50": ("num?", "null below 11 answers"),
                    "p95": ("num?", "null below 130 answers"),
                    "p99": ("num?", "null below 662 answers"),
                    "share": ("num?", "of the service time of the answers that tell"),
                },
                "milliseconds of one stage",
            )
        },
        "as the target's Server-Timing says",
    ),
    "sessions?": (_SESSIONS, "of measured phases; null where requests stand alone"),
    "phases": (
        {
            "[]": (
                {
                    "name": ("text", "as in the profile"),
                    "shape": ("text", "as in the profile"),
                    "counts": (COUNTS, "of the phase"),
                    "latency_ms": (LATENCIES, "of the phase"),
                    "throughput": (_RATES, "of the phase"),
                    "quality": ("any", "of the phase"),
                    "cost": ("any", "of the phase"),
                },
                "one phase; bursts have recovery_s, peak_backlog, and burst: before, during, after",
            )
        },
        "in order",
    ),
    "scorecard": (
        {
            "matrix": (
                {"name": ("text", ""), "version": ("text", "semver"), "id": ("text", "hash of its content")},
                "by which it was made",
            ),
            "dimensions": (
                {"[]": (_DIMENSION, "one of eight")},
                "verdicts; the run's own comes from its gates",
            ),
            "friction": ("any", "integration friction: value 0 to 100, parts, not_measured"),
            "rank_figures": ({"*": ("num?", "")}, "what a comparison ranks by"),
        },
        "the run against the matrix",
    ),
    "attribution": ("any", "whose the failures are: by_party, and causes with their first request; or null"),
    "gates": ({"[]": (_GATE, "one gate")}, "what the verdict rests on"),
    "verdict": (tuple(v.value for v in Verdict), "of the run"),
}

ERRORS: Final = {
    ErrorKind.DNS: "the host's name cannot be resolved",
    ErrorKind.CONNECT_REFUSED: "nobody listens there",
    ErrorKind.CONNECT_TIMEOUT: "no connection within `connect_timeout_s`",
    ErrorKind.CONNECT_RESET: "the connection was reset before the answer began",
    ErrorKind.TLS_CERT: "the certificate does not verify",
    ErrorKind.TLS_HANDSHAKE: "the TLS handshake failed otherwise",
    ErrorKind.SEND_TIMEOUT: "the target took no more of the request",
    ErrorKind.FIRST_BYTE_TIMEOUT: "no byte within `first_byte_timeout_s` of the send",
    ErrorKind.IDLE_TIMEOUT: "a begun answer was silent for `idle_timeout_s`",
    ErrorKind.TOTAL_TIMEOUT: "not whole within `total_timeout_s`",
    ErrorKind.RESET_MID_BODY: "reset within the answer",
    ErrorKind.TRUNCATED_BODY: "closed before the announced length",
    ErrorKind.TRUNCATED_STREAM: "a stream closed without its end",
    ErrorKind.MALFORMED_SSE: "an event stream that is none",
    ErrorKind.MALFORMED_JSON: "JSON that is none, or not the protocol's",
    ErrorKind.INVALID_UTF8: "text that is not UTF-8",
    ErrorKind.BAD_ENCODING: "a content encoding that does not decode, or was not asked for",
    ErrorKind.WRONG_CONTENT_TYPE: "another type than the protocol's",
    ErrorKind.BODY_TOO_LARGE: "an answer beyond the limit",
    ErrorKind.HEADER_TOO_LARGE: "headers beyond the limit",
    ErrorKind.PROTOCOL_ERROR: "no valid HTTP",
    ErrorKind.REDIRECT: "a redirect, which is never followed",
    ErrorKind.HTTP_4XX: "refused by the target: the request is at fault",
    ErrorKind.HTTP_429: "turned away: too many requests",
    ErrorKind.HTTP_5XX: "an error of the target",
    ErrorKind.API_ERROR_IN_STREAM: "an error as an event of a stream that began well",
    ErrorKind.EMPTY_RESPONSE: "an answer without content",
    ErrorKind.CONTENT_FILTER: "stopped by the target's content filter",
    ErrorKind.LOCAL_FD_EXHAUSTED: "no file descriptor left here",
    ErrorKind.LOCAL_PORT_EXHAUSTED: "no local port left here",
    ErrorKind.LOCAL_CANCELLED: "the run ended before the request could",
    ErrorKind.SCHEDULE_DROP: "no lane came free before the drain ended, or the generator had stood still "
    "for over a second",
    ErrorKind.SESSION_ENDED: "never sent: an earlier turn of its session failed or was shed",
    ErrorKind.SESSION_CUT: "never sent: the drain time ended before its session had come so far",
    ErrorKind.WORKER_LOST: "its worker was lost",
    ErrorKind.INTERNAL_BUG: "a fault of mmload",
}
