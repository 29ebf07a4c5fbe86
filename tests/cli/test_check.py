"""``mmload check``: the plan in words, a picture, and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmload.cli import _certify
from mmload.cli._curve import Stretch, chart

from .conftest import Run

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "traffic_profiles").glob("*.toml"))
TOO_SHORT = ROOT / "tests" / "profiles" / "too-short.toml"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda f: f.stem)
def test_every_shipped_profile_is_checked_without_a_warning(mmload: Run, file: Path) -> None:
    ended = mmload("check", file, "--strict")
    assert (ended.code, ended.err) == (0, "")
    assert "warning" not in ended.out
    assert "┤" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


def test_burst_is_a_minute_of_traffic_and_a_thousand_measured_requests(mmload: Run) -> None:
    result = mmload("check", ROOT / "traffic_profiles" / "burst.toml", "--json").json
    assert result["measured_requests"] >= 1000
    assert result["duration_s"] <= 60
    assert all(gate["certifiable"] for gate in result["gates"])


@pytest.mark.parametrize("name", ["smoke", "ramp", "sustained", "burst"])
def test_what_a_newcomer_runs_takes_at_most_90_seconds(mmload: Run, name: str) -> None:
    assert mmload("check", ROOT / "traffic_profiles" / f"{name}.toml", "--json").json["duration_s"] <= 90


def test_json_is_the_only_thing_on_stdout_and_adds_up(mmload: Run, small: Path) -> None:
    ended = mmload("check", small, "--json")
    result = json.loads(ended.out)
    assert ended.err == ""
    assert result["requests"] == sum(p["requests"] for p in result["phases"])
    assert result["bytes"] == sum(p["bytes"] for p in result["phases"])
    curve = result["curve"]
    assert max(curve["planned_rpm"]) == pytest.approx(1200)
    assert sum(curve["arrivals_rpm"]) / 60 * result["duration_s"] / len(curve["t_s"]) == pytest.approx(
        result["requests"]
    )
    tokens = result["tokens_in"] + result["tokens_out"]
    assert result["usd"] == pytest.approx(tokens / 1e6)
    assert result["sizes"] == "estimated"


def test_dollars_are_those_of_the_book_that_prices_the_run(mmload: Run, small: Path) -> None:
    def usd(*sets: str) -> float | None:
        options = [part for key in sets for part in ("--set", key)]
        found: float | None = mmload("check", small, "--json", *options).json["usd"]
        return found

    by_name = usd()
    text = small.read_text()
    small.write_text(text.replace("cost.models.sim-large", 'cost.models."sim-l*"'))
    assert usd() == by_name, "a pattern"
    small.write_text(text.replace("cost.models.sim-large", "cost.models.vision"))
    assert usd() is None
    assert usd("target.model=vision-2026-08-06") == by_name, "a version of a model"
    assert usd("target.model=gpt-4o", "gates.per_query_usd_max=1"), "the catalogue of list prices"
    gates = mmload(
        "check", small, "--strict", "--set", "target.model=gpt-4o", "--set", "gates.per_query_usd_max=1"
    )
    assert gates.code == 0


@pytest.mark.parametrize("name", ["smoke", "chat"])
def test_a_built_suite_makes_the_sizes_exact_and_they_were_guessed_well(mmload: Run, name: str) -> None:
    profile = ROOT / "traffic_profiles" / f"{name}.toml"
    guessed = mmload("check", profile, "--json").json
    assert mmload("fixtures", "build", profile).code == 0
    known = mmload("check", profile, "--json").json
    assert (guessed["sizes"], known["sizes"]) == ("estimated", "measured")
    assert known["schedule_sha256"] == guessed["schedule_sha256"]
    for key in ("bytes", "tokens_in", "tokens_out", "usd"):
        assert 0.8 < known[key] / guessed[key] < 1.25, key


def test_the_same_seed_gives_the_same_plan_for_any_number_of_workers(mmload: Run, small: Path) -> None:
    hashes = [
        mmload("check", small, "--json", *options).json["schedule_sha256"]
        for options in ([], ["--workers", 2], ["--seed", 2])
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_run_too_short_for_its_gates_is_a_warning_and_strict_makes_it_exit_code_4(mmload: Run) -> None:
    ended = mmload("check", TOO_SHORT)
    assert ended.code == 0
    assert "warning: gates.e2e_p99_ms cannot be certified by this run" in ended.out
    assert "662 needed at 99% confidence" in ended.out
    assert mmload("check", TOO_SHORT, "--strict").code == 4
    assert mmload("check", TOO_SHORT, "--strict", "--json").code == 4


@pytest.mark.parametrize(
    ("override", "warning"),
    [
        ("gates.e2e_p999_ms=5", "gates.e2e_p999_ms cannot be certified"),
        ("gates.ttft_p95_ms=5", "streamed requests planned, 130 needed"),
        ("gates.recovery_s_max=5", "no phase has a burst to recover from"),
        ("gates.error_max=0.0", "no number of requests can show 0 with certainty"),
        ("gates.error_max=0.001", "2,995 needed even if none goes wrong"),
        ("gates.rpm_at_quality_min=5", None),
        ("target.api_key_env=NO_SUCH_VARIABLE", None),
        ("target.model=other", "no price for other"),
        ("target.total_timeout_s=1", "gives up before the objective"),
        ("target.max_in_flight=1", "target.max_in_flight = 1 would make arrivals wait"),
        ("cost.budget_usd=0.000001", "stop at its budget"),
    ],
)
def test_what_a_run_would_stumble_over_is_a_warning(
    mmload: Run, small: Path, override: str, warning: str | None
) -> None:
    warnings = mmload("check", small, "--json", "--set", override).json["warnings"]
    assert any(warning in w for w in warnings) if warning else warnings == []


def test_a_missing_key_is_a_warning_but_for_the_embedded_target(mmload: Run, small: Path) -> None:
    key, elsewhere = ("--set", "target.api_key_env=NO_SUCH_VARIABLE"), ("--target", "http://127.0.0.1:9/v1")
    assert mmload("check", small, "--json", *key).json["warnings"] == []
    (warning,) = mmload("check", small, "--json", *key, *elsewhere).json["warnings"]
    assert "NO_SUCH_VARIABLE is not set" in warning


def test_a_phase_that_would_send_nothing_is_a_warning(mmload: Run, small: Path) -> None:
    idle = '[[phase]]\nname = "idle"\nshape = "sustained"\nduration_s = 1\nrpm = 0.001\n'
    small.write_text(small.read_text().replace("[mix]", f"{idle}[mix]"))
    assert mmload("check", small, "--json").json["warnings"] == ["this seed plans no request for idle"]


def test_no_gates_at_all_is_a_warning(mmload: Run, small: Path) -> None:
    small.write_text(small.read_text().split("[gates]")[0])
    assert any("[gates] is empty" in w for w in mmload("check", small, "--json").json["warnings"])


def test_a_level_counts_for_rpm_at_quality_only_if_it_certifies_every_other_gate(
    mmload: Run, small: Path
) -> None:
    options = ["--set", "gates.rpm_at_quality_min=5", "--set", "phase.base.duration_s=5", "--json"]
    warnings = mmload("check", small, *options).json["warnings"]
    assert any("no level alone is long enough for e2e_p95_ms" in w for w in warnings)


def test_bad_input_ends_with_2_and_names_the_line(mmload: Run, small: Path) -> None:
    small.write_text(small.read_text().replace("duration_s = 10", "duration_s = 0"))
    ended = mmload("check", small)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"mmload: {small}:7: phase[0].duration_s: found 0; it must be above 0 (seconds)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--target", "smi"],
            '--target smi: it must be sim, ocr or a URL as "http://127.0.0.1:8000/v1"; did you mean',
        ),
        (["--target", "http://192.0.2.1/v1"], "192.0.2.1 is not this machine"),
        (["--seed", "-1"], "-1 is no whole number of at least 0"),
        (["--workers", "0"], "0 is no whole number from 1 to 256"),
        (["--plugin", "none.py"], "none.py: no such plugin file"),
    ],
)
def test_a_wrong_option_is_exit_code_2(mmload: Run, small: Path, arguments: list[str], message: str) -> None:
    ended = mmload("check", small, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_a_shape_of_my_own_is_planned_and_drawn(mmload: Run, small: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "class Saw:\n"
        "    open_loop = True\n"
        "    bursts = []\n"
        "    def __init__(self, phase, base_dir):\n"
        "        self.duration_s, self.slope = phase.duration_s, phase.options['slope']\n"
        "    def expected(self, t_s): return self.slope * t_s * t_s / 2\n"
        "    def rate(self, t_s): return self.slope * t_s\n"
        "    def users(self, t_s): return 0\n"
        "MMLOAD_PLUGINS = {'shapes': {'saw-for-test': Saw}}\n"
    )
    small.write_text(
        small.read_text()
        .replace('"sustained"', '"saw-for-test"')
        .replace("rpm = 1200", "options = { slope = 4.0 }")
    )
    assert "allowed are burst, ramp" in mmload("check", small).err
    result = mmload("check", small, "--json", "--plugin", plugin).json
    assert result["requests"] == pytest.approx(200, abs=60)


def test_the_chart_shows_the_scale_the_phases_and_what_rises_above_the_plan() -> None:
    stretches = [Stretch("a", 0, 2), Stretch("b", 2, 4)]
    lines = chart([0, 50, 100, 100], stretches, "rpm", height=2, unicode=True, above=[0, 100, 50, 100])
    assert lines == [
        "     rpm",
        "     100 ┤ ░██",
        "      50 ┤ ███",
        "         └┬─┬─",
        "          a b",
        "          0 2 4 s",
    ]


def test_the_chart_needs_no_unicode() -> None:
    lines = chart([1, 2], [Stretch("a", 0, 2)], "rpm", height=2, unicode=False, above=[2, 2])
    assert all(line.isascii() for line in lines)
    assert lines[1].endswith("|:#")


@pytest.mark.parametrize(
    ("n", "best"), [(10, ""), (64, "p90"), (129, "p90"), (130, "p95"), (662, "p99"), (6636, "p99.9")]
)
def test_the_best_percentile_is_that_of_early_stopping(n: int, best: str) -> None:
    assert _certify.best_percentile(n) == best


PIPELINE = """
[request]
path = "/ask"
body = '{"q": {{ %s | tojson }}}'
[answer]
text = "answer"
"""


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "pipeline.toml: cannot be read"),
        (PIPELINE % "promt", 'found "promt"; allowed are'),
        ((PIPELINE % "prompt").replace('"answer"', '"a[b"'), "it must be a JMESPath"),
    ],
)
def test_the_template_of_a_custom_pipeline_is_checked_too(
    mmload: Run, tmp_path: Path, template: str | None, said: str
) -> None:
    profile = tmp_path / "own.toml"
    target = 'url = "http://127.0.0.1:9"\nprotocol = "template"\ntemplate = "pipeline.toml"\nstreaming = 0.0'
    phase = '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 2\nrpm = 60'
    profile.write_text(f'name = "own"\n[target]\n{target}\n{phase}\n')
    if template is not None:
        (tmp_path / "pipeline.toml").write_text(template)
    ended = mmload("check", profile)
    assert ended.code == 2 and said in ended.err
    (tmp_path / "pipeline.toml").write_text(PIPELINE % "prompt")
    assert mmload("check", profile).code == 0


TALK = """
name = "talk"
drain_s = {drain_s}
[target]
engine = "sim"
[arrivals]
process = "constant"
[sessions]
turns = 3
think_time_s = 4
think = "constant"
[[phase]]
name = "warm"
shape = "sustained"
duration_s = {warm_s}
rpm = 600
warmup = true
[[phase]]
name = "base"
shape = "sustained"
duration_s = 60
rpm = 600
[gates]
error_max = 0.5
"""


def test_sessions_are_told_with_their_length_and_with_what_the_drain_would_cut(
    mmload: Run, tmp_path: Path
) -> None:
    profile = tmp_path / "talk.toml"
    profile.write_text(TALK.format(drain_s=10, warm_s=12))
    ended = mmload("check", profile, "--answer-s", "2")
    assert "sessions  240 of 3 turns in the mean, thinking 4 s (constant); 14 s long" in ended.out
    assert (
        "the planned rate is reached only when the first sessions come to their end, after some 14 s"
        in ended.out
    )
    result = mmload("check", profile, "--answer-s", "2", "--json").json
    # Third turns are due 12 s after their sessions begin: those of the last 2 s come too late.
    assert result["sessions"] == {"planned": 240, "turns_mean": 3.0, "length_s": 14.0, "turns_cut": 6}
    assert result["requests"] == 720 and result["measured_requests"] == 600
    assert sum(result["curve"]["arrivals_rpm"][:3]) == 3 * 200, "at first there are first turns alone"
    profile.write_text(TALK.format(drain_s=20, warm_s=15))
    assert mmload("check", profile, "--answer-s", "2", "--json").json["warnings"] == []


def test_what_stands_alone_has_no_sessions(mmload: Run, small: Path) -> None:
    assert mmload("check", small, "--json").json["sessions"] is None
