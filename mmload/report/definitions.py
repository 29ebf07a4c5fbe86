"""What the words of a report mean, in its own order. The text that a sceptic reads first."""

from __future__ import annotations

from mmload.report import conversations
from mmload.report.measured import Measured
from mmload.report.wording import ms


def definitions(measured: Measured) -> list[tuple[str, str]]:
    """Term and meaning."""
    objectives = ", ".join(f"{task} {ms(slo.e2e_ms)}" for task, slo in measured.profile.slo.items())
    talk = [conversations.METHOD] if measured.part("sessions") else []
    return [*_TERMS[:3], *talk, ("Objective", f"End to end, by task: {objectives}."), *_TERMS[3:]]


_TERMS = [
    (
        "Requests per minute at quality",
        "The highest tested rate at which the lower 95% bound of quality, the latency gate, the error gate "
        "and the hallucination gate all hold, and at which every lower rate held them too. A fast wrong "
        "answer is not throughput.",
    ),
    (
        "End to end, due",
        "From the instant at which the schedule meant a request to leave to its last byte. A late sender, "
        "a full pool of connections or a stalled target makes it longer.",
    ),
    (
        "Service, sent",
        "From the actual send to the last byte. Shown beside the due latency, never in its place.",
    ),
    (
        "Certified percentile",
        "Printed only if the sample certifies it at 99% confidence: at least 64 requests for p90, 130 for "
        "p95, 662 for p99, 6,636 for p99.9.",
    ),
    (
        "Quality",
        "Share of scored answers that pass their task's check, weighted by task as the profile says and "
        "not as traffic happened to fall.",
    ),
    (
        "Cost",
        "Every attempt, validator, fallback, tool, review minute and idle machine-second, from the dated "
        "prices of the profile. Per good query: the whole bill over the answers that were in time and right.",
    ),
    ("Counts", "Every planned request ends as exactly one of ok, failed, shed or not sent."),
    (
        "Verdict",
        "Go: all gates hold. No-go: one failed. Inconclusive: none failed, but a sample is too small. "
        "Invalid: the generator was the limit, or the run was cut short. No sum of weights rescues a "
        "failed gate.",
    ),
]
