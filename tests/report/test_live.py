import io

import pytest

from mmload.report.live import LiveState, LiveView, picture, plain, spark
from tests.report import golden

STATE = LiveState(
    profile="burst",
    target="sim",
    phase="burst",
    phase_number=4,
    phase_count=4,
    elapsed_s=133,
    total_s=180,
    offered_rpm=1200,
    achieved_rpm=1061.2,
    offered_history=[300] * 40 + [1200] * 10,
    achieved_history=[290, 310] * 20 + [1100, 1000, 900, 1060] * 2,
    p50_ms=880.2,
    p95_ms=3912,
    slo_ms=2500,
    quality=0.885,
    quality_low=0.868,
    quality_high=0.901,
    n_scored=606,
    planned=1174,
    sent=1034,
    ok=900,
    failed=8,
    shed=52,
    in_flight=64,
    errors={"http_429": 52, "first_byte_timeout": 8},
    cost_usd=11.2,
    per_good_query_usd=0.0132,
    send_lag_p99_ms=0.7,
    generator_cpu_ratio=0.32,
    workers=2,
    warnings=["a worker waited 41 ms for the hub"],
)


def shown(state: LiveState, width: int) -> str:
    return "".join(line.plain.rstrip() + "\n" for line in picture(state, width))


@pytest.mark.parametrize("width", [80, 120])
def test_the_picture_is_what_a_person_sees(width):
    golden.check(f"live-{width}.txt", shown(STATE, width))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    long = LiveState(
        profile="p" * 200,
        target="t" * 200,
        phase="x" * 50,
        errors={f"kind_{i}": 10**9 for i in range(9)},
        warnings=["w" * 300],
        total_s=10**6,
    )
    assert all(len(line.plain) <= width for state in (STATE, long) for line in picture(state, width))


def test_before_the_first_answer_nothing_is_claimed():
    text = shown(LiveState(profile="burst", target="sim"), 80)
    golden.check("live-start.txt", text)
    assert "0%" not in text and "$0" not in text


def test_text_from_outside_cannot_move_the_cursor():
    state = LiveState(profile="\x1b[2Jevil", target="a\nb", phase="\x07bell", warnings=["\x1b]0;t\x07x"])
    assert not any(ord(c) < 32 for line in picture(state, 80) for c in line.plain)
    assert "\x1b" not in plain(state)


def test_without_a_terminal_a_plain_line_comes_every_few_seconds():
    out, clock = io.StringIO(), iter([0.0, 0.0, 2.0, 6.0, 6.0])
    with LiveView(stream=out, now=lambda: next(clock), plain_every_s=5) as view:
        for _ in range(3):
            view.update(STATE)
    assert out.getvalue() == f"{plain(STATE)}\n{plain(STATE)}\n"


def test_a_plain_line_holds_everything_that_matters():
    golden.check("live-plain.txt", plain(STATE) + "\n")


def test_nothing_is_shown_when_nothing_is_wanted():
    out = io.StringIO()
    with LiveView(stream=out, show=False) as view:
        view.update(STATE)
        view.say("hello")
    assert out.getvalue() == ""


def test_a_spark_line_scales_to_its_top():
    assert spark([0, 50, 100], 10, 100) == "▁▅█"
    assert spark([1, 2, 3], 2, 4) == "▅▇"
    assert spark([1], 5, 0) == ""
