"""What the actor of models last said, as Prometheus reads it: KPIs, stages, and what each model is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge


class KpiMetrics:
    """Gauges that every replica exports alike: take the largest over replicas, not the sum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.kpi = Gauge(
            "foryou_kpi",
            "Today's KPI, of all people (all), of an arm (arm:...) or of a model (model:...).",
            ["kpi", "segment"],
            registry=registry,
        )
        self.model_stage = Gauge(
            "foryou_model_stage", "1 for the stage that a model is in.", ["model", "stage"], registry=registry
        )
        self.model_health = Gauge(
            "foryou_model_health",
            "What guardrails look at: normalized_loss, calibration, error_rate, latency_p95_ms; and "
            "progressive_loss.",
            ["group", "metric"],
            registry=registry,
        )

        self.system_health = Gauge(
            "foryou_system_health",
            "What the system's own rules look at: freshness_p95_seconds, join_rate, events_per_second, "
            "dead_letters_per_second.",
            ["metric"],
            registry=registry,
        )

    def show(self, said: Mapping[str, Any] | None) -> None:
        """Show what the actor said; what it no longer speaks of is gone. None is what is not known."""
        for gauge in (self.kpi, self.model_stage, self.model_health, self.system_health):
            gauge.clear()
        if not said:
            return
        for model_id, model in said.get("models", {}).items():
            self.model_stage.labels(model_id, model["stage"]).set(1)
        report = said.get("kpis", {})
        for segment, values in report.get("segments", {}).items():
            for kpi, value in values.items():
                if value is not None:
                    self.kpi.labels(kpi, segment).set(value)
        for group, values in report.get("models", {}).items():
            for metric, value in values.items():
                if value is not None:
                    self.model_health.labels(group, metric).set(value)
        for metric, value in report.get("system", {}).items():
            if value is not None:
                self.system_health.labels(metric).set(value)
