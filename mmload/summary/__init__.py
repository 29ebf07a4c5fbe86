"""Everything about a run that can be added up, and the figures drawn from it."""

from mmload.journal import RUN_JOURNAL, SCORES_JOURNAL
from mmload.summary.attribution import Attribution
from mmload.summary.evidence import GATES, Evidence, Gate
from mmload.summary.figures import SCHEMA_VERSION, figures
from mmload.summary.judge import Judged, judged
from mmload.summary.reading import RunReader, answers_of, scores_of
from mmload.summary.reviews import REVIEWS, Reviews, read_reviews, review_figures
from mmload.summary.run_info import Level, RunInfo, Window
from mmload.summary.series import intervals_for_log, merged_latency, series, worst_seqs
from mmload.summary.server_side import (
    SERVER_METRICS,
    ServerSide,
    server_series,
    server_side,
)
from mmload.summary.shelf import Shelf
from mmload.summary.sums import METRICS, Summary
from mmload.summary.validity import Ending

__all__ = [
    "GATES",
    "METRICS",
    "REVIEWS",
    "RUN_JOURNAL",
    "SCHEMA_VERSION",
    "SCORES_JOURNAL",
    "SERVER_METRICS",
    "Attribution",
    "Ending",
    "Evidence",
    "Gate",
    "Judged",
    "Level",
    "Reviews",
    "RunInfo",
    "RunReader",
    "ServerSide",
    "Shelf",
    "Summary",
    "Window",
    "answers_of",
    "figures",
    "intervals_for_log",
    "judged",
    "merged_latency",
    "read_reviews",
    "review_figures",
    "scores_of",
    "series",
    "server_series",
    "server_side",
    "worst_seqs",
]
