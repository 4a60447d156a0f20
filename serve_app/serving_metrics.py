"""What a replica counts and times, as Prometheus reads it."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.stage_metrics import StageMetrics

_REQUEST_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 5.0)
_FRESHNESS_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

_MOST_FRESHNESS = 4_096
"""Between two reports, where nobody takes them."""


class ServingMetrics:
    """One registry for each replica, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._recent_freshness: list[float] = []
        self._stages = StageMetrics()
        self.registry.register(self._stages)
        self.requests = Counter(
            "foryou_http_requests", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "foryou_http_request_seconds",
            "Time from request to answer.",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.failed = Counter(
            "foryou_source_failures", "Sources left out of an answer.", ["stage"], registry=self.registry
        )
        self.short_answers = Counter(
            "foryou_short_answers", "Answers with fewer contents than asked for.", registry=self.registry
        )
        self.feeds_behind = Counter(
            "foryou_feeds_behind",
            "Answers by an older version than their person was shown before, the model being away.",
            registry=self.registry,
        )
        self.feeds_remembered = Counter(
            "foryou_feeds_remembered",
            "Answers made of what the replica remembered, the store being away.",
            registry=self.registry,
        )
        self.shed = Counter(
            "foryou_http_shed", "Requests refused because too many were under way.", registry=self.registry
        )
        self.events = Counter("foryou_events", "Events taken in.", ["outcome"], registry=self.registry)
        self.model_version = Gauge(
            "foryou_model_version", "Version counter of the served model.", ["model"], registry=self.registry
        )
        self.model_age = Gauge(
            "foryou_model_age_seconds",
            "Time since the shards were last seen.",
            ["model"],
            registry=self.registry,
        )
        self.freshness = Histogram(
            "foryou_event_to_served_seconds",
            "Time from the newest learned event of a partition to its effect in this replica.",
            buckets=_FRESHNESS_BUCKETS,
            registry=self.registry,
        )
        self.ann_recall = Gauge(
            "foryou_ann_recall",
            "Share of the true nearest 100 among 500 found, over the last sampled queries.",
            registry=self.registry,
        )
        self.index_contents = Gauge(
            "foryou_index_contents", "Contents that searches compare.", registry=self.registry
        )
        self.index_lists = Gauge(
            "foryou_index_lists",
            "Lists of the inverted index, 0 while search is exact.",
            registry=self.registry,
        )
        self.index_probes = Gauge(
            "foryou_index_probes",
            "Lists that a person's search looks through, besides that of outliers.",
            registry=self.registry,
        )
        self.sync_seconds = Histogram(
            "foryou_read_to_served_seconds",
            "Time from when the shards were read for a delta to its effect in this replica.",
            buckets=_FRESHNESS_BUCKETS,
            registry=self.registry,
        )
        self.delta_rows = Counter(
            "foryou_delta_rows", "Rows changed by deltas from the shards.", registry=self.registry
        )
        self.delta_errors = Counter(
            "foryou_delta_errors", "Failed attempts to follow the shards.", registry=self.registry
        )

        # A child is looked up once: the client library's own lookup costs as much as counting does.
        self._requests_of = cache(self.requests.labels)
        self._request_seconds_of = cache(self.request_seconds.labels)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count one request under its route's template."""
        self._requests_of(route, str(status)).inc()
        self._request_seconds_of(route).observe(seconds)

    def observe_slate(self, slate: RankedSlate) -> None:
        """Count what the stages did, and what came of which source."""
        self._stages.observe(slate.trace.records, slate.sources)
        for name in slate.trace.failures:
            self.failed.labels(name).inc()

    def observe_freshness(self, seconds: float) -> None:
        """Count how long after an event what was learned of it is served."""
        self.freshness.observe(seconds)
        if len(self._recent_freshness) < _MOST_FRESHNESS:
            self._recent_freshness.append(seconds)

    def take_freshness(self) -> list[float]:
        """Return what was observed since the last call, seconds."""
        taken, self._recent_freshness = self._recent_freshness, []
        return taken

    def text(self) -> bytes:
        """Return the exposition format."""
        return generate_latest(self.registry)
