"""Two candidates driven in turn: the same requests at both, and one answer."""

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from whole_runs import TINY, command

pytestmark = pytest.mark.live

PHASE = """
[[phase]]
name = "base"
shape = "sustained"
duration_s = 2
rpm = 1800
[gates]
schema_valid_min = 0.5
error_max = 0.5
"""


def test_candidates_take_turns_on_the_same_requests_and_the_broken_one_never_ranks(tmp_path: Path) -> None:
    profile, out = tmp_path / "tiny.toml", tmp_path / "out"
    profile.write_text(TINY + PHASE)
    candidates = ("--candidate", "sound", "--candidate", "broken:target.sim.broken_json_rate=1.0")
    done = subprocess.run(
        command("compare", str(profile), *candidates, "--rounds", "1", "--out", str(out), "--json"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    by = {c["name"]: c for c in found["candidates"]}
    assert (by["sound"]["rank"], by["broken"]["rank"]) == (1, None)
    assert by["broken"]["failed_gates"] == ["schema_valid_min"]
    quality = next(d for d in found["differences"] if d["metric"] == "quality")
    assert quality["n_pairs"] == 60 and quality["verdict"] == "worse"
    assert {f["fallback"] for f in found["fallbacks"]["rows"]} == {"prior", "rules", "text", "human"}
    card = json.loads((out / "sound" / "summary.json").read_text())
    assert len(card["scorecard"]["dimensions"]) == 8
    assert card["scorecard"]["matrix"]["id"] == found["matrix_id"] == card["run"]["matrix_id"]
    rows = pq.read_table(out / "sound" / "requests.parquet").to_pydict()
    assert all(v.startswith(("extract.v1-", "ui.v1-", "chart.v1-")) for v in rows["prompt_version"])
    assert "sim-large" in rows["model"]
    broken = pq.read_table(out / "broken" / "requests.parquet")["blame"].to_pylist()
    assert broken.count("model: schema") > 40

    reviews = tmp_path / "reviews.csv"
    reviews.write_text("seq,verdict\n" + "".join(f"{seq},right\n" for seq in rows["seq"][:30]))
    again = subprocess.run(
        command("rescore", str(out / "sound"), "--reviews", str(reviews), "--json"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = json.loads(again.stdout)["quality"]
    assert said["review"]["compared"] >= 25 and said["score"] == card["quality"]["score"]


def test_the_pipeline_that_really_reads_is_a_candidate_like_any_other(tmp_path: Path) -> None:
    profile, out = tmp_path / "tiny.toml", tmp_path / "out"
    profile.write_text(TINY + PHASE.replace("duration_s = 2\nrpm = 1800", "duration_s = 8\nrpm = 180"))
    candidates = ("--candidate", "reader", "--candidate", "model:target.engine=sim")
    options = ("--target", "ocr", "--rounds", "1", "--no-progress", "--set", "target.total_timeout_s=60")
    done = subprocess.run(
        command("compare", str(profile), *candidates, *options, "--out", str(out), "--json"),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode in (0, 3, 4), done.stderr
    found = json.loads(done.stdout)
    by = {c["name"]: c for c in found["candidates"]}
    assert (by["reader"]["target"], by["model"]["target"]) == ("ocr", "sim")
    assert list(by["reader"]["by_model"]) == ["ocr-rules"] and by["reader"]["error_ratio"] < 1
    assert next(d for d in found["differences"] if d["metric"] == "error_ratio")["n_pairs"] == 24
