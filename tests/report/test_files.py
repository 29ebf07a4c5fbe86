import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from PIL import Image

from mmload import report
from mmload.model import ImageFile, Item, Record, Score
from mmload.report.answers import AnswerRow, write_answers
from mmload.report.charts import EVERY
from mmload.report.files import replacing
from mmload.report.parquet import SCHEMA, RequestRow, write_requests
from tests.report import sample

ITEM = Item(
    0,
    "i0",
    "chart",
    "clean",
    0,
    True,
    "",
    {"image_size": "m"},
    (ImageFile("a.png", 640, 480, "png", None, "h", 1000), ImageFile("b.png", 64, 48, "png", None, "h", 10)),
    "",
    "How much?",
    64,
    {},
    (),
    "NONCE1",
    (),
    True,
)


def record(seq=1, **parts):
    full = Record(
        seq,
        0,
        0,
        0,
        10_000_000,
        10_500_000,
        20_000_000,
        30_000_000,
        110_000_000,
        "ok",
        "",
        200,
        1,
        "",
        0,
        500,
        90,
        12,
        7,
        None,
        "usage",
        2,
        b"\x01\0\0\0\x02\0\0\0",
        "model;dur=80",
        "sim",
        "stop",
        True,
        False,
        0.5,
        True,
        "",
    )
    return full._replace(**parts)


def score(seq=1, passed=True):
    return Score(seq, 0, "chart", passed, 1.0 if passed else 0.25, "strict", "answered", True, critical=0)


def test_every_file_of_the_report_is_written_and_real(run_dir, measured):
    assert json.loads((run_dir / "summary.json").read_text())["verdict"] == "no-go"
    assert "Requests per minute at quality" in (run_dir / "report.md").read_text()
    ElementTree.parse(run_dir / "junit.xml")
    for make in EVERY:
        key = make(measured).key
        ElementTree.parse(run_dir / "plots" / f"{key}.svg")
        with Image.open(run_dir / "plots" / f"{key}.png") as image:
            assert image.width == 2000 and len(image.getcolors(1 << 22)) > 3


def test_the_same_figures_give_the_same_bytes(run_dir, measured, tmp_path):
    report.write(
        tmp_path,
        measured.figures,
        measured.series,
        profile=measured.profile,
        run_info=measured.run_info,
        environment=measured.environment,
    )
    for path in run_dir.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(run_dir)).read_bytes(), path.name


def test_a_secret_is_in_no_file(measured, tmp_path):
    key = "zq-very-secret-0123456789"
    series = {
        **measured.series,
        "worst": [dict(w, answer=f"my key is {key}", error=key) for w in sample.worst()],
        "error_examples": [{"kind": "http_429", "count": 3, "example": f"401 for {key}"}],
    }
    figures = {
        **measured.figures,
        "validity": {**measured.figures["validity"], "warnings": [f"header was {key}"]},
    }
    report.write(
        tmp_path,
        figures,
        series,
        profile=measured.profile,
        run_info={**measured.run_info, "target": key},
        environment={"argv": f"--key {key}"},
        secrets=(key,),
    )
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_not_a_number_becomes_null_and_not_invalid_json(measured, tmp_path):
    figures = {**measured.figures, "cost": {"total_usd": float("nan"), "per_query_usd": float("inf")}}
    report.write(tmp_path, figures, {}, profile=measured.profile, run_info={}, environment={})
    assert json.loads((tmp_path / "summary.json").read_text())["cost"] == {
        "total_usd": None,
        "per_query_usd": None,
    }


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "report.md"
    target.write_text("old")

    with pytest.raises(OSError, match="no space left"), replacing(target) as temporary:
        temporary.write_text("ha")
        raise OSError("no space left")
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["report.md"]


def test_parquet_has_every_field_of_every_planned_request(tmp_path):
    path = tmp_path / "requests.parquet"
    lost = record(
        2,
        sent_ns=None,
        first_byte_ns=None,
        first_token_ns=None,
        end_ns=None,
        outcome="not_sent",
        error="schedule_drop",
        gaps_us=b"",
        tokens_in=None,
        tokens_out=None,
    )
    rows = [RequestRow(record(1), "base", ITEM, 1234, score(1)), RequestRow(lost, "burst", None, None, None)]
    assert write_requests(path, iter(rows)) == 2
    table = pq.read_table(path)
    assert table.schema.names == SCHEMA.names and set(Record._fields) <= set(table.schema.names)
    first, second = table.to_pylist()
    assert (first["e2e_ms"], first["service_ms"], first["ttft_ms"]) == (100.0, 99.5, 20.0)
    assert (first["cost_usd"], first["gaps_us"], first["score"], first["passed"]) == (
        0.001234,
        [1, 2],
        1.0,
        True,
    )
    assert (first["task"], first["images"], first["image_width"], first["image_bytes"]) == (
        "chart",
        2,
        640,
        1010,
    )
    absent = (
        "e2e_ms",
        "service_ms",
        "ttft_ms",
        "cost_usd",
        "score",
        "passed",
        "task",
        "tokens_in",
        "sent_ns",
    )
    assert all(second[name] is None for name in absent)


def test_parquet_is_streamed_in_row_groups(tmp_path):
    path = tmp_path / "requests.parquet"
    write_requests(path, (RequestRow(record(n), "base", ITEM, None, None) for n in range(25)), row_group=10)
    assert pq.ParquetFile(path).num_row_groups == 3
    assert pq.read_table(path).column("seq").to_pylist() == list(range(25))


def answers(count):
    return [AnswerRow(n, "base", ITEM, f"answer {n}", score(n, passed=n % 10 != 0)) for n in range(count)]


def kept(folder):
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def test_answers_are_bounded_and_keep_room_for_those_that_did_not_pass(tmp_path):
    assert write_answers(tmp_path, answers(1000), most=40) == 40
    entries = kept(tmp_path)
    assert [e["seq"] for e in entries] == sorted(e["seq"] for e in entries)
    assert sum(not e["score"]["passed"] for e in entries) == 20


def test_which_answers_are_kept_does_not_depend_on_the_order_in_which_they_came(tmp_path):
    write_answers(tmp_path / "a", answers(300), most=30)
    write_answers(tmp_path / "b", reversed(answers(300)), most=30)
    assert kept(tmp_path / "a") == kept(tmp_path / "b")


def test_answers_are_redacted_and_one_line_each(tmp_path):
    text = "line\nbreak \u2028 data:image/png;base64," + "A" * 64 + " token sk-abcdefghijklmnop key zzzz9999"
    write_answers(tmp_path, [AnswerRow(1, "base", None, text, None)], secrets=["zzzz9999"])
    raw = (tmp_path / "answers.jsonl").read_text()
    assert raw.count("\n") == 1 and "AAAA" not in raw and "sk-abc" not in raw and "zzzz9999" not in raw


BIG = """
import json, sys
from pathlib import Path
from tests.report import sample
from mmload import report
figures, series = sample.figures_and_series(100_000)
out = Path(sys.argv[1])
info = sample.run_info(sys.argv[2])
report.write(out, figures, series, profile=sample.profile(), run_info=info, environment={})
# Not getrusage: its peak begins with that of the process that started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) / 1024
size = (out / "report.html").stat().st_size
print(json.dumps({"mib": peak, "html": size, "n": figures["counts"]["planned"]}))
"""


def test_a_run_of_100_000_requests_fits_in_5_mb_of_page_and_500_mb_of_memory(tmp_path, suite):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", BIG, str(tmp_path), str(suite)],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=200,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["n"] > 60_000 and found["html"] < 5_000_000 and found["mib"] < 500
