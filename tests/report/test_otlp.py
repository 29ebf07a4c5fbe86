"""OpenTelemetry GenAI metrics as a collector gets them: real protobuf, decoded by its own messages."""

import socket

import pytest

from mmload import journal
from mmload.report.otlp import DURATIONS, TOKENS, OtlpMetrics, checked, provider_of
from mmload.report.prometheus import RunLabels
from tests.report.otlp_receiver import attributes, metrics_of, receiver
from tests.report.test_prometheus import item, record


def made(url, said, slo=(2.5,)):
    run = RunLabels("r-1", "burst", "127.0.0.1:8000", "sim-large", "0.1.0", 1_795_000_000.0)
    return OtlpMetrics(checked(url), run, [item("chart"), item("ui")], "openai", slo, said.append)


def sent(records, **options):
    said = []
    with receiver() as (url, arrived):
        metrics = made(url, said, **options)
        metrics.take(journal.RECORDS, records)
        metrics.stop()
    assert said == [] and {path for path, _ in arrived} == {"/v1/metrics"}
    return arrived[-1][1]


def test_names_units_and_edges_are_those_of_the_convention():
    found = metrics_of(sent([record(1)]))
    assert {name: unit for name, (unit, _) in found.items()} == {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.operation.time_per_output_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
        "mmload.request.duration": "s",
    }
    edges = list(found["gen_ai.client.operation.duration"][1][0].explicit_bounds)
    assert edges == sorted({*DURATIONS, 2.5}) and 81.92 in edges
    assert list(found["gen_ai.client.token.usage"][1][0].explicit_bounds) == list(TOKENS)


def test_an_operation_lasts_from_the_send_and_ours_from_the_due_time():
    found = metrics_of(sent([record(1, took_s=3.0, lag_s=1.0)]))
    assert found["gen_ai.client.operation.duration"][1][0].sum == pytest.approx(2.0)
    assert found["mmload.request.duration"][1][0].sum == pytest.approx(3.0)
    assert found["gen_ai.client.operation.time_per_output_chunk"][1][0].count == 2


def test_attributes_are_of_closed_sets_and_the_resource_names_the_run():
    bad = record(2, 1, outcome="shed", error="http_429")._replace(error_detail="https://h/?key=abc")
    message = sent([record(1), bad])
    points = metrics_of(message)["gen_ai.client.operation.duration"][1]
    told = [attributes(point.attributes) for point in points]
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "sim-large",
        "server.address": "127.0.0.1",
        "server.port": 8000,
    }
    assert all(common.items() <= t.items() for t in told)
    assert {t.get("error.type") for t in told} == {None, "http_429"}
    assert {t["mmload.scenario"] for t in told} == {"chart", "ui"}
    assert "key=abc" not in str(message)
    resource = attributes(message.resource_metrics[0].resource.attributes)
    assert resource["service.name"] == "mmload" and resource["service.instance.id"] == "r-1"


def test_tokens_are_reported_only_as_billed():
    found = metrics_of(sent([record(1), record(2)._replace(usage_source="formula")]))
    points = found["gen_ai.client.token.usage"][1]
    assert {attributes(p.attributes)["gen_ai.token.type"]: p.sum for p in points} == {
        "input": 120,
        "output": 11,
    }


def test_a_target_that_names_ever_new_models_does_not_make_ever_new_series():
    found = metrics_of(sent([record(n)._replace(model=f"m{n}") for n in range(50)]))
    assert len(found["gen_ai.client.operation.duration"][1]) <= 21


def test_what_was_never_sent_is_no_operation():
    lost = record(2)._replace(sent_ns=None, end_ns=None, outcome="not_sent", error="schedule_drop")
    assert metrics_of(sent([record(1), lost]))["gen_ai.client.operation.duration"][1][0].count == 1


def test_a_collector_that_is_not_there_or_refuses_is_one_warning():
    for refuse in (False, True):
        said = []
        with receiver(400) as (url, _), socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            metrics = made(url if refuse else f"http://127.0.0.1:{nobody.getsockname()[1]}", said)
            metrics.take(journal.RECORDS, [record(1)])
            metrics.stop()
        assert len(said) == 1 and "the run goes on" in said[0]


def test_providers_are_named_by_protocol():
    assert provider_of("anthropic-messages") == "anthropic" and provider_of("template") == "mmload.template"
