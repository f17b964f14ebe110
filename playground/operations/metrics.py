"""What a Prometheus server reads of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from playground import pricing
from playground.streaming import RunState
from playground.turns import Turns
from playground.types import EndpointKind, Request

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
MODELS = 100
"""Models that are told apart; a visitor may type any name, and each would be a series for ever."""


class Metrics:
    """Counters and histograms of the answers, and gauges of what is under way."""

    def __init__(self, turns: Turns, kind_of: Callable[[str], EndpointKind]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_UnderWay(turns))
        self._kind_of = kind_of
        self._models: set[tuple[str, str]] = set()
        of = ("server", "model")
        self._runs = Counter("playground_answers", "Answers, by how they ended", (*of, "status"), registry=registry)
        self._tokens = Counter("playground_tokens", "Tokens, by kind", (*of, "kind"), registry=registry)
        self._cost = Counter("playground_cost_dollars", "What answers cost, where that is known", of, registry=registry)
        self._first = Histogram(
            "playground_first_token_seconds", "To the first token", of, buckets=SECONDS, registry=registry
        )
        self._seconds = Histogram(
            "playground_answer_seconds", "To an answer's end", of, buckets=SECONDS, registry=registry
        )
        self._requests = Counter("playground_http_requests", "Requests, by status", ("status",), registry=registry)

    def answered(self, request: Request, state: RunState) -> None:
        """Count an answer at its end."""
        of = request.endpoint, self._name(request)
        self._runs.labels(*of, state.status).inc()
        self._seconds.labels(*of).observe(state.latency)
        if state.time_to_first_token is not None:
            self._first.labels(*of).observe(state.time_to_first_token)
        if state.usage is not None:
            self._tokens.labels(*of, "prompt").inc(state.usage.prompt_tokens)
            self._tokens.labels(*of, "completion").inc(state.usage.completion_tokens)
            cost = pricing.price(request.model, self._kind_of(request.endpoint), state.usage)
            self._cost.labels(*of).inc(float(cost or 0))

    def requested(self, status: int) -> None:
        """Count a request of HTTP."""
        self._requests.labels(str(status)).inc()

    def page(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

    def _name(self, request: Request) -> str:
        name = request.endpoint, request.model
        if name not in self._models and len(self._models) >= MODELS:
            return "other"
        self._models.add(name)
        return request.model


class _UnderWay(Collector):
    """What is under way and what waits, as it is when somebody asks."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def collect(self) -> Iterable[Metric]:
        running = GaugeMetricFamily("playground_answers_under_way", "Answers under way", labels=["server"])
        waiting = GaugeMetricFamily("playground_answers_waiting", "Requests that wait in line", labels=["server"])
        for server, (now, behind) in self._turns.counts().items():
            running.add_metric([server], now)
            waiting.add_metric([server], behind)
        return running, waiting
