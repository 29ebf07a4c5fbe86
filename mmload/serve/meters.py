"""What the practice target shows Prometheus: vLLM's names, so that dashboards carry over, and its own.

Not aware of HTTP. Each server has its own registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from mmload.serve.ticket import Ticket

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped

_TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_E2E = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 4, 5, 10, 15, 20, 30, 40, 60, 120)
_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
F = TypeVar("F", Gauge, Counter)
_STAGE = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """All metrics of one server; ``model`` is the label that vLLM puts on each."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.registry = CollectorRegistry()
        self._of_cache: list[Gauge | Counter] = []
        self.running = self._gauge("vllm:num_requests_running", "Requests in model slots.", model)
        self.waiting = self._gauge("vllm:num_requests_waiting", "Requests waiting for a slot.", model)
        self.cache = self._gauge("vllm:gpu_cache_usage_perc", "Share of the cache held, 1 is full.", model)
        self.kv_cache = self._gauge("vllm:kv_cache_usage_perc", "The same under its newer name.", model)
        self.prompt = self._counter("vllm:prompt_tokens", "Prompt tokens processed.", model)
        self.generated = self._counter("vllm:generation_tokens", "Tokens generated.", model)
        self.cache_queries = self._counter("vllm:prefix_cache_queries", "Tokens looked up.", model)
        self.cache_hits = self._counter("vllm:prefix_cache_hits", "Tokens found in the cache.", model)
        self.ttft = self._histogram(
            "vllm:time_to_first_token_seconds", "Arrival to first token.", _TTFT, model
        )
        self.gap = self._histogram(
            "vllm:inter_token_latency_seconds", "Mean gap of an answer's tokens.", _TOKEN, model
        )
        self.e2e = self._histogram("vllm:e2e_request_latency_seconds", "Arrival to last token.", _E2E, model)
        self.queued = self._histogram("vllm:request_queue_time_seconds", "Time in the queue.", _E2E, model)
        self.prefill = self._histogram("vllm:request_prefill_time_seconds", "Time in prefill.", _E2E, model)
        self.decode = self._histogram("vllm:request_decode_time_seconds", "Time in decoding.", _E2E, model)
        self.success = Counter(
            "vllm:request_success",
            "Requests answered, by finish reason.",
            ["model_name", "finished_reason"],
            registry=self.registry,
        )
        self._own()

    def watch(
        self,
        running: Callable[[], float],
        waiting: Callable[[], float],
        cache: Callable[[], float] | None,
        rung: Callable[[], float],
    ) -> None:
        """Read these gauges from the pipeline at every scrape. Without a ``cache`` there are no figures of
        one: absent is not 0."""
        self.running.set_function(running)
        self.waiting.set_function(waiting)
        self.rung.set_function(rung)
        if cache is None:
            for family in self._of_cache:
                self.registry.unregister(family)
        else:
            self.cache.set_function(cache)
            self.kv_cache.set_function(cache)

    def answered(self, ticket: Ticket, first_token_s: float, whole_s: float, tokens: int) -> None:
        """Count one whole answer; times are from its arrival."""
        self.ttft.observe(first_token_s)
        self.e2e.observe(whole_s)
        if tokens > 1:
            self.gap.observe((whole_s - first_token_s) / (tokens - 1))
        self.prompt.inc(ticket.prompt_tokens)
        self.cache_queries.inc(ticket.prompt_tokens)
        self.cache_hits.inc(ticket.cached_tokens)
        self.generated.inc(tokens)
        self.success.labels(self.model, ticket.finish).inc()

    def _gauge(self, name: str, text: str, model: str) -> Gauge:
        return self._kept(name, Gauge(name, text, ["model_name"], registry=self.registry)).labels(model)

    def _counter(self, name: str, text: str, model: str) -> Counter:
        return self._kept(name, Counter(name, text, ["model_name"], registry=self.registry)).labels(model)

    def _kept(self, name: str, family: F) -> F:
        if "cache" in name:
            self._of_cache.append(family)
        return family

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], model: str) -> Histogram:
        family = Histogram(name, text, ["model_name"], registry=self.registry, buckets=buckets)
        return family.labels(model)

    def _own(self) -> None:
        self.outcomes = Counter(
            "mmload_sim_requests", "Requests ended, by HTTP status.", ["status"], registry=self.registry
        )
        self.rungs = Counter(
            "mmload_sim_admitted",
            "Requests admitted, by rung of the ladder.",
            ["rung"],
            registry=self.registry,
        )
        self.planted = Counter(
            "mmload_sim_planted", "Faults planted into requests.", ["fault"], registry=self.registry
        )
        self.rung = Gauge("mmload_sim_rung", "Rung that the ladder stands on.", registry=self.registry)
        self.wait = Gauge(
            "mmload_sim_expected_wait_seconds", "Wait foretold to the newest request.", registry=self.registry
        )
        family = Histogram(
            "mmload_sim_stage_seconds",
            "Time in each stage of the pipeline.",
            ["stage"],
            registry=self.registry,
            buckets=_STAGE,
        )
        stages = ("preprocess", "retrieval", "policy", "queue", "model", "validate")
        self.stages = {stage: family.labels(stage) for stage in stages}
