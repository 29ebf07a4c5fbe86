"""Interval logs, read back by the Python package and by npm's hdr-histogram-js."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from mmload.histogram import Histogram, Interval, hlog

NODE = Path(__file__).parents[1] / "node"
BASE_S = 1795556228.468


def written(path):
    rng = np.random.default_rng(3)
    rows = []
    for tag, start in (("base.e2e", 0.0), ("base.e2e", 1.0), ("burst.ttft", 1.5)):
        h = Histogram()
        h.record_many(rng.lognormal(13, 0.5, 300).astype(np.int64))
        rows.append(Interval(tag, start, 1.0, h))
    lines = hlog(rows, title="mmload run=x", base_time_s=BASE_S)
    path.write_text("".join(lines))
    return rows


def test_node_reads_tags_times_counts_and_percentiles(tmp_path):
    assert shutil.which("node"), "node is needed to read the log as its users do"
    rows = written(tmp_path / "x.hlog")
    ran = subprocess.run(
        ["node", NODE / "read_hlog.mjs", tmp_path / "x.hlog"], capture_output=True, text=True, check=True
    )
    read = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [r["tag"] for r in read] == [i.tag for i in rows]
    for got, interval in zip(read, rows, strict=True):
        h = interval.histogram
        assert got["count"] == h.n
        assert got["p50"] == pytest.approx(h.percentile(50), rel=0.002)
        assert got["p99"] == pytest.approx(h.percentile(99), rel=0.002)
        assert got["max"] == pytest.approx(h.max_us, rel=0.001)
        assert got["start_ms"] == pytest.approx((BASE_S + interval.start_s) * 1000, abs=1.5)
        assert got["end_ms"] - got["start_ms"] == pytest.approx(1000, abs=1.5)


def test_the_python_package_reads_the_same_counts(tmp_path):
    rows = written(tmp_path / "x.hlog")
    reader = HistogramLogReader(str(tmp_path / "x.hlog"), HdrHistogram(1, 3_600_000_000, 3))
    found = []
    while (h := reader.get_next_interval_histogram()) is not None:
        found.append((h.get_tag(), h.get_total_count()))
    assert found == [(i.tag, i.histogram.n) for i in rows]


def test_the_start_is_given_in_words_too(tmp_path):
    written(tmp_path / "x.hlog")
    assert (
        "#[StartTime: 1795556228.468 (seconds since epoch), 2026-11-24T21:37:08.468+00:00]"
        in (tmp_path / "x.hlog").read_text()
    )


def test_a_tag_holds_no_comma_and_no_space():
    h = Histogram()
    h.record(5)
    last = list(hlog([Interval("a, b", 0, 1, h)], title="t", base_time_s=0))[-1]
    assert last.startswith("Tag=a__b,0.000,1.000,0.005,")
