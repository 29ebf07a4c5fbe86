"""What a server says of itself: read under every server's names, aligned in time, held against ours."""

import json
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmload.summary import SERVER_METRICS, server_series, server_side
from mmload.summary.server_metrics import between, quantile_bounds, read
from mmload.summary.server_side import server_figures

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a}b"} 3.0
vllm:num_requests_running{engine="1",model_name="a}b"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 11.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.25
vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.99
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 200.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 50.0
vllm:num_preemptions_total{model_name="m"} 2.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="0.3",model_name="m"} 1.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="1.0",model_name="m"} 3.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="+Inf",model_name="m"} 4.0
vllm:e2e_request_latency_seconds_count{engine="0",model_name="m"} 4.0
vllm:e2e_request_latency_seconds_sum{engine="0",model_name="m"} 3.5
"""
SGLANG = """\
sglang:num_running_reqs{model_name="m"} 5.0
sglang:num_queue_reqs{model_name="m"} 7.0 1700000000000
sglang:token_usage{model_name="m"} 0.28
sglang:cache_hit_rate{model_name="m"} 0.75
sglang:time_to_first_token_seconds_bucket{le="0.1",model_name="m"} 2.0
sglang:time_to_first_token_seconds_bucket{le="+Inf",model_name="m"} 2.0
sglang:time_to_first_token_seconds_count{model_name="m"} 2.0
sglang:time_to_first_token_seconds_sum{model_name="m"} 0.1
"""
TGI = """\
tgi_queue_size 9
tgi_batch_current_size 2
tgi_request_duration_bucket{le="0.5"} 1
tgi_request_duration_bucket{le="+Inf"} 1
tgi_request_duration_sum 0.4
tgi_request_duration_count 1
"""
GPU = 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 80\nDCGM_FI_DEV_GPU_UTIL{gpu="1"} 40\n'


def test_vllms_names_are_read_and_its_engines_add_up():
    page = read(VLLM)
    assert page.kind == "vllm"
    assert page.values == {
        "running": 7.0, "waiting": 11.0, "preempted": 2.0, "cache_hits": 50.0, "cache_lookups": 200.0,
        "cache_use_ratio": 0.375,
    }  # fmt: skip
    assert page.histograms == {"e2e": {"count": 4.0, "sum": 3.5, "buckets": [[0.3, 1.0], [1.0, 3.0]]}}


@pytest.mark.parametrize(
    ("text", "kind", "values", "histogram"),
    [
        (
            SGLANG,
            "sglang",
            {"running": 5.0, "waiting": 7.0, "cache_use_ratio": 0.28, "cache_hit_ratio": 0.75},
            "ttft",
        ),
        (TGI, "tgi", {"waiting": 9.0, "running": 2.0}, "e2e"),
        (GPU, "gpu", {"gpu_use_ratio": 0.6}, None),
        ("go_goroutines 12\nprocess_cpu_seconds_total 3\n", "", {}, None),
    ],
)
def test_the_names_of_other_servers_come_to_the_same(text, kind, values, histogram):
    page = read(text)
    assert (page.kind, page.values) == (kind, values)
    assert list(page.histograms) == ([histogram] if histogram else [])


def test_what_cannot_be_read_is_passed_over():
    page = read(
        "vllm:num_requests_running{a=\n\x00\nvllm:num_requests_waiting NaN\nvllm:num_requests_running 2\n"
    )
    assert page.values == {"running": 2.0}


@given(st.lists(st.floats(0.001, 50), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_the_true_quantile_lies_in_the_bucket_that_is_named(seen, q):
    bounds = [0.01, 0.1, 1.0, 10.0]
    buckets = [(b, float(sum(x <= b for x in seen))) for b in bounds] + [(math.inf, float(len(seen)))]
    low, high = quantile_bounds(buckets, q)
    true = sorted(seen)[math.ceil(q * len(seen)) - 1]
    assert low <= true and (high is None or true <= high)


def test_what_came_before_is_subtracted_and_a_restart_begins_anew():
    old = {"count": 10.0, "sum": 5.0, "buckets": [[1.0, 8.0]]}
    new = {"count": 14.0, "sum": 9.0, "buckets": [[1.0, 9.0]]}
    assert between(old, new) == (4.0, 4.0, [(1.0, 1.0), (math.inf, 4.0)])
    assert between(new, old) == (10.0, 5.0, [(1.0, 8.0), (math.inf, 10.0)])
    assert quantile_bounds([(1.0, 0.0), (math.inf, 0.0)], 0.5) is None


# --- aligned with a run ---------------------------------------------------------------------------

ZERO_S = 1_700_000_000.0


def plan(warm_s=10, end_s=20):
    phases = [SimpleNamespace(start_ns=0, end_ns=warm_s * 10**9, warmup=True)] if warm_s else []
    phases.append(SimpleNamespace(start_ns=warm_s * 10**9, end_ns=end_s * 10**9, warmup=False))
    return SimpleNamespace(
        header={"t0_wall_ns": ZERO_S * 1e9}, phases=phases, measured=phases[-1:], bin_ns=10**9, bin_s=1.0
    )


def scrape(at_s, n, mean_s=0.5, url="http://s/metrics", **values):
    """``n`` answers since the server's start, each of ``mean_s``."""
    buckets = [[bound, float(n if mean_s <= bound else 0)] for bound in (0.25, 0.75, 2.0)]
    values = {"running": 2.0, "waiting": 5.0, "cache_lookups": 100.0 * n, "cache_hits": 25.0 * n, **values}
    return {
        "url": url, "unix_s": ZERO_S + at_s, "kind": "vllm", "values": values,
        "histograms": {"e2e": {"count": float(n), "sum": n * mean_s, "buckets": buckets}},
    }  # fmt: skip


def folder(tmp_path, scrapes, tail=""):
    (tmp_path / SERVER_METRICS).write_text("".join(json.dumps(s) + "\n" for s in scrapes) + tail)
    return tmp_path


def ours(mean=500.0, ok=100):
    latency = {"service": {"mean": mean, "p50": mean, "p95": mean, "censored": 0}, "ttft": {}}
    return latency, {"ok": ok}


def found(tmp_path, scrapes, mean=500.0, ok=100):
    side = server_side(folder(tmp_path, scrapes), plan())
    return server_figures(side, plan(), *ours(mean, ok))


def test_curves_lie_on_the_clock_of_the_run_and_the_warm_up_is_not_counted(tmp_path):
    scrapes = [scrape(-0.4, 0), scrape(9.9, 40, mean_s=2.0), scrape(12.2, 60, waiting=9.0), scrape(20.3, 140)]
    # Sums are since the server's start: the warm-up's slow answers stay in them.
    scrapes[2]["histograms"]["e2e"]["sum"] = 40 * 2.0 + 20 * 0.5
    scrapes[3]["histograms"]["e2e"]["sum"] = 40 * 2.0 + 100 * 0.5
    side = server_side(folder(tmp_path, scrapes, tail='{"url": "torn'), plan())
    series = server_series(side, plan())
    assert [k for k, v in enumerate(series["waiting"]) if v is not None] == [9, 12]
    assert series["waiting"][12] == 9.0 and series["gpu_use_ratio"] == [None] * 20
    figures = server_figures(side, plan(), *ours())
    assert (figures["e2e_ms"]["n"], figures["e2e_ms"]["mean"]) == (100, 500.0)
    assert figures["waiting"] == {"mean": 9.0, "max": 9.0}
    assert figures["cache_hit_ratio"]["mean"] == 0.25
    assert figures["gpu_use_ratio"] == {"mean": None, "max": None}
    assert figures["ttft_ms"] is None and figures["preempted"] is None
    assert figures["sources"] == [{"url": "http://s/metrics", "kind": "vllm", "scrapes": 4, "failed": 0}]


def test_client_and_server_that_saw_the_same_agree(tmp_path):
    rows = found(tmp_path, [scrape(9, 0), scrape(20.5, 100)])["compared"]
    assert {row["figure"]: row["agrees"] for row in rows} == {
        "answers": True, "e2e mean": True, "e2e p50": True, "e2e p95": True,
    }  # fmt: skip


def test_time_that_the_server_does_not_count_is_a_disagreement(tmp_path):
    rows = {
        r["figure"]: r for r in found(tmp_path, [scrape(9, 0), scrape(20.5, 100)], mean=1500.0)["compared"]
    }
    assert [name for name, row in rows.items() if not row["agrees"]] == ["e2e mean", "e2e p50", "e2e p95"]
    assert "before the server begins to count" in rows["e2e mean"]["reading"]
    assert rows["e2e p50"]["server"] == {"low": 250.0, "high": 750.0}


def test_somebody_elses_traffic_and_a_replica_that_is_not_shown_are_disagreements(tmp_path):
    more = found(tmp_path, [scrape(9, 0), scrape(20.5, 180)])["compared"][0]
    fewer = found(tmp_path, [scrape(9, 0), scrape(20.5, 50)])["compared"][0]
    assert not more["agrees"] and "others use it too" in more["reading"]
    assert not fewer["agrees"] and "replicas" in fewer["reading"]


def test_a_warm_up_in_the_middle_leaves_nothing_to_compare(tmp_path):
    info = plan()
    info.phases.append(SimpleNamespace(start_ns=20 * 10**9, end_ns=30 * 10**9, warmup=True))
    side = server_side(folder(tmp_path, [scrape(9, 0), scrape(20.5, 100)]), info)
    assert server_figures(side, info, *ours())["compared"] == []


def test_pages_of_several_replicas_add_up_by_second(tmp_path):
    pages = {"http://a": 0.2, "http://b": 0.6}
    scrapes = [scrape(t, 0, url=url, gpu_use_ratio=g) for t in (3.1, 4.1) for url, g in pages.items()]
    series = server_series(server_side(folder(tmp_path, scrapes), plan()), plan())
    assert (series["waiting"][3], series["running"][4], series["gpu_use_ratio"][3]) == (10.0, 4.0, 0.4)


def test_without_a_page_there_are_no_figures_and_a_page_that_fails_is_counted(tmp_path):
    assert server_side(tmp_path, plan()) is None
    assert server_figures(None, plan(), *ours()) is None and server_series(None, plan()) is None
    failed = {"url": "http://s/metrics", "unix_s": ZERO_S, "error": "HTTP 404"}
    figures = found(tmp_path, [failed, failed])
    assert figures["sources"] == [{"url": "http://s/metrics", "kind": None, "scrapes": 0, "failed": 2}]
    assert figures["waiting"] == {"mean": None, "max": None} and figures["compared"] == []


def test_what_no_json_can_hold_is_passed_over_line_by_line():
    page = read(
        "vllm:num_requests_running 1e999\nvllm:num_requests_waiting 4\n"
        'vllm:e2e_request_latency_seconds_bucket{le="nan"} 1\n'
        'vllm:e2e_request_latency_seconds_bucket{le="soon"} 1\n'
        'vllm:e2e_request_latency_seconds_bucket{le="0.5"} 2\n'
        "vllm:e2e_request_latency_seconds_count 2\n"
    )
    assert page.values == {"waiting": 4.0}
    assert page.histograms["e2e"] == {"count": 2.0, "sum": 0, "buckets": [[0.5, 2.0]]}
    json.dumps(page._asdict(), allow_nan=False)
