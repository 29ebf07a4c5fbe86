"""What a user may write wrong, and what they are told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mmload.model import InputError
from mmload.profile import Phase, Profile, Target, api_key, frozen_toml, load

GOOD = """\
# a comment
name = "good"

[target]
engine = "sim"

[[phase]]
name = "warm-up"
shape = "sustained"
duration_s = 5
rpm = 60
warmup = true

[[phase]]
name = "base"
shape = "burst"
duration_s = 30
rpm = 600
peak_rpm = 1200

[mix.tasks]
chart = 1
"""
TALK = "[sessions]\nturns = "
KNOWN = {"shape": ["ramp", "burst", "sustained"], "task": ["chart", "extract"], "protocol": ["openai-chat"]}


def read(tmp_path: Path, text: str | bytes, *sets: str) -> Profile:
    file = tmp_path / "x.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, sets, known=KNOWN)


def complaint(tmp_path: Path, text: str | bytes, *sets: str) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, *sets)
    return str(caught.value).replace(str(tmp_path) + "/", "")


def test_a_good_profile_is_read_and_its_frozen_form_gives_the_same_profile(tmp_path: Path) -> None:
    profile = read(tmp_path, GOOD)
    assert [p.name for p in profile.phase] == ["warm-up", "base"]
    assert read(tmp_path, frozen_toml(profile)) == profile


def test_a_frozen_replay_still_finds_its_trace_from_another_folder(tmp_path: Path) -> None:
    text = GOOD.replace('"burst"', '"replay"').replace("rpm = 600\npeak_rpm = 1200", 'trace = "t.csv"')
    file = tmp_path / "x.toml"
    file.write_text(text)
    profile = load(file)
    assert profile.phase[1].trace == str(tmp_path / "t.csv")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "profile.toml").write_text(frozen_toml(profile))
    assert load(tmp_path / "run" / "profile.toml") == profile


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).name == "good"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("peak_rpm", "peek_rpm", 'x.toml:19: phase[1].peek_rpm: unknown key; did you mean "peak_rpm"?'),
        ("duration_s = 30", 'duration_s = "30s"', 'x.toml:17: phase[1].duration_s: found "30s"; it must be'),
        ("duration_s = 30", "duration_ms = 30", "phase[1].duration_ms: unknown key; did you mean"),
        ("duration_s = 30", "duration_s = 0", "x.toml:17: phase[1].duration_s: found 0; it must be above 0"),
        ("rpm = 600", "rpm = -5", "x.toml:18: phase[1].rpm: found -5; it must be at least 0 (requests"),
        ("rpm = 600", "rpm = nan", "x.toml:18: phase[1].rpm: found nan; it must be"),
        ("rpm = 600", "rpm = inf", "x.toml:18: phase[1].rpm: found inf; it must be a finite number"),
        (
            "rpm = 600",
            "users = 6",
            'users: contradicts peak_rpm: "burst" takes rpm and peak_rpm, or users and',
        ),
        ("rpm = 600\n", "", 'x.toml:14: phase[1]: rpm missing: "burst" takes rpm and peak_rpm'),
        ("rpm = 600", "rpm = [1, 2]", 'x.toml:18: phase[1].rpm: found a list; "burst" takes one number'),
        (
            "rpm = 600",
            "rpm = 600\nto_rpm = 5",
            'x.toml:19: phase[1].to_rpm: not a key of this shape: "burst" takes',
        ),
        ("chart = 1", f"chart = 1\n{TALK}0", "x.toml:24: sessions.turns: found 0; it must be at least 1"),
        ("chart = 1", f"chart = 1\n{TALK}17", "x.toml:24: sessions.turns: found 17; it must be at most 16"),
        ("chart = 1", f"chart = 1\n{TALK}2.5", "found 2.5; it must be a whole number, or a table of"),
        ("chart = 1", f"chart = 1\n{TALK}{{ 0 = 1 }}", "sessions.turns.0: the key must be a whole"),
        ("chart = 1", f"chart = 1\n{TALK}{{ 3 = -1 }}", "sessions.turns.3: found -1; it must be at least 0"),
        ("chart = 1", f"chart = 1\n{TALK}{{ 3 = 0 }}", "sessions.turns: the weights sum to 0; at least one"),
        ("chart = 1", f"chart = 1\n{TALK}3\nthinktime_s = 1", 'unknown key; did you mean "think_time_s"?'),
        (
            "chart = 1",
            f"chart = 1\n[mix.images_per_request]\n6 = 1\n{TALK}3",
            "sessions.turns: 3 turns show up to 18 images; an embedded pipeline takes 16",
        ),
        (
            "rpm = 600\npeak_rpm = 1200",
            f"users = 6\npeak_users = 12\n{TALK}3",
            "x.toml:14: phase[1]: sessions of several turns need an open loop",
        ),
        (
            '"burst"\nduration_s = 30\nrpm = 600\npeak_rpm = 1200',
            f'"replay"\nduration_s = 30\ntrace = "a.csv"\n{TALK}{{ 1 = 1, 2 = 1 }}',
            "phase[1].shape: a trace says itself when each request leaves",
        ),
        ("chart = 1", "chart = 0", "x.toml:21: mix.tasks: the weights sum to 0"),
        (
            "chart = 1",
            "chrt = 1",
            'x.toml:22: mix.tasks.chrt: found "chrt"; allowed are chart, extract; did you mean',
        ),
        ("chart = 1", 'chart = "1"', 'x.toml:22: mix.tasks.chart: found "1"; it must be a number'),
        (
            '"burst"',
            '"brust"',
            'x.toml:16: phase[1].shape: found "brust"; allowed are ramp, burst, sustained; did',
        ),
        ('"base"', '"warm-up"', 'x.toml:15: phase[1].name: "warm-up" is the name of an earlier phase'),
        ('"base"', '"a b"', 'x.toml:15: phase[1].name: found "a b"; letters, digits'),
        (
            'engine = "sim"',
            'engine = "simm"',
            'x.toml:5: target.engine: found "simm"; allowed are "sim", "ocr"; did',
        ),
        ('engine = "sim"', "", "x.toml:4: target: found neither of engine and url"),
        (
            'engine = "sim"',
            'engine = "sim"\nurl = "http://localhost"',
            "x.toml:4: target: found both of engine and url",
        ),
        (
            'engine = "sim"',
            'url = "localhost:8000"',
            'x.toml:5: target.url: found "localhost:8000"; it must be as',
        ),
        ('engine = "sim"', 'url = "ftp://127.0.0.1/"', "x.toml:5: target.url"),
        ('engine = "sim"', 'url = "http://[::1"', "x.toml:5: target.url"),
        (
            'engine = "sim"',
            'url = "http://me:pw@127.0.0.1"',
            "a user name or password in a URL ends up in logs",
        ),
        (
            'engine = "sim"',
            'url = "http://10.1.2.3/v1"',
            "10.1.2.3 is not this machine; set target.allow_remote",
        ),
        (
            'engine = "sim"',
            'engine = "sim"\nprotocol = "openai"',
            'protocol: found "openai"; allowed are openai-chat',
        ),
        (
            'engine = "sim"',
            'engine = "sim"\nheaders = {Authorization = "Bearer x"}',
            "a secret does not belong",
        ),
        ('engine = "sim"', 'engine = "sim"\nheaders = {a = "b\\r\\nc: d"}', "not a header that HTTP allows"),
        ('engine = "sim"', 'engine = "sim"\nheaders = {a = "\u6f22"}', "not a header that HTTP allows"),
        (
            'engine = "sim"',
            'engine = "sim"\napi_key_env = "sk-1234"',
            "the name of an environment variable, never",
        ),
        (
            'engine = "sim"',
            'engine = "sim"\nretries = 1.5',
            "x.toml:6: target.retries: found 1.5; it must be a whole",
        ),
        (
            'engine = "sim"',
            'engine = "sim"\ntls_verify = 1',
            "target.tls_verify: found 1; it must be true or false",
        ),
        ('name = "good"', "", "x.toml: name: missing; it is needed here"),
        (
            'name = "good"',
            'name = "good"\nrpm = 5',
            'x.toml:3: rpm: unknown key here; "rpm" belongs in [[phase]]',
        ),
        ("warmup = true", "warmup = true\n[arrivals]\nprocess = 'normal'", '"poisson", "constant", "gamma"'),
        (
            "warmup = true",
            "warmup = true\n[cost]\nas_of = 'today'",
            'cost.as_of: found "today"; it must be a date',
        ),
        (
            "warmup = true",
            "warmup = true\n[mix.formats]\ngif = 1",
            "x.toml:14: mix.formats.gif: a format is png",
        ),
        ("warmup = true", "warmup = true\n[mix.prompt_tokens]\nlong = 1", "a whole number from 16 to 100000"),
        (
            "warmup = true",
            "warmup = true\n[slo.chart]\ne2e_ms = 0",
            "x.toml:14: slo.chart.e2e_ms: found 0; it must",
        ),
        (
            "warmup = true",
            "warmup = true\n[slo.pie]\ne2e_ms = 9",
            'x.toml:13: slo.pie: found "pie"; allowed are',
        ),
        (
            "warmup = true",
            "warmup = true\n[gates]\ne2e_p95 = 9",
            'gates.e2e_p95: unknown key; did you mean "e2e_p95_ms"',
        ),
        ("rpm = 600", "rpm = 1e12", "at most 20,000,000 fit in one run"),
    ],
)
def test_a_wrong_key_is_named_with_its_line_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert GOOD.count(old) >= 1
    head, _, tail = GOOD.rpartition(old)
    assert message in complaint(tmp_path, head + new + tail)


def test_a_profile_of_nothing_but_warm_up_measures_nothing(tmp_path: Path) -> None:
    text = GOOD.replace("peak_rpm = 1200", "peak_rpm = 1200\nwarmup = true")
    assert "every phase is a warm-up" in complaint(tmp_path, text)


def test_several_problems_are_told_at_once_each_on_its_line(tmp_path: Path) -> None:
    text = complaint(tmp_path, GOOD.replace("duration_s", "duration"))
    assert "x.toml:10: phase[0].duration: unknown key" in text
    assert "x.toml:17: phase[1].duration: unknown key" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"name = \xff", "x.toml:1: not UTF-8 (byte 0xff at offset 7)"),
        (GOOD.encode("utf-16"), "x.toml:1: not UTF-8"),
        (b"name = 1\nfoo bar\n", "x.toml:2:5: not TOML: Expected '=' after a key"),
        (b'name = "x', "x.toml:1: not TOML:"),
        (b"a = " + b"[" * 100_000, "x.toml: nested too deeply"),
        (b"#" * (1024 * 1024 + 1), "x.toml: more than 1,048,576 bytes"),
        (b"", "target: missing; a profile needs a [target]"),
        (b"a" + b".a" * 500_000 + b" = 1", "x.toml: nested too deeply"),
        (b"seed = " + b"9" * 5_000, "x.toml: not TOML: a number has more digits"),
    ],
)
def test_what_is_no_profile_at_all_gets_one_message(tmp_path: Path, text: bytes, message: str) -> None:
    assert message in complaint(tmp_path, text)


def test_a_missing_file_is_named_with_a_similar_one(tmp_path: Path) -> None:
    (tmp_path / "burst.toml").write_text(GOOD)
    with pytest.raises(InputError, match=r"brust\.toml: no such profile; did you mean .*burst\.toml\?"):
        load(tmp_path / "brust.toml")


def test_a_folder_in_the_place_of_a_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("key", ["phase.base.rpm=60", "phase.1.rpm=60", "phase.base.rpm = 60.0"])
def test_an_override_reaches_a_phase_by_name_or_place(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, GOOD, key).phase[1].rpm == 60


def test_setting_the_url_drops_the_engine_and_back(tmp_path: Path) -> None:
    profile = read(tmp_path, GOOD, "target.url=http://127.0.0.1:1/v1")
    assert (profile.target.engine, profile.target.url) == (None, "http://127.0.0.1:1/v1")
    profile = read(tmp_path, GOOD, "target.url=http://127.0.0.1:1/v1", "target.engine=ocr")
    assert (profile.target.engine, profile.target.url) == ("ocr", None)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("phase.base.rpm", "--set phase.base.rpm: it must be KEY.PATH=VALUE"),
        ("phase.bas.rpm=1", 'phase has no "bas"; there are warm-up, base'),
        ("phase.base.rpm=[1", "'[1' is not a value in TOML"),
        ("phase.base.rpm=-1", "--set phase.base.rpm: found -1; it must be at least 0"),
        ("phase=1", "--set phase: found 1; it must be a list"),
        ("name.x=1", "--set name.x=1: name is a value and has no keys"),
        ("phase.rpm=1", "phase is a list; name the entry and its key"),
        ("mix.tasks.chart=0", "--set mix.tasks: the weights sum to 0"),
        ("mix.itms=4", '--set mix.itms: unknown key; did you mean "items"?'),
    ],
)
def test_a_wrong_override_is_named_as_such(tmp_path: Path, override: str, message: str) -> None:
    assert message in complaint(tmp_path, GOOD, override)


def test_the_key_comes_from_the_environment_and_its_absence_is_an_input_error() -> None:
    target = Target(url="http://127.0.0.1:9/v1", api_key_env="MY_KEY")
    embedded = Target(engine="sim", api_key_env="MY_KEY")
    assert api_key(target, {"MY_KEY": " secret \n"}) == api_key(embedded, {"MY_KEY": "secret"}) == "secret"
    assert api_key(Target(engine="sim"), {}) is None
    assert api_key(embedded, {}) is None, "the practice pipeline asks for none"
    for environment in ({}, {"MY_KEY": " "}, {"MY_KEY": "a\nb"}):
        with pytest.raises(InputError) as caught:
            api_key(target, environment)
        assert "MY_KEY" in str(caught.value)
        assert "a\nb" not in str(caught.value)


def test_a_phase_keeps_only_the_keys_that_were_written(tmp_path: Path) -> None:
    frozen = frozen_toml(read(tmp_path, GOOD))
    for phase in tomllib.loads(frozen)["phase"]:
        assert not {"think_time_s", "time_scale"} & phase.keys()
    assert Phase(name="a", shape="sustained", duration_s=1, rpm=1).think_time_s == 0


WHEN = """
name = "two-targets"
[target]
engine = "sim"
[[phase]]
name = "up"
shape = "ramp"
duration_s = 10
to_rpm = 100
[when.ocr]
drain_s = 40
[when.ocr.target]
model = "ocr-rules"
[when.ocr.phase.up]
to_rpm = 7
[when.url.slo.default]
e2e_ms = 9000
"""


def when(tmp_path, *overrides, text=WHEN):
    path = tmp_path / "when.toml"
    path.write_text(text)
    return load(path, overrides)


def seen(profile):
    return profile.target.model, profile.phase[0].to_rpm, profile.drain_s, profile.slo["default"].e2e_ms


def test_what_holds_for_another_target_holds_only_with_it(tmp_path):
    assert seen(when(tmp_path)) == ("sim-large", 100, 30, 4000)
    assert seen(when(tmp_path, "target.engine=ocr")) == ("ocr-rules", 7, 40, 4000)
    assert seen(when(tmp_path, "target.url=http://127.0.0.1:1/v1")) == ("sim-large", 100, 30, 9000)


def test_the_command_line_wins_over_what_holds_for_a_target(tmp_path):
    profile = when(tmp_path, "phase.up.to_rpm=9", "target.engine=ocr")
    assert seen(profile) == ("ocr-rules", 9, 40, 4000)


def test_a_frozen_profile_holds_what_was_chosen_and_nothing_of_the_rest(tmp_path):
    frozen = frozen_toml(when(tmp_path, "target.engine=ocr"))
    assert "when" not in frozen
    (tmp_path / "frozen.toml").write_text(frozen)
    assert seen(load(tmp_path / "frozen.toml")) == ("ocr-rules", 7, 40, 4000)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to_rpm = 7", "to_rpm = -7", "when.toml:15: when.ocr.phase.up.to_rpm: found -7"),
        ("drain_s = 40", "drian_s = 40", 'when.toml:11: when.ocr.drian_s: unknown key'),
        ("[when.ocr.phase.up]", "[when.ocr.phase.pu]", 'when.ocr.phase.pu.to_rpm: phase has no "pu"'),
        ("[when.ocr]", "[when.orc]", 'when.orc: found "orc"; allowed are "sim", "ocr", "url"'),
    ],
)  # fmt: skip
def test_a_mistake_in_what_holds_for_another_target_is_found_without_asking_for_it(tmp_path, old, new, said):
    with pytest.raises(InputError) as error:
        when(tmp_path, text=WHEN.replace(old, new))
    assert said in str(error.value)


def test_the_key_may_be_in_a_file_that_the_environment_names(tmp_path: Path) -> None:
    target, file = Target(url="http://127.0.0.1:9/v1", api_key_env="MY_KEY"), tmp_path / "key"
    file.write_text(" from-a-file\n")
    assert api_key(target, {"MY_KEY_FILE": str(file)}) == "from-a-file"
    assert api_key(target, {"MY_KEY": "set", "MY_KEY_FILE": str(file)}) == "set"
    file.write_text("\n")
    with pytest.raises(InputError, match=r"MY_KEY is not set; .* or MY_KEY_FILE to a file"):
        api_key(target, {"MY_KEY_FILE": str(file)})
    with pytest.raises(InputError, match=r"MY_KEY_FILE: the file .*none cannot be read \(No such file"):
        api_key(target, {"MY_KEY_FILE": str(tmp_path / "none")})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is no text"):
        api_key(target, {"MY_KEY_FILE": str(file)})
