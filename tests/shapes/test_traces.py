"""Replayed traces: the formats, the scaling, and what is said of a line that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.model import InputError
from mmload.profile import Phase
from mmload.shapes.replay import Replay
from mmload.shapes.traces import read_seconds

FORMATS = {
    "plain.csv": "0.5\n1.0\n2.25\n",
    "column.csv": "user,timestamp_ms\na,500\nb,1000\nc,2250\n",
    "dates.csv": "time\n2026-01-31T12:00:00.5Z\n2026-01-31T12:00:01Z\n2026-01-31T12:00:02.25+00:00\n",
    "unsorted.csv": "# a comment\n2.25\n0.5\n\n1.0\n",
    "plain.jsonl": "0.5\n1\n2.25\n",
    "objects.jsonl": '{"t": 0.5}\n{"t": 1, "x": {}}\n{"t": 2.25}\n',
    "mooncake.jsonl": (
        '{"timestamp": 500, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n'
        '{"timestamp": 1000, "input_length": 1, "output_length": 1, "hash_ids": []}\n'
        '{"timestamp": 2250, "input_length": 1, "output_length": 1, "hash_ids": []}\n'
    ),
    "burstgpt.csv": (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "0.5,ChatGPT,472,18,490,Conversation log\n"
        "1,GPT-4,1087,230,1317,API log\n"
        "2.25,ChatGPT,417,276,693,Conversation log\n"
    ),
    "azure-2023.csv": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
        "2023-11-16 18:15:46.5000000,374,44\r\n"
        "2023-11-16 18:15:47.0000000,396,109\r\n"
        "2023-11-16 18:15:48.2500000,879,55\r\n"
    ),
    "azure-2024.csv": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-05-10 00:00:00.500000+00:00,2162,5\n"
        "2024-05-10 00:00:01.000000+00:00,2399,6\n"
        "2024-05-10 00:00:02.250000+00:00,76,15\n"
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_times_counted_from_the_first(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FORMATS[name], newline="")
    seconds, rows = read_seconds(tmp_path / name)
    assert seconds == pytest.approx([0, 0.5, 1.75], abs=1e-6)
    assert rows.tolist() == ([1, 2, 0] if name == "unsorted.csv" else [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "1\n2\nx\n", "a.csv:3: 'x' is no time"),
        ("a.csv", "1\nnan\n", "a.csv:2: nan is no time"),
        ("a.csv", "user,when\n1,2\n", "a.csv:1: no column of times; found user, when; needed is one of"),
        ("a.csv", "user,t\n1\n", "a.csv:2: 1 columns; the time is in column 2"),
        ("a.csv", "", "a.csv: the trace holds no timestamp"),
        ("a.csv", "timestamp\n", "a.csv: the trace holds no timestamp"),
        ("a.jsonl", "1\n{\n", "a.jsonl:2: not JSON: {"),
        ("a.jsonl", "1\n" + "9" * 5_000 + "\n", "a.jsonl:2: not JSON: 99"),
        ("a.jsonl", '{"when": 1}\n', "a.jsonl:1: no time; found when;"),
        ("a.jsonl", '{"t": true}\n', "a.jsonl:1: True is no time"),
        ("a.jsonl", '{"t": "yesterday"}\n', "a.jsonl:1: 'yesterday' is no time"),
        ("a.jsonl", "[1, 2]\n", "a.jsonl:1: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_seconds(tmp_path / name)
    assert message in str(caught.value)


def test_a_trace_that_is_missing_or_no_text_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.csv", "binary", "."):
        with pytest.raises(InputError, match="the trace"):
            read_seconds(tmp_path / name)


def replay(tmp_path: Path, times: list[float], **keys: Any) -> Replay:
    (tmp_path / "t.csv").write_text("".join(f"{t!r}\n" for t in times))
    return Replay(Phase(name="p", shape="replay", trace="t.csv", **{"duration_s": 10.0, **keys}), tmp_path)


def test_time_and_rate_are_scaled_and_what_lies_beyond_the_phase_is_left_out(tmp_path: Path) -> None:
    times = [5.0, 6.0, 6.0, 9.0, 15.0]
    assert replay(tmp_path, times).exact_s.tolist() == [0, 1, 1, 4]
    assert replay(tmp_path, times, time_scale=0.5).exact_s.tolist() == [0, 0.5, 0.5, 2, 5]
    assert replay(tmp_path, times, rate_scale=2.0).exact_s.tolist() == [0, 0.5, 1, 1, 1, 2.5, 4, 7]
    assert replay(tmp_path, times, rate_scale=0.5).exact_s.tolist() == [0, 1]


def test_every_arrival_knows_its_row_of_the_trace(tmp_path: Path) -> None:
    times = [9.0, 5.0, 6.0, 15.0]
    assert replay(tmp_path, times).rows.tolist() == [1, 2, 0]
    assert replay(tmp_path, times, rate_scale=2.0).rows.tolist() == [1, 1, 2, 2, 0, 0]
    assert replay(tmp_path, times, rate_scale=0.5).rows.tolist() == [1, 0]


def test_expected_of_a_trace_counts_its_arrivals(tmp_path: Path) -> None:
    shape = replay(tmp_path, [0.0, 1.0, 1.0, 4.0])
    assert [shape.expected(t) for t in (-1, 0, 0.5, 1, 3.9, 4, 99)] == [0, 1, 1, 3, 3, 4, 4]
    assert shape.rate(1.0) == 2.0


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50), st.floats(0.1, 10))
def test_scaling_the_rate_keeps_the_span_and_multiplies_the_count(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], factor: float
) -> None:
    shape = replay(
        tmp_path_factory.mktemp("trace"), times, rate_scale=factor, duration_s=86400.0, time_scale=0.08
    )
    span = (max(times) - min(times)) * 0.08
    assert len(shape.exact_s) == pytest.approx((len(times) - 1) * factor + 1, abs=1)
    assert shape.exact_s[0] == 0
    assert np.all(np.diff(shape.exact_s) >= 0)
    assert shape.exact_s[-1] <= span + 1e-9


def test_a_replay_without_a_trace_is_an_input_error() -> None:
    with pytest.raises(InputError, match="needs trace"):
        Replay(Phase(name="p", shape="replay", duration_s=1), Path())
