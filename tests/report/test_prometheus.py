"""The metrics against Prometheus itself: its checker, its server, and the rules and dashboard shipped."""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mmload import journal
from mmload.model import Item, Record, Score, Telemetry
from mmload.report.buckets import Buckets
from mmload.report.live import LiveState
from mmload.report.prometheus import Metrics, RunLabels, serve_metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "mmload-rules.yml"
DASHBOARD = DEPLOY / "grafana" / "mmload.json"
SECOND = 1_000_000_000


def item(task):
    return Item(0, "i", task, "clean", 0, True, "", {}, (), "", "", 8, {}, (), "", ())


def record(seq, item_=0, *, took_s=1.0, outcome="ok", error="", lag_s=0.0):
    due = seq * 10_000_000
    sent = due + int(lag_s * SECOND)
    end = due + int(took_s * SECOND)
    return Record(
        seq,
        0,
        item_,
        0,
        due,
        sent,
        sent + 1000,
        due + int(took_s * SECOND / 4),
        end,
        outcome,
        error,
        200,
        1,
        "",
        0,
        5000,
        90,
        120,
        11,
        None,
        "usage",
        3,
        struct.pack("<2I", 20_000, 40_000),
        "",
        "sim",
        "stop",
        True,
        True,
        1.0,
        True,
        "",
    )


def make(**slo):
    run = RunLabels("r-1", "burst", "127.0.0.1:8000", "sim-large", "0.1.0", 1_795_000_000.0)
    return Metrics(run, [item("chart"), item("ui")], {"default": 2.5, **slo})


def exposed(metrics):
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


def samples(metrics):
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(exposed(metrics))
        for s in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics)[(name, tuple(sorted(labels.items())))]


def test_a_value_on_an_edge_counts_as_within_it():
    buckets = Buckets([1.0, 2.5])
    buckets.add([0.5, 1.0, 2.5, 2.5001])
    assert buckets.cumulative() == [("1", 2.0), ("2.5", 3.0), ("+Inf", 4.0)]


def test_the_objective_is_an_edge_so_that_the_share_within_it_is_exact():
    metrics = make()
    metrics.take(journal.RECORDS, [record(n, took_s=took) for n, took in enumerate([1.0, 2.5, 2.6, 9.0])])
    labels = {"scenario": "chart", "operation": "chat", "outcome": "ok"}
    assert value(metrics, "mmload_request_duration_seconds_bucket", le="2.5", **labels) == 2
    assert value(metrics, "mmload_requests_within_objective_total", scenario="chart") == 2


def test_latency_runs_from_the_due_time_and_lag_is_beside_it():
    metrics = make()
    metrics.take(journal.RECORDS, [record(1, took_s=3.0, lag_s=2.0)])
    labels = {"scenario": "chart", "operation": "chat", "outcome": "ok"}
    assert value(metrics, "mmload_request_duration_seconds_sum", **labels) == pytest.approx(3.0)
    assert value(metrics, "mmload_schedule_lag_seconds_sum", scenario="chart") == pytest.approx(2.0)


def test_what_was_never_sent_is_counted_but_has_no_latency():
    metrics = make()
    lost = record(1)._replace(
        sent_ns=None, end_ns=None, first_token_ns=None, outcome="not_sent", error="schedule_drop"
    )
    metrics.take(journal.RECORDS, [lost])
    assert value(metrics, "mmload_requests_dropped_total", reason="schedule_drop") == 1
    assert "mmload_request_duration_seconds_count" not in exposed(metrics)


def test_before_anything_is_known_nothing_is_claimed():
    names = {name for name, _ in samples(make())}
    assert (
        "mmload_quality_ratio" not in names
        and "mmload_run_valid" not in names
        and "mmload_cost_usd" not in names
    )


def test_no_label_holds_text_from_outside_the_closed_sets():
    metrics = make()
    metrics.take(
        journal.RECORDS, [record(1)._replace(error_detail="https://host/?key=abc", model="evil\nmodel")]
    )
    text = exposed(metrics)
    assert "key=abc" not in text and "evil" not in text


def test_promtool_accepts_the_exposition_the_rules_and_their_unit_tests():
    metrics = make()
    fill(metrics, 0, bad=True)
    subprocess.run(["promtool", "check", "metrics"], input=exposed(metrics), text=True, check=True)
    subprocess.run(["promtool", "check", "rules", RULES.name], cwd=RULES.parent, check=True)
    subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=RULES.parent, check=True)
    subprocess.run(["promtool", "test", "rules", "mmload-rules.test.yml"], cwd=RULES.parent, check=True)


def test_the_endpoint_listens_on_loopback_until_it_is_closed():
    endpoint = serve_metrics(make())
    assert endpoint.host == "127.0.0.1"
    assert b"mmload_run_info" in urllib.request.urlopen(endpoint.url, timeout=5).read()
    endpoint.close()
    with pytest.raises(OSError):
        urllib.request.urlopen(endpoint.url, timeout=1)


def test_a_port_that_is_taken_is_an_error_and_not_a_second_server():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            serve_metrics(make(), port=taken.getsockname()[1])


def fill(metrics, step, bad):
    """Half a second of a run: every metric gets something; a bad one trips every alert."""
    base = step * 100
    records = [
        record(base + n, n % 2, took_s=3.5 if bad and n % 2 else 0.7, lag_s=0.2 if bad else 0.0)
        for n in range(40)
    ]
    if bad:
        records += [record(base + 50 + n, outcome="shed", error="http_429", took_s=0.1) for n in range(6)]
        records.append(
            record(base + 70)._replace(sent_ns=None, end_ns=None, outcome="not_sent", error="schedule_drop")
        )
    metrics.take(journal.RECORDS, records)
    metrics.take(
        journal.SCORES,
        [
            Score(base + n, 0, "chart" if n % 2 else "ui", n % 4 > 0, 1.0, "strict", "answered", True)
            for n in range(20)
        ],
    )
    metrics.take(
        journal.TELEMETRY,
        [Telemetry(0, step * SECOND, 0.97 if bad else 0.2, 800, 40, 12, 3, 10**8, base, 10**6)],
    )
    metrics.show(
        LiveState(
            offered_rpm=1200,
            achieved_rpm=1100,
            users=64,
            quality=0.8 if bad else 0.96,
            quality_low=0.77 if bad else 0.94,
            cost_usd=1.5,
            per_good_query_usd=0.01,
        )
    )
    if bad:
        metrics.take(journal.EVENT, {"name": "worker_lost", "worker": 1})
    metrics.settle(not bad, {"quality_min": not bad}, {"agreement_ratio": 0.95, "cost_usd": 0.02})


class Server:
    """A real Prometheus that scrapes ``target`` every second."""

    def __init__(self, folder: Path, target: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "mmload", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def query(self, expression: str) -> list:
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        return json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]

    def rules(self, kind: str) -> list[str]:
        """Expressions of the loaded rules of a kind: ``recording`` or ``alerting``."""
        answer = json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/rules", timeout=10))
        return [r["query"] for group in answer["data"]["groups"] for r in group["rules"] if r["type"] == kind]

    def wait_for(self, expression: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.query(expression):
                    return
            except OSError:
                pass
            time.sleep(0.3)
        raise AssertionError(f"no data for {expression}")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


@pytest.fixture(scope="module", params=[True, False], ids=["bad", "calm"])
def scraped(request, tmp_path_factory):
    metrics, stop = make(), threading.Event()
    endpoint = serve_metrics(metrics)

    def feed():
        step = 0
        while not stop.wait(0.5):
            fill(metrics, step, bad=request.param)
            step += 1

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    server = Server(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{endpoint.port}")
    try:
        server.wait_for("instance:mmload_answers_passed:ratio_rate1m", 30)
        server.wait_for("count_over_time(instance:mmload_tokens:rate1m[1m]) > 2", 20)
        yield request.param, server
    finally:
        stop.set()
        feeder.join()
        server.close()
        endpoint.close()


def dashboard_expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    found = [t["expr"] for p in dashboard["panels"] for t in p.get("targets", [])]
    found += [a["expr"] for a in dashboard["annotations"]["list"]]
    values = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*", "$scenario": ".*"}
    for name, given in values.items():
        found = [expression.replace(name, given) for expression in found]
    assert not any("$" in expression for expression in found)
    return found


@pytest.mark.live
def test_every_expression_that_we_ship_returns_data_from_a_real_scrape(scraped):
    bad, server = scraped
    expressions = server.rules("recording") + dashboard_expressions() + server.rules("alerting")
    empty = [expression for expression in expressions if not server.query(expression)]
    if bad:
        assert empty == []
    else:
        lost = [e for e in dashboard_expressions() if 'outcome!="ok"' in e or "dropped" in e]
        assert set(empty) == {*server.rules("alerting"), *lost}


@pytest.mark.live
def test_figures_of_the_dashboard_are_numbers(scraped):
    _, server = scraped
    for expression in dashboard_expressions():
        assert all(result["value"][1] != "NaN" for result in server.query(expression)), expression


def test_the_dashboard_names_only_metrics_that_are_exposed():
    metrics = make()
    fill(metrics, 0, bad=True)
    known = {name for name, _ in samples(metrics)}
    named = {
        name for expression in dashboard_expressions() for name in re.findall(r"\bmmload_\w+", expression)
    }
    assert named <= known


def test_the_dashboard_imports_as_grafana_expects():
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["id"] is None and dashboard["uid"] and dashboard["schemaVersion"] >= 36
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    overlap = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ]
    assert overlap == []


def test_the_page_of_metrics_names_each_metric_with_its_labels_and_no_other():
    metrics = make()
    fill(metrics, 0, bad=True)
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `mmload_")]
    written = {
        name: set(re.findall(r"\w+", row[3]))
        for row in rows
        for name in re.findall(r"`(mmload_\w+)`", row[1])
    }
    exposed_labels: dict[str, set[str]] = {}
    for name, labels in samples(metrics):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        exposed_labels.setdefault(base, set()).update({key for key, _ in labels} - {"le"})
    infos = {"mmload_build_info", "mmload_run_info"}
    assert set(written) == set(exposed_labels)
    assert {n: k for n, k in written.items() if n not in infos} == {
        n: k for n, k in exposed_labels.items() if n not in infos
    }


@pytest.mark.live
def test_a_real_run_fills_the_dashboard_and_every_recording_rule(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(tmp_path, f"127.0.0.1:{port}")
    profile = DEPLOY.parent / "traffic_profiles" / "smoke.toml"
    command = [
        sys.executable,
        "-m",
        "mmload",
        "run",
        str(profile),
        "--out",
        str(tmp_path / "run"),
        "--no-progress",
    ]
    command += ["--prometheus-port", str(port), "--metrics-linger", "8", "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        server.wait_for("mmload_run_info", 90)
        wanted = set(dashboard_expressions()) | set(server.rules("recording"))
        empty = set(wanted)
        while run.poll() is None and empty:
            empty -= {expression for expression in empty if server.query(expression)}
            time.sleep(0.5)
        answer, errors = run.communicate(timeout=60)
    finally:
        run.kill()
        server.close()
    assert run.returncode in (0, 3, 4, 5), errors
    figures = json.loads(answer)
    lost = {e for e in wanted if 'outcome!="ok"' in e or "dropped" in e}
    assert empty <= lost
    assert server.process.returncode is not None and figures["counts"]["ok"] > 50
