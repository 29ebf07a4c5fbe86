import io
import json

from mmload.report.events import EventLines
from tests.report import sample
from tests.report.test_live import STATE


def lines(act):
    out = io.StringIO()
    act(EventLines(out, lambda: 1795000000.1234))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_line_is_one_object_with_its_kind_and_time():
    def act(events):
        events.started(run_dir="r", planned=10)
        events.progress(STATE)
        events.notice("two\nlines")

    found = lines(act)
    assert [e["event"] for e in found] == ["started", "progress", "notice"]
    assert {e["t"] for e in found} == {1795000000.123}
    assert found[0]["events_version"] == 1 and found[2]["text"] == "two\nlines"
    assert found[1]["p99_ms"] is None and found[1]["errors"] == {"http_429": 52, "first_byte_timeout": 8}
    assert "offered_history" not in found[1]


def test_the_last_line_holds_verdict_gates_and_exit_code():
    figures, _ = sample.figures_and_series()
    (end,) = lines(lambda events: events.finished(figures, "r", 3))
    assert (end["verdict"], end["exit_code"]) == ("no-go", 3)
    assert [g["name"] for g in end["gates"]] == [g["name"] for g in figures["gates"]]
    assert end["counts"] == figures["counts"]


def test_a_reader_that_has_gone_does_not_end_the_run():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    events = EventLines(Gone(), lambda: 0.0)
    events.notice("a")
    events.notice("b")


def test_a_key_in_a_line_is_hidden():
    (said,) = lines(lambda events: events.notice("Authorization: Bearer sk-abcdefghijklmnop1234"))
    assert "abcdefghijklmnop" not in json.dumps(said)
